import Foundation
import Kafka
import Synchronization
import TestSupport

/// Reads all topics from beginning to end while they are written, and says at last what is wrong with what the database holds.
public final class Audit: Sendable {
  /// Says which messages a record holds, by the provider's ids.
  static let idsHeader = "rig_ids"
  /// Says for which reason a record holds a dead letter.
  static let poisonHeader = "rig_poison"

  static func ids(_ ids: [String]) -> [KafkaHeader] {
    ids.isEmpty ? [] : [KafkaHeader(idsHeader, Array(ids.joined(separator: ",").utf8))]
  }

  /// What was counted.
  public struct Figures: Sendable, Codable {
    public var producedRecords = 0
    public var producedMessages = 0
    public var stored = 0
    public var duplicates = 0
    public var deadLettered = 0
    public var doubled = 0
    public var lost = 0
    public var outOfOrder = 0
    public var events = 0
    public var eventsRepeated = 0
    /// What agents did, and what of it was refused.
    public var actions = 0
    public var refused = 0
  }

  private struct Subject: Hashable {
    var topic: String
    var name: String
  }

  private struct State {
    var figures = Figures()
    /// How often each message is in the topics.
    var delivered: [String: Int] = [:]
    /// `topic partition offset reason` of each record that must be a dead letter, and of each letter that was published.
    var poison: Set<String> = []
    var letters: Set<String> = []
    var lastSeqs: [Subject: Int] = [:]
    /// The id of each event.
    var eventIDs: [Subject: [Int: String]] = [:]
    /// Where events came that others had to precede.
    var gaps: [String] = []
    var deeds = DeedLedger()
    var problems: [String] = []
  }

  private let state = Mutex(State())
  private let consumer: KafkaConsumer
  private let cluster: Cluster

  init(_ cluster: Cluster) async throws {
    self.cluster = cluster
    consumer = try KafkaConsumer(
      configuration: KafkaConfiguration(bootstrapServers: cluster.broker.bootstrapServers, logger: .silent), group: "audit")
    let topics =
      Cluster.topics + Cluster.topics.map { "dlq." + $0 }
      + ["agent.presence", "conversation.events", "routing.events", "outbound.chat"]
    let partitions = topics.flatMap { topic in (0..<Int32(Cluster.partitions)).map { TopicPartition(topic, $0) } }
    try await consumer.assign(partitions.filter { $0 != Plant.idlePartition }.map { PartitionStart($0, .beginning) })
  }

  /// Reads until cancelled; brokers come and go.
  func run() async {
    while !Task.isCancelled {
      switch try? await consumer.poll(maximumRecords: 1_000, maximumBytes: 4 << 20, linger: .milliseconds(5)) {
      case .records(let records): state.withLock { state in for record in records { Self.read(record, &state) } }
      case .outOfRange(let partition):
        state.withLock { $0.problems.append("the audit came too late for \(partition.topic): nothing it says holds") }
        return
      default: await Task.yield()
      }
    }
  }

  func close() async { await consumer.close() }

  private static func read(_ record: KafkaRecord, _ state: inout State) {
    func header(_ name: String) -> String? {
      record.headers.first { $0.name == name }?.value.map { String(decoding: $0, as: UTF8.self) }
    }
    if record.topic.hasPrefix("dlq.") {
      let place = ["topic", "partition", "offset", "reason"].map { header("throughline_" + $0) ?? "" }
      state.letters.insert(place.joined(separator: " "))
    } else if record.topic.hasSuffix(".events") || record.topic == "outbound.chat" {
      readEvent(record, &state)
    } else {
      state.figures.producedRecords += 1
      for id in header(idsHeader)?.split(separator: ",") ?? [] { state.delivered[String(id), default: 0] += 1 }
      if let reason = header(poisonHeader) {
        state.poison.insert("\(record.topic) \(record.partition) \(record.offset) \(reason)")
      }
      if record.topic == "agent.actions", let kind = header("ce_type"), let id = header("ce_id") {
        state.deeds.done(kind.replacing("agent.", with: ""), id, record.value ?? [])
      }
    }
  }

  private static func readEvent(_ record: KafkaRecord, _ state: inout State) {
    let event = try? JSONSerialization.jsonObject(with: Data(record.value ?? [])) as? [String: Any]
    guard let name = event?["subject"] as? String, let id = event?["id"] as? String, let type = event?["type"] as? String,
      let data = event?["data"] as? [String: Any], let seq = data["seq"] as? Int,
      record.key.map({ $0.elementsEqual(name.utf8) }) == true
    else {
      state.problems.append("an event without subject, id, type, seq or key on \(record.topic)")
      return
    }
    let subject = Subject(topic: record.topic, name: name)
    let last = state.lastSeqs[subject] ?? 0
    state.figures.events += 1
    // At least once: whoever knows the last seq drops what comes again.
    if seq <= last { state.figures.eventsRepeated += 1 }
    if seq > last + 1 {
      state.gaps.append("\(record.topic) \(record.partition) \(record.offset): \(seq) after \(last) of \(name)")
    }
    switch state.eventIDs[subject]?[seq] {
    case nil:
      state.eventIDs[subject, default: [:]][seq] = id
      state.deeds.heard(type, data)
    case id: break
    default: state.problems.append("two events with seq \(seq) of a subject on \(record.topic)")
    }
    state.lastSeqs[subject] = max(last, seq)
  }

  // MARK: - At the end

  /// Waits until everything that must be published has been seen here.
  func waitForEvents(seconds: Double) async throws {
    var missing: [String] = []
    for _ in 0..<Int(seconds * 5) {
      let expected = try await expectedSeqs()
      let letters = try await storedLetters()
      missing = state.withLock { state in
        expected.filter { state.lastSeqs[$0.key] ?? 0 < $0.value }.keys.map { "\($0.topic) of \($0.name)" }
          + letters.filter { !state.letters.contains($0) }.map { "dead letter \($0)" }
      }
      if missing.isEmpty { return }
      try await Task.sleep(for: .milliseconds(200))
    }
    let sentence = "\(missing.count) subjects or letters were not published to their end, such as \(missing.prefix(3))"
    state.withLock { $0.problems.append(sentence) }
  }

  /// Waits until everything that agents did has come to its end, as far as events tell.
  func waitForActions(seconds: Double) async {
    for _ in 0..<Int(seconds * 5) {
      if state.withLock({ $0.deeds.problems.isEmpty }) { return }
      try? await Task.sleep(for: .milliseconds(200))
    }
  }

  private func expectedSeqs() async throws -> [Subject: Int] {
    let rows = try await cluster.rows(
      """
      SELECT 'conversation.events', id::text, event_seq FROM throughline.conversation WHERE event_seq > 0
      UNION ALL SELECT 'conversation.events', id::text, event_seq FROM throughline.customer WHERE event_seq > 0
      UNION ALL SELECT 'routing.events', id::text, routing_seq FROM throughline.conversation WHERE routing_seq > 0
      UNION ALL SELECT 'routing.events', id, routing_seq FROM throughline.agent WHERE routing_seq > 0
      UNION ALL SELECT 'outbound.' || channel, conversation_id::text, seq FROM throughline.outbound_seq
      """)
    return Dictionary(rows.map { (Subject(topic: $0[0] ?? "", name: $0[1] ?? ""), Int($0[2] ?? "") ?? 0) }) { $1 }
  }

  private func storedLetters() async throws -> [String] {
    try await cluster.rows("SELECT concat_ws(' ', topic, partition, record_offset, reason) FROM throughline.dead_letter").map {
      $0[0] ?? ""
    }
  }

  /// What is wrong with what is stored, and the figures. Everything has to be at rest.
  ///
  /// - Parameters:
  ///   - truth: the sender of each message of `Traffic`.
  ///   - alarms: letters that no record in the topics asks for.
  func judge(truth: [String: String], alarms: Set<String>) async throws -> (problems: [String], figures: Figures) {
    let (seen, delivered) = state.withLock { ($0, $0.delivered) }
    var (problems, figures) = (seen.problems, seen.figures)
    let poison = seen.poison.union(alarms)
    func expect(_ sentence: String, _ culprits: some Collection<String>) {
      if !culprits.isEmpty { problems.append("\(culprits.count) \(sentence), such as \(culprits.sorted().prefix(3))") }
    }
    // One outcome for everything that was produced.
    var stored: [String: Int] = [:]
    let messages = "SELECT external_id, count(*) FROM throughline.message WHERE external_id IS NOT NULL GROUP BY 1"
    for row in try await cluster.rows(messages) {
      stored[row[0] ?? "", default: 0] += Int(row[1] ?? "") ?? 0
    }
    let lost = delivered.keys.filter { stored[$0] == nil }
    expect("messages lost", lost)
    expect("messages stored more than once", stored.filter { $0.value > 1 }.keys)
    expect("messages that nobody produced", stored.keys.filter { delivered[$0] == nil })
    let letters = try await storedLetters()
    let missing = poison.subtracting(letters)
    expect("dead letters missing", missing)
    expect("dead letters too many", letters.filter { !poison.contains($0) })
    let doubledLetters = letters.count - Set(letters).count
    if doubledLetters > 0 { problems.append("\(doubledLetters) dead letters stored more than once") }
    figures.producedMessages = delivered.count
    figures.stored = stored.values.reduce(0, +)
    figures.duplicates = delivered.values.reduce(0) { $0 + $1 - 1 }
    figures.deadLettered = letters.count
    figures.doubled = stored.values.reduce(0) { $0 + $1 - 1 } + doubledLetters
    figures.lost = lost.count + missing.count

    // What agents did: once, or refused once; what they answered is a message once.
    var answers: [String: Int] = [:]
    let nameless = "SELECT text, count(*) FROM throughline.message WHERE external_id IS NULL GROUP BY 1"
    for row in try await cluster.rows(nameless) {
      answers[row[0] ?? "", default: 0] += Int(row[1] ?? "") ?? 0
    }
    let unsaid = seen.deeds.sent.filter { answers[$0] == nil }
    expect("answers lost", unsaid)
    expect("answers stored more than once", answers.filter { $0.value > 1 }.keys)
    expect("answers stored that were not sent", answers.keys.filter { !seen.deeds.sent.contains($0) })
    problems += seen.deeds.problems
    figures.doubled += answers.values.reduce(0) { $0 + $1 - 1 }
    figures.lost += unsaid.count
    (figures.actions, figures.refused) = (seen.deeds.count, seen.deeds.refusedCount)

    // Who is who, and what belongs together (P2).
    let groups = Set(Dictionary(grouping: truth.keys) { truth[$0] ?? "" }.values.map { Set($0) })
    for column in ["customer_id", "conversation_id"] {
      let found = Set(
        try await DeskState.partition(cluster.databaseURL, by: column).map { $0.filter { truth[$0] != nil } }.filter {
          !$0.isEmpty
        })
      expect(
        "groups of messages by \(column) that are not the truth's", found.subtracting(groups).map { "\($0.sorted().prefix(6))" })
    }
    expect("events out of order", seen.gaps)
    figures.outOfOrder = seen.gaps.count
    problems += try await cluster.violations(isRouted: true) + cluster.routingViolations()
    return (problems, figures)
  }
}

/// What the workers wrote: every line is one JSON object, and none of them tells of a customer.
public enum LogAudit {
  /// Words, addresses and numbers of `Traffic`, the desk and `Poison`.
  private static let secrets = [
    "@mail.example", "Where is my", "Llegó", "parcel number", "left shoe", "in blue", "money back", "My number is",
    "anybody there",
    "secret", "Person ", "Is it here", "new address", Feeder.answer,
  ]

  public static func problems(_ log: String, of name: String) -> [String] {
    let lines = log.split(separator: "\n")
    let unreadable = lines.first { !((try? JSONSerialization.jsonObject(with: Data($0.utf8))) is [String: Any]) }
    let told = secrets.filter { log.contains($0) } + (log.firstMatch(of: #/\b346\d{8}\b/#) == nil ? [] : ["a phone number"])
    return (unreadable.map { ["\(name) wrote a line that is no JSON object: \($0.prefix(200))"] } ?? [])
      + told.map { "\(name) logs what a customer said or is: \($0)" }
  }
}
