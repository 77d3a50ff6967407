import Blocking
import CRdKafka
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
  }

  public func bringUp(_ broker: Int32) throws(KafkaFault) {
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
