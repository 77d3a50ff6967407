import Channels
import Foundation
import Kafka
import Logging

/// A broker and what lies in it.
///
/// A partition of the embedded broker keeps 5 MiB or 100,000 records and trims the rest silently: there are as many as it takes.
final class Feed: Sendable {
  private static let partitionBytes = 5 << 20
  static let topics = ["channel.chat", "channel.whatsapp", "channel.messenger", "channel.email", "channel.sms", "channel.voice"]
  /// Of all events of ours there may be more than the broker keeps: nobody reads them.
  private static let events = ["conversation.events", "routing.events"]

  let broker: EmbeddedBroker
  let partitions: Int
  let producer: KafkaProducer
  private let consumer: KafkaConsumer

  /// - Parameter partitions: of each channel topic.
  init(partitions: Int, linger: String = "5") async throws {
    let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
    broker = try EmbeddedBroker(logger: logger)
    self.partitions = partitions
    let all = Set(Formats.topics + Formats.routeTopics)
    for topic in all { try await broker.createTopic(topic, partitions: Self.topics.contains(topic) ? partitions : 1) }
    for topic in all { try await broker.createTopic("dlq." + topic, partitions: 1) }
    for topic in Self.events { try await broker.createTopic(topic, partitions: 4) }
    producer = try KafkaProducer(
      configuration: KafkaConfiguration(
        bootstrapServers: broker.bootstrapServers, properties: ["linger.ms": linger], logger: logger))
    await producer.prepare(topics: Self.topics + Self.events)
    consumer = try KafkaConsumer(
      configuration: KafkaConfiguration(bootstrapServers: broker.bootstrapServers, logger: logger), group: "throughline-ingest")
  }

  /// How many partitions the records need, with room for uneven keys.
  static func partitions(for records: [ProducerRecord]) -> Int {
    var bytes: [String: Int] = [:]
    for record in records { bytes[record.topic, default: 0] += size(of: record) }
    return max(12, (bytes.values.max() ?? 0) * 2 / partitionBytes)
  }

  static func size(of record: ProducerRecord) -> Int {
    (record.value?.count ?? 0) + (record.key?.count ?? 0)
      + record.headers.reduce(24) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) + 4 }
  }

  /// By the sender, the same for every run.
  func partition(of record: ProducerRecord) -> Int32 {
    Int32((record.key ?? []).reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 } % UInt32(partitions))
  }

  /// Sends them in this order; their offsets.
  @discardableResult
  func send(_ records: some Collection<ProducerRecord> & Sendable) async throws -> [Int64] {
    let placed = records.map { record in
      var record = record
      record.partition = partition(of: record)
      return record
    }
    return try await producer.send(placed).map { try $0.get() }
  }

  /// Sends all of them before anybody reads; fails when the broker has trimmed any.
  func preload(_ records: [ProducerRecord]) async throws {
    for start in stride(from: 0, to: records.count, by: 10_000) {
      try await send(records[start..<min(start + 10_000, records.count)])
    }
    for partition in channelPartitions where try await consumer.watermarks(partition).low != 0 {
      throw Failure("the broker has trimmed \(partition): more partitions are needed")
    }
  }

  private var channelPartitions: [TopicPartition] {
    Self.topics.flatMap { topic in (0..<Int32(partitions)).map { TopicPartition(topic, $0) } }
  }

  func close() async {
    await producer.close()
    await consumer.close()
    await broker.close()
  }
}
