import Kafka
import Logging
import Testing

func configuration(_ broker: EmbeddedBroker, _ properties: [String: String] = [:]) -> KafkaConfiguration {
  KafkaConfiguration(
    bootstrapServers: broker.bootstrapServers, clientID: "test", properties: properties, logger: quiet)
}

/// Lines of librdkafka about brokers that tests take down say nothing new.
let quiet = Logger(label: "kafka", factory: { _ in SwiftLogNoOpLogHandler() })

/// A consumer whose sessions are as short as the embedded broker bears, since it lets a rebalance take almost as long as one.
func consumer(_ broker: EmbeddedBroker, group: String, _ properties: [String: String] = [:]) throws -> KafkaConsumer {
  let defaults = ["session.timeout.ms": "3500", "heartbeat.interval.ms": "100"]
  return try KafkaConsumer(
    configuration: configuration(broker, defaults.merging(properties) { $1 }), group: group)
}

/// Sends all and requires that each is stored.
func send(_ records: [ProducerRecord], to broker: EmbeddedBroker) async throws -> [Int64] {
  let producer = try KafkaProducer(configuration: configuration(broker))
  let offsets = try await producer.send(records).map { try $0.get() }
  await producer.close()
  return offsets
}

func numbered(_ numbers: Range<Int>, topic: String, partition: Int32 = 0) -> [ProducerRecord] {
  numbers.map { ProducerRecord(topic: topic, partition: partition, key: nil, value: Array("\($0)".utf8)) }
}

func number(_ record: KafkaRecord) -> Int { Int(String(decoding: record.value ?? [], as: UTF8.self)) ?? -1 }

extension KafkaConsumer {
  func next(_ maximumRecords: Int = 1_000) throws(KafkaFault) -> ConsumerEvent {
    try poll(maximumRecords: maximumRecords, maximumBytes: 1 << 20, linger: .milliseconds(5))
  }

  /// Polls until `pick` takes an event; faults that pass, and what else comes, are skipped.
  func until<Picked: Sendable>(
    _ what: Comment, within limit: Duration = .seconds(30), _ pick: @Sendable (ConsumerEvent) -> Picked?
  ) throws -> Picked {
    let deadline = ContinuousClock.now + limit
    while .now < deadline {
      if let picked = pick(try next()) { return picked }
    }
    throw Late(what: what.rawValue)
  }

  /// Polls until `count` records have come.
  func records(_ count: Int) throws -> [KafkaRecord] {
    var all: [KafkaRecord] = []
    let deadline = ContinuousClock.now + .seconds(30)
    while .now < deadline && all.count < count {
      if case .records(let records) = try next() { all += records }
    }
    guard all.count >= count else { throw Late(what: "\(count) records") }
    return all
  }

  /// Joins the group and returns what it is given, unclaimed.
  func join(_ topic: String) throws -> [TopicPartition] {
    try subscribe(topics: [topic])
    return try until("an assignment") { if case .assigned(let partitions) = $0 { partitions } else { nil } }
  }

  /// Reads without joining a group.
  func read(_ partition: TopicPartition, from position: PartitionStart.Position) throws(KafkaFault) {
    try assign([PartitionStart(partition, position)])
  }
}

struct Late: Error { let what: String }
