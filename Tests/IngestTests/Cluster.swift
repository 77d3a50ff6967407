import Channels
import Foundation
import Kafka
import Logging
import Postgres
import Store
import TestSupport
import Testing

/// A broker and a database of its own, and as many real worker processes as a test wants.
final class Cluster: Sendable {
  let broker: EmbeddedBroker
  let databaseURL: String
  let producer: KafkaProducer
  private let db: PostgresConnection
  static let partitions = 3
  static let topics = Formats.topics

  init(databaseURL: String? = nil) async throws {
    let logger = Logger(label: "cluster") { _ in SwiftLogNoOpLogHandler() }
    broker = try EmbeddedBroker(logger: logger)
    for topic in Self.topics + ["conversation.events"] + Self.topics.map({ "dlq." + $0 }) {
      try await broker.createTopic(topic, partitions: Self.partitions)
    }
    if let databaseURL { self.databaseURL = databaseURL } else { self.databaseURL = try await TestDatabase.make() }
    producer = try KafkaProducer(
      configuration: KafkaConfiguration(
        bootstrapServers: broker.bootstrapServers, properties: ["message.max.bytes": "4000000"], logger: logger))
    db = PostgresConnection(url: self.databaseURL, applicationName: "cluster")
  }

  /// Starts `throughline ingest` (or another kind); its log goes to a file of its own.
  func startWorker(_ kind: String = "ingest", _ extra: [String: String] = [:]) throws -> WorkerProcess {
    var environment = ProcessInfo.processInfo.environment
    environment["THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS"] = broker.bootstrapServers
    environment["THROUGHLINE_DATABASE_URL"] = databaseURL
    // Dead members leave the group soon, so that rounds are short; below 3 s nobody ever joins the embedded broker.
    environment["THROUGHLINE_KAFKA_PROPERTIES"] = "session.timeout.ms=4000"
    environment.merge(extra) { $1 }
    return try WorkerProcess([kind], environment)
  }

  func publish(_ items: some Collection<Traffic.Item>, spreading: Bool = false) async throws {
    let results = try await producer.send(
      items.map { item in
        ProducerRecord(
          topic: item.topic, partition: spreading ? Int32.random(in: 0..<Int32(Self.partitions)) : Self.partition(of: item.key),
          key: Array(item.key.utf8), value: item.value, headers: item.headers.map { KafkaHeader($0.name, $0.value) })
      })
    for result in results { _ = try result.get() }
  }

  static func partition(of key: String) -> Int32 {
    Int32(key.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 } % UInt32(partitions))
  }

  func rows(_ sql: String) async throws -> [[String?]] {
    try await db.perform { db throws(PostgresFault) in try db.textRows(sql) }
  }

  func number(_ sql: String) async throws -> Int { Int(try await rows(sql).first?.first.flatMap { $0 } ?? "") ?? 0 }

  /// Waits until the query gives at least `expected`; what it gave last.
  @discardableResult
  func wait(_ sql: String, for expected: Int, seconds: Double = 60) async throws -> Int {
    let deadline = ContinuousClock.now + .seconds(seconds)
    var value = 0
    while .now < deadline {
      // The database may be down in the very test that waits.
      value = (try? await number(sql)) ?? value
      if value >= expected { return value }
      try await Task.sleep(for: .milliseconds(50))
    }
    Issue.record("still \(value) of \(expected) after \(seconds) s: \(sql)")
    return value
  }

  /// Waits until every record is accounted for: each partition's stored offset is its end.
  func drain(seconds: Double = 90) async throws {
    try await wait("SELECT coalesce(sum(next_offset), 0) FROM throughline.ingest_offset", for: try await ends(), seconds: seconds)
  }

  private func ends() async throws -> Int {
    let probe = try KafkaConsumer(
      configuration: KafkaConfiguration(
        bootstrapServers: broker.bootstrapServers, logger: Logger(label: "probe") { _ in SwiftLogNoOpLogHandler() }),
      group: "probe")
    var total = 0
    for topic in Self.topics {
      for partition in 0..<Int32(Self.partitions) {
        total += Int(try await probe.watermarks(TopicPartition(topic, partition)).high)
      }
    }
    await probe.close()
    return total
  }

  /// What must hold whatever happened; returns the sentences that do not.
  func violations() async throws -> [String] {
    let checks = [
      "a lane with two live conversations": """
      SELECT count(*) FROM (SELECT 1 FROM throughline.conversation WHERE status IN ('open', 'pending', 'snoozed')
      GROUP BY tenant_id, customer_id, lane HAVING count(*) > 1) x
      """,
      "a message stored twice": """
      SELECT count(*) FROM (SELECT 1 FROM throughline.message WHERE external_id IS NOT NULL
      GROUP BY tenant_id, channel, account, external_id HAVING count(*) > 1) x
      """,
      "a message of another customer than its conversation": """
      SELECT count(*) FROM throughline.message m JOIN throughline.conversation v ON v.tenant_id = m.tenant_id AND v.id = m.conversation_id
      WHERE v.customer_id <> m.customer_id
      """,
      "a conversation whose version does not count its messages": """
      SELECT count(*) FROM throughline.conversation v WHERE v.version <> 1 + (SELECT count(*) FROM throughline.message m
      WHERE m.tenant_id = v.tenant_id AND m.conversation_id = v.id)
      AND NOT EXISTS (SELECT FROM throughline.conversation o WHERE v.id IN (o.merged_into) OR v.merged_into = o.id)
      """,
      "something left with a customer who has become part of another": """
      SELECT count(*) FROM throughline.customer c WHERE c.merged_into IS NOT NULL AND (
      EXISTS (SELECT FROM throughline.customer r WHERE r.id = c.merged_into AND r.merged_into IS NOT NULL)
      OR EXISTS (SELECT FROM throughline.identity i WHERE i.customer_id = c.id)
      OR EXISTS (SELECT FROM throughline.conversation v WHERE v.customer_id = c.id)
      OR NOT EXISTS (SELECT FROM throughline.merge_event e WHERE e.loser_id = c.id))
      """,
      "something left in a conversation that has become part of another": """
      SELECT count(*) FROM throughline.conversation v WHERE v.merged_into IS NOT NULL AND (
      EXISTS (SELECT FROM throughline.conversation r WHERE r.id = v.merged_into AND r.merged_into IS NOT NULL)
      OR EXISTS (SELECT FROM throughline.message m WHERE m.conversation_id = v.id))
      """,
    ]
    var found: [String] = []
    for (sentence, sql) in checks where try await number(sql) != 0 { found.append(sentence) }
    return found
  }

  func close() async {
    await producer.close()
    await db.close()
    await broker.close()
  }
}

/// A real worker, under test.
final class WorkerProcess: @unchecked Sendable {
  let process = Process()
  private let logFile = FileManager.default.temporaryDirectory.appendingPathComponent("throughline-test-\(UUID().uuidString).log")

  init(_ arguments: [String], _ environment: [String: String], folder: URL? = nil) throws {
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent(
      "throughline")
    process.arguments = arguments
    process.environment = environment
    process.currentDirectoryURL = folder
    _ = FileManager.default.createFile(atPath: logFile.path, contents: nil)
    let log = try FileHandle(forWritingTo: logFile)
    process.standardOutput = log
    process.standardError = log
    try process.run()
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    try? FileManager.default.removeItem(at: logFile)
  }

  var log: String { (try? String(contentsOf: logFile, encoding: .utf8)) ?? "" }

  func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  /// Ends it as a power cut would.
  func crash() {
    signal(SIGKILL)
    process.waitUntilExit()
  }

  /// Asks it to stop; its exit code.
  func stop() -> Int32 {
    signal(SIGTERM)
    process.waitUntilExit()
    return process.terminationStatus
  }

  /// Waits until the log has the words.
  func waitForLog(_ words: String, seconds: Double = 30) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while .now < deadline {
      if log.contains(words) { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    Issue.record("no '\(words)' in the log after \(seconds) s: \(log.suffix(1_500))")
  }
}

extension Cluster {
  /// Reads `conversation.events` from beginning to end: the seqs of each subject in the order of the log.
  func consumeEvents() async throws -> [String: [Int]] {
    var seen: [String: [Int]] = [:]
    for record in try await consume("conversation.events") {
      let event = try JSONSerialization.jsonObject(with: Data(record.value ?? [])) as? [String: Any]
      let data = event?["data"] as? [String: Any]
      guard let subject = event?["subject"] as? String, let seq = data?["seq"] as? Int else {
        Issue.record("an event without subject or seq")
        continue
      }
      #expect(record.key == Array(subject.utf8))
      seen[subject, default: []].append(seq)
    }
    return seen
  }

  /// All records of a topic, in the order of each partition.
  func consume(_ topic: String) async throws -> [KafkaRecord] {
    let consumer = try KafkaConsumer(
      configuration: KafkaConfiguration(
        bootstrapServers: broker.bootstrapServers, logger: Logger(label: "reader") { _ in SwiftLogNoOpLogHandler() }),
      group: "reader")
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
    #expect(records.count == missing)
    return records
  }
}

/// Brings a database up to date.
func migrate(_ url: String) async throws {
  let db = PostgresConnection(url: url, applicationName: "migrate")
  _ = try await db.perform({ db throws(Migrations.Fault) in try Migrations.apply(on: db) }, mapping: { .postgres($0) })
  await db.close()
}
