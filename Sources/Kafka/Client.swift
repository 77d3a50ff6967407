import CRdKafka
import Logging

/// Owner of a `rd_kafka_t` and of the context that its callbacks get.
struct Client: ~Copyable {
  let raw: OpaquePointer
  private let context: Unmanaged<ClientContext>

  /// Reads certificates, opens no connection. A bad property is named in the fault; its value is not.
  init(
    _ type: rd_kafka_type_t, defaults: KeyValuePairs<String, String>, configuration: KafkaConfiguration, events: Int32 = 0,
    context: ClientContext
  ) throws(KafkaFault) {
    guard let settings = rd_kafka_conf_new() else { throw KafkaFault(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE) }
    let basics = [("bootstrap.servers", configuration.bootstrapServers), ("client.id", configuration.clientID)]
    for (name, value) in basics + defaults.map({ ($0.key, $0.value) }) + configuration.properties.map({ ($0.key, $0.value) }) {
      guard rd_kafka_conf_set(settings, name, value, nil, 0) == RD_KAFKA_CONF_OK else {
        rd_kafka_conf_destroy(settings)
        throw KafkaFault(RD_KAFKA_RESP_ERR__INVALID_ARG, property: name)
      }
    }
    let retained = Unmanaged.passRetained(context)
    rd_kafka_conf_set_opaque(settings, retained.toOpaque())
    rd_kafka_conf_set_events(settings, events)
    // On any of librdkafka's threads, possibly under its locks: only hand over.
    rd_kafka_conf_set_log_cb(settings) { client, level, facility, text in
      guard let opaque = rd_kafka_opaque(client), let facility, let text else { return }
      Unmanaged<ClientContext>.fromOpaque(opaque).takeUnretainedValue()
        .log(level, facility: String(cString: facility), text: String(cString: text))
    }
    if type == RD_KAFKA_PRODUCER {
      // On the thread that polls: the producer's own.
      rd_kafka_conf_set_dr_msg_cb(settings) { client, record, opaque in
        guard let client, let record, let opaque else { return }
        Unmanaged<ClientContext>.fromOpaque(opaque).takeUnretainedValue().delivered(record.pointee, client)
      }
    }
    var text = [CChar](repeating: 0, count: 512)
    guard let client = rd_kafka_new(type, settings, &text, text.count) else {
      let error = rd_kafka_last_error()
      rd_kafka_conf_destroy(settings)
      retained.release()
      // Some properties are only checked here, and only the text says which; as it may quote a value, nothing else is taken from it.
      let complaint = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let names = Array(configuration.properties.keys) + defaults.map(\.key) + basics.map(\.0)
      throw KafkaFault(error, property: names.filter { complaint.contains($0) }.max { $0.utf8.count < $1.utf8.count })
    }
    raw = client
    self.context = retained
  }

  /// Blocks until librdkafka's threads have ended; whoever wants to leave the group or to flush does so before.
  deinit {
    rd_kafka_destroy_flags(raw, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
    context.release()
  }
}

extension KafkaFault {
  /// nil when there is no error. What librdkafka only calls fatal is looked up.
  init?(_ code: rd_kafka_resp_err_t, _ client: OpaquePointer, partition: TopicPartition? = nil) {
    switch code {
    case RD_KAFKA_RESP_ERR_NO_ERROR: return nil
    case RD_KAFKA_RESP_ERR__FATAL: self.init(rd_kafka_fatal_error(client, nil, 0), isFatal: true, partition: partition)
    default: self.init(code, partition: partition)
    }
  }

  /// Takes over `error`; nil when there is none.
  init?(_ error: OpaquePointer?, _ client: OpaquePointer) {
    guard let error else { return nil }
    defer { rd_kafka_error_destroy(error) }
    self.init(rd_kafka_error_code(error), client)
  }

  static var closed: KafkaFault { KafkaFault(RD_KAFKA_RESP_ERR__DESTROY) }
}
