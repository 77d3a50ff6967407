import Channels
import Foundation
import Kafka
import Logging
import Postgres
import Store
import TestSupport

/// A broker and a database of its own, and as many real worker processes as its user wants.
public final class Cluster: Sendable {
  public let broker: EmbeddedBroker
  public let databaseURL: String
  public let producer: KafkaProducer
  private let db: PostgresConnection
  /// How many partitions every topic has.
  public static let partitions = 3
  /// What ingest consumes.
  public static let topics = Formats.topics

  /// - Parameters:
  ///   - databaseURL: migrated; nil is a fresh database of `TestServer`.
  ///   - brokers: 1 to 3.
  ///   - more: topics beside what ingest consumes and writes.
  public init(databaseURL: String? = nil, brokers: Int = 1, topics more: [String] = []) async throws {
    let logger = Logger.silent
    broker = try EmbeddedBroker(brokers: brokers, logger: logger)
    for topic in Self.topics + ["conversation.events"] + Self.topics.map({ "dlq." + $0 }) + more {
      try await broker.createTopic(topic, partitions: Self.partitions)
    }
    if let databaseURL { self.databaseURL = databaseURL } else { self.databaseURL = try await TestDatabase.make() }
    producer = try KafkaProducer(
      configuration: KafkaConfiguration(
        bootstrapServers: broker.bootstrapServers, properties: ["message.max.bytes": "4000000", "delivery.timeout.ms": "120000"],
        logger: logger))
    db = PostgresConnection(url: self.databaseURL, applicationName: "cluster")
  }

  /// Starts `throughline ingest` (or another kind); its log goes to a file of its own.
  public func startWorker(_ kind: String = "ingest", _ extra: [String: String] = [:]) throws -> WorkerProcess {
    var environment = ProcessInfo.processInfo.environment
    // Where the toolchain is, its runtime writes a report of each crash, for seconds and in lines of its own.
    environment["SWIFT_BACKTRACE"] = "enable=no"
    environment["THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS"] = broker.bootstrapServers
    environment["THROUGHLINE_DATABASE_URL"] = databaseURL
    // Dead members leave the group soon, so that rounds are short; below 3 s nobody ever joins the embedded broker.
    environment["THROUGHLINE_KAFKA_PROPERTIES"] = "session.timeout.ms=4000"
    environment.merge(extra) { $1 }
    return try WorkerProcess([kind], environment)
  }

  /// Sends the items, each where its key belongs; `spreading` on any partition, as a redelivery may come.
  public func publish(_ items: some Collection<Traffic.Item>, spreading: Bool = false) async throws {
    let results = try await producer.send(
      items.map { item in
        ProducerRecord(
          topic: item.topic, partition: spreading ? Int32.random(in: 0..<Int32(Self.partitions)) : Self.partition(of: item.key),
          key: Array(item.key.utf8), value: item.value, headers: item.headers.map { KafkaHeader($0.name, $0.value) })
      })
    for result in results { _ = try result.get() }
  }

  /// Where records of a key go.
  public static func partition(of key: String) -> Int32 {
    Int32(key.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 } % UInt32(partitions))
  }

  /// Rows of ad-hoc SQL; nil is NULL.
  public func rows(_ sql: String) async throws -> [[String?]] {
    try await db.perform { db throws(PostgresFault) in try db.textRows(sql) }
  }

  /// The first value of the first row, 0 when there is none.
  public func number(_ sql: String) async throws -> Int { Int(try await rows(sql).first?.first.flatMap { $0 } ?? "") ?? 0 }

  /// Waits until the query gives at least `expected`; what it gave then. Throws when time is up.
  @discardableResult
  public func wait(_ sql: String, for expected: Int, seconds: Double = 60) async throws -> Int {
    var value = 0
    // Counted in looks and not by the clock: a machine that stands still costs this wait nothing of what it waits for.
    for _ in 0..<Int(seconds * 20) {
      // The database may be down in the very test that waits.
      value = (try? await number(sql)) ?? value
      if value >= expected { return value }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw RigFault("still \(value) of \(expected) after \(seconds) s: \(sql)")
  }

  /// Waits until every record is accounted for: each partition's stored offset is its end.
  public func drain(seconds: Double = 90) async throws {
    try await wait("SELECT coalesce(sum(next_offset), 0) FROM throughline.ingest_offset", for: try await ends(), seconds: seconds)
  }

  private func ends() async throws -> Int {
    let probe = try KafkaConsumer(
      configuration: KafkaConfiguration(bootstrapServers: broker.bootstrapServers, logger: .silent), group: "probe")
    var total = 0
    for topic in Self.topics {
      for partition in 0..<Int32(Self.partitions) {
        total += Int(try await probe.watermarks(TopicPartition(topic, partition)).high)
      }
    }
    await probe.close()
    return total
  }

  /// Ends the broker and what is connected to it; worker processes are their owners' business.
  public func close() async {
    await producer.close()
    await db.close()
    await broker.close()
  }
}

extension Cluster {
  /// Reads `conversation.events` from beginning to end: the seqs of each subject in the order of the log.
  public func consumeEvents() async throws -> [String: [Int]] {
    var seen: [String: [Int]] = [:]
    for record in try await consume("conversation.events") {
      let event = try JSONSerialization.jsonObject(with: Data(record.value ?? [])) as? [String: Any]
      let data = event?["data"] as? [String: Any]
      guard let subject = event?["subject"] as? String, let seq = data?["seq"] as? Int else {
        throw RigFault("an event without subject or seq")
      }
      guard record.key == Array(subject.utf8) else { throw RigFault("an event whose key is not its subject") }
      seen[subject, default: []].append(seq)
    }
    return seen
  }

  /// All records of a topic, in the order of each partition.
  public func consume(_ topic: String) async throws -> [KafkaRecord] {
    let consumer = try KafkaConsumer(
      configuration: KafkaConfiguration(bootstrapServers: broker.bootstrapServers, logger: .silent), group: "reader")
    let partitions = (0..<Int32(Self.partitions)).map { TopicPartition(topic, $0) }
    var missing = 0
    for partition in partitions { missing += Int(try await consumer.watermarks(partition).high) }
    try await consumer.assign(partitions.map { PartitionStart($0, .beginning) })
    var records: [KafkaRecord] = []
    let deadline = ContinuousClock.now + .seconds(30)
    while records.count < missing && .now < deadline {
      if case .records(let more) = try await consumer.poll(
        maximumRecords: 1_000, maximumBytes: 1 << 20, linger: .milliseconds(10))
      {
        records += more
      }
    }
    await consumer.close()
    guard records.count == missing else { throw RigFault("\(records.count) of \(missing) records of \(topic)") }
    return records
  }
}

/// Brings a database up to date.
public func migrate(_ url: String) async throws {
  let db = PostgresConnection(url: url, applicationName: "migrate")
  _ = try await db.perform({ db throws(Migrations.Fault) in try Migrations.apply(on: db) }, mapping: { .postgres($0) })
  await db.close()
}

/// What a rig waited for and did not see.
public struct RigFault: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

extension Logger {
  /// For librdkafka's lines about faults that are made on purpose.
  public static let silent = Logger(label: "rig") { _ in SwiftLogNoOpLogHandler() }
}
