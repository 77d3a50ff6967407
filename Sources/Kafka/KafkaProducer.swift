import Blocking
import CRdKafka
import Logging

/// An idempotent producer on a thread of its own.
public actor KafkaProducer {
  /// How long one wait for delivery reports may hold the thread.
  private static let pollMilliseconds: Int32 = 10
  /// How long a send whose task is cancelled still waits for the broker.
  private static let cancelledWait = Duration.seconds(5)

  private let thread: BlockingThread
  private let context: ClientContext
  private var client: Client?

  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// Opens no connection; a bad property is a fault that names it.
  public init(configuration: KafkaConfiguration) throws(KafkaFault) {
    thread = BlockingThread(name: "kafka-producer")
    context = ClientContext(logger: configuration.logger)
    // Nothing would ever be acknowledged.
    for name in ["acks", "request.required.acks"] where configuration.properties[name] == "0" {
      throw KafkaFault(RD_KAFKA_RESP_ERR__INVALID_ARG, property: name)
    }
    client = try Client(
      RD_KAFKA_PRODUCER,
      defaults: [
        "enable.idempotence": "true",
        "acks": "all",
        "linger.ms": "5",
        // What bounds `send`: every record is delivered or has failed after this long.
        "delivery.timeout.ms": "30000",
        "queue.buffering.max.messages": "20000",
        "queue.buffering.max.kbytes": "32768",
        // As Kafka's own clients place keys.
        "partitioner": "murmur2_random",
        "socket.keepalive.enable": "true",
        "reconnect.backoff.max.ms": "2000",
      ],
      configuration: configuration, context: context)
  }

  private var handle: OpaquePointer? {
    switch client {
    case .some(let client): client.raw
    case nil: nil
    }
  }

  /// Asks who leads the topics, at most 1 s each: otherwise the first record to each would wait as long. Whether it helps is no matter.
  public func prepare(topics: [String]) {
    guard let handle else { return }
    for topic in topics {
      // librdkafka keeps what it learns for as long as the client lives.
      guard let known = rd_kafka_topic_new(handle, topic, nil) else { continue }
      var metadata: UnsafePointer<rd_kafka_metadata_t>?
      if rd_kafka_metadata(handle, 0, known, &metadata, 1_000) == RD_KAFKA_RESP_ERR_NO_ERROR {
        rd_kafka_metadata_destroy(metadata)
      }
      rd_kafka_topic_destroy(known)
    }
  }

  /// Sends all records in this order and waits until each is delivered or has failed; the results are their offsets, in this order.
  ///
  /// Ends within `delivery.timeout.ms` from when the last record found room in the queue; once its task is cancelled within 5 s, then
  /// all that waits in this producer is given up. Throws when the producer is closed or
  /// fatally broken and nothing was sent. Of records that failed, those with disposition `retry` may have been stored all the same.
  public func send(_ records: [ProducerRecord]) async throws(KafkaFault) -> [Result<Int64, KafkaFault>] {
    guard let handle else { throw .closed }
    if let fault = KafkaFault(rd_kafka_fatal_error(handle, nil, 0), handle) { throw fault }
    let batch = context.beginBatch(count: records.count)
    for (index, record) in records.enumerated() {
      if let fault = await enqueue(record, ClientContext.opaque(batch: batch, index: index)) {
        context.settle(batch: batch, index: index, .failure(fault))
      }
    }
    var deadline: ContinuousClock.Instant?
    while let handle = self.handle, context.outstandingCount(batch: batch) > 0 {
      if Task.isCancelled {
        deadline = deadline ?? .now + Self.cancelledWait
        if .now > deadline ?? .now { rd_kafka_purge(handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT) }
      }
      rd_kafka_poll(handle, Self.pollMilliseconds)
      // Other calls of this actor get their turn, `close` among them.
      await Task.yield()
    }
    return context.endBatch(batch)
  }

  /// How many partitions the topic has; asks the broker, at most 5 s.
  public func partitionCount(of topic: String) throws(KafkaFault) -> Int32 {
    guard let handle else { throw .closed }
    guard let known = rd_kafka_topic_new(handle, topic, nil) else { throw KafkaFault(rd_kafka_last_error()) }
    defer { rd_kafka_topic_destroy(known) }
    var metadata: UnsafePointer<rd_kafka_metadata_t>?
    if let fault = KafkaFault(rd_kafka_metadata(handle, 0, known, &metadata, 5_000), handle) { throw fault }
    defer { rd_kafka_metadata_destroy(metadata) }
    guard let metadata, metadata.pointee.topic_cnt > 0 else { throw KafkaFault(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) }
    let found = metadata.pointee.topics[0]
    if let fault = KafkaFault(found.err, handle) { throw fault }
    return found.partition_cnt
  }

  /// Where a record of this key goes in a topic of so many partitions, at least one, unless `partitioner` says otherwise.
  public static func partition(of key: [UInt8], among count: Int32) -> Int32 {
    withBytes(key) { rd_kafka_msg_partitioner_murmur2(nil, $0?.baseAddress, $0?.count ?? 0, count, nil, nil) }
  }

  /// Waits for room while the queue is full. That ends: records in the queue are delivered or time out.
  private func enqueue(_ record: ProducerRecord, _ opaque: UnsafeMutableRawPointer?) async -> KafkaFault? {
    while let handle {
      guard let fault = produce(record, opaque, handle) else { return nil }
      guard fault.code == RD_KAFKA_RESP_ERR__QUEUE_FULL.rawValue, !Task.isCancelled else { return fault }
      // One that an empty queue does not take (queue.buffering.max.kbytes) would wait for ever.
      if rd_kafka_outq_len(handle) == 0 { return KafkaFault(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) }
      rd_kafka_poll(handle, Self.pollMilliseconds)
      await Task.yield()
    }
    return .closed
  }

  private func produce(_ record: ProducerRecord, _ opaque: UnsafeMutableRawPointer?, _ handle: OpaquePointer) -> KafkaFault? {
    record.topic.withCString { topic in
      withBytes(record.key) { key in
        withBytes(record.value) { value in
          var fields = [rd_kafka_vu_t](repeating: rd_kafka_vu_t(), count: 3)
          fields[0].vtype = RD_KAFKA_VTYPE_TOPIC
          fields[0].u.cstr = topic
          fields[1].vtype = RD_KAFKA_VTYPE_MSGFLAGS
          fields[1].u.i = RD_KAFKA_MSG_F_COPY
          fields[2].vtype = RD_KAFKA_VTYPE_OPAQUE
          fields[2].u.ptr = opaque
          func add(_ type: rd_kafka_vtype_t, _ set: (inout rd_kafka_vu_t) -> Void) {
            var field = rd_kafka_vu_t()
            field.vtype = type
            set(&field)
            fields.append(field)
          }
          if let key {
            add(RD_KAFKA_VTYPE_KEY) { $0.u.mem = .init(ptr: UnsafeMutableRawPointer(mutating: key.baseAddress), size: key.count) }
          }
          if let value {
            add(RD_KAFKA_VTYPE_VALUE) {
              $0.u.mem = .init(ptr: UnsafeMutableRawPointer(mutating: value.baseAddress), size: value.count)
            }
          }
          if let partition = record.partition { add(RD_KAFKA_VTYPE_PARTITION) { $0.u.i32 = partition } }
          if let timestamp = record.timestampMilliseconds { add(RD_KAFKA_VTYPE_TIMESTAMP) { $0.u.i64 = timestamp } }
          let headers = record.headers.isEmpty ? nil : rd_kafka_headers_new(record.headers.count)
          if let headers {
            for header in record.headers {
              _ = withBytes(header.value) { value in
                rd_kafka_header_add(headers, header.name, -1, value?.baseAddress, value?.count ?? 0)
              }
            }
            add(RD_KAFKA_VTYPE_HEADERS) { $0.u.headers = headers }
          }
          let fault = KafkaFault(rd_kafka_produceva(handle, fields, fields.count), handle)
          // librdkafka takes the headers over only when it takes the record.
          if fault != nil, let headers { rd_kafka_headers_destroy(headers) }
          return fault
        }
      }
    }
  }

  /// Delivers what is in the queue, for at most `limit`, then gives the rest up: their senders get faults. Later calls do nothing.
  public func close(within limit: Duration = .seconds(10)) {
    guard let handle else { return }
    rd_kafka_flush(handle, limit.wholeMilliseconds)
    rd_kafka_purge(handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
    // Serves the reports of what was purged.
    rd_kafka_flush(handle, 1_000)
    client = nil
  }
}

/// Calls `body` with the bytes, or with nil for nil; for none of them with an address that is not null, as null is nil to Kafka.
private func withBytes<Result>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
  guard let bytes else { return body(nil) }
  guard !bytes.isEmpty else {
    return withUnsafeBytes(of: UInt8(0)) { body(UnsafeRawBufferPointer(rebasing: $0[..<0])) }
  }
  return bytes.withUnsafeBytes { body($0) }
}
