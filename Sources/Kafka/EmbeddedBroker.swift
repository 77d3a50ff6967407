import Blocking
import CRdKafka
import Glibc
import Logging

/// librdkafka's own broker (rdkafka_mock.h): speaks Kafka's protocol on loopback, also to other processes; for `dev` and tests.
///
/// A partition keeps 5 MiB or 100,000 records and then trims. A group's first member waits 3 s for others, which its session has
/// to outlast; later rebalances take up to the session timeout less a second. Brokers count from 1. Methods throw `_DESTROY`
/// after `close`.
public actor EmbeddedBroker {
  /// Owner of the cluster and of the client that it lives in.
  private struct Cluster: ~Copyable {
    let raw: OpaquePointer
    let client: Client
    let brokerCount: Int32

    init(_ brokerCount: Int, _ configuration: KafkaConfiguration) throws(KafkaFault) {
      let client = try Client(
        RD_KAFKA_PRODUCER, defaults: ["log_level": "4"], configuration: configuration,
        context: ClientContext(logger: configuration.logger))
      let count = Int32(clamping: min(max(brokerCount, 1), 3))
      guard let raw = rd_kafka_mock_cluster_new(client.raw, count) else {
        throw KafkaFault(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE)
      }
      self.raw = raw
      self.brokerCount = count
      self.client = client
    }

    deinit { rd_kafka_mock_cluster_destroy(raw) }
  }

  /// `host:port` of each broker, separated by commas.
  public nonisolated let bootstrapServers: String
  private let thread = BlockingThread(name: "kafka-broker")
  private var cluster: Cluster?
  /// The ports of brokers that are down, by broker: librdkafka ends the process when one is somebody else's at their return.
  private var reserved: [Int: PortReservation] = [:]

  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// Starts 1 to 3 brokers.
  public init(brokers: Int = 1, logger: Logger) throws(KafkaFault) {
    let cluster = try Cluster(brokers, KafkaConfiguration(bootstrapServers: "", clientID: "embedded-broker", logger: logger))
    bootstrapServers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster.raw))
    self.cluster = consume cluster
  }

  /// Creates a topic of 1 to 10,000 partitions, replicated to all brokers.
  public func createTopic(_ topic: String, partitions: Int) throws(KafkaFault) {
    guard let partitionCount = Int32(exactly: partitions), 1...10_000 ~= partitionCount else {
      throw KafkaFault(RD_KAFKA_RESP_ERR_INVALID_PARTITIONS)
    }
    try command { rd_kafka_mock_topic_create($0.raw, topic, partitionCount, $0.brokerCount) }
  }

  /// Breaks the broker's connections and refuses new ones; leaders stay where they are. -1 is all brokers, here and below.
  public func takeDown(_ broker: Int32) throws(KafkaFault) {
    try command { rd_kafka_mock_broker_set_down($0.raw, broker) }
    let ports = bootstrapServers.split(separator: ",").map { UInt16($0.split(separator: ":").last ?? "") ?? 0 }
    for (index, port) in ports.enumerated() where broker == -1 || Int(broker) == index + 1 {
      reserved[index + 1] = PortReservation(port)
    }
  }

  public func bringUp(_ broker: Int32) throws(KafkaFault) {
    // At the last moment: the kernel gives ports to whoever connects.
    if broker == -1 { reserved = [:] } else { reserved[Int(broker)] = nil }
    try command { rd_kafka_mock_broker_set_up($0.raw, broker) }
  }

  /// Delays every answer of the broker.
  public func delay(_ broker: Int32, milliseconds: Int32) throws(KafkaFault) {
    try command { rd_kafka_mock_broker_set_rtt($0.raw, broker, max(0, milliseconds)) }
  }

  public func moveLeader(_ partition: TopicPartition, to broker: Int32) throws(KafkaFault) {
    try command { rd_kafka_mock_partition_set_leader($0.raw, partition.topic, partition.partition, broker) }
  }

  /// The next requests of this kind (Kafka's protocol guide: 0 is Produce, 1 Fetch) fail with these codes, one each.
  public func pushErrors(_ apiKey: Int16, _ codes: [Int32]) throws(KafkaFault) {
    try command {
      rd_kafka_mock_push_request_errors_array($0.raw, apiKey, codes.count, codes.map { rd_kafka_resp_err_t(rawValue: $0) })
      return RD_KAFKA_RESP_ERR_NO_ERROR
    }
  }

  /// As `pushErrors`, for requests to this broker alone: `pendingErrorCount` tells how many have not been given out yet.
  public func pushErrors(_ apiKey: Int16, _ codes: [Int32], at broker: Int32) throws(KafkaFault) {
    for code in codes {
      try command { throughline_mock_push_error($0.raw, broker, apiKey, rd_kafka_resp_err_t(rawValue: code)) }
    }
  }

  public func pendingErrorCount(_ apiKey: Int16, at broker: Int32) throws(KafkaFault) -> Int {
    var count = 0
    try command { rd_kafka_mock_broker_error_stack_cnt($0.raw, broker, apiKey, &count) }
    return count
  }

  /// Ends the brokers and their records; later calls do nothing.
  public func close() { cluster = nil }

  private func command(_ body: (borrowing Cluster) -> rd_kafka_resp_err_t) throws(KafkaFault) {
    switch cluster {
    case .some(let cluster): if let fault = KafkaFault(body(cluster), cluster.client.raw) { throw fault }
    case nil: throw .closed
    }
  }
}

/// A port of the loopback interface that nobody listens on, and nobody else is given.
private final class PortReservation: Sendable {
  private let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)

  /// One that is taken already stays so.
  init(_ port: UInt16) {
    var (on, address) = (Int32(1), sockaddr_in())
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    _ = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  deinit { _ = Glibc.close(descriptor) }
}
