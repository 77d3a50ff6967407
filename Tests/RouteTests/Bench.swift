import Canonical
import Channels
import Engine
import Logging
import Postgres
import Store
import Synchronization
import TestSupport
import Testing

@testable import Workers

/// A database with one tenant, the hands of agents and customers, and desks that decide: all of the router but Kafka.
final class Bench: Sendable {
  static let tenant = "t"
  let url: String
  private let current: Mutex<RoutingPolicy>
  let marks = RouteMarks()
  let db: PostgresConnection
  private let ids: Mutex<IDGenerator>

  init(policy: RoutingPolicy = RoutingPolicy()) async throws {
    url = try await TestDatabase.make()
    current = Mutex(policy)
    db = PostgresConnection(url: url, applicationName: "bench", settings: Queries.settings)
    ids = Mutex(
      IDGenerator(
        milliseconds: UInt64(WallClock.now().microseconds / 1_000), seed: UInt64.random(in: 0 ... .max)))
    try await sql("INSERT INTO throughline.tenant VALUES ('\(Self.tenant)')")
  }

  var policy: RoutingPolicy { current.withLock { $0 } }
  func adopt(_ policy: RoutingPolicy) { current.withLock { $0 = policy } }

  func close() async { await db.close() }

  func newID() -> ID { ids.withLock { $0.next() } }

  @discardableResult
  func sql(_ text: String) async throws -> [[String?]] {
    try await db.perform { db throws(PostgresFault) in try db.textRows(text) }
  }

  func value(_ text: String) async throws -> String? { try await sql("SELECT " + text).first?.first ?? nil }

  /// Waits until the condition holds; one that never comes fails the test.
  func wait(
    _ what: Comment, until condition: String, within limit: Duration = .seconds(30),
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let deadline = ContinuousClock.now + limit
    while try await value(condition) != "t" {
      guard ContinuousClock.now < deadline else {
        Issue.record("never: \(what)", sourceLocation: sourceLocation)
        throw Late()
      }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  struct Late: Error {}

  // MARK: - Customers

  /// As ingest leaves a new conversation.
  @discardableResult
  func conversation(
    channel: String = "chat", account: String = "shop", waitingFor seconds: Int = 0, priority: Int = 0, customer: ID? = nil,
    language: String? = nil
  ) async throws -> ID {
    let (id, person) = (newID(), customer ?? newID())
    let language = language.map { "'\($0)'" } ?? "NULL"
    try await sql(
      """
      INSERT INTO throughline.customer (tenant_id, id, verified, created_at) VALUES ('t', '\(person)', true, now())
      ON CONFLICT DO NOTHING;
      INSERT INTO throughline.conversation (tenant_id, id, customer_id, lane, status, version, event_seq, last_channel, last_account,
        priority, language, opened_at, last_message_at, waiting_since)
      SELECT 't', '\(id)', '\(person)', '\(id)', 'open', 1, 1, '\(channel)', '\(account)', \(priority), \(language),
        now() - interval '\(seconds) s', now(), now() - interval '\(seconds) s'
      """)
    marks.mark(Self.tenant, conversation: id)
    marks.ring()
    return id
  }

  /// As ingest changes one: under its lock, with a version of its own.
  func change(_ id: ID, _ assignments: String) async throws {
    try await sql("UPDATE throughline.conversation SET version = version + 1, \(assignments) WHERE id = '\(id)'")
    marks.mark(Self.tenant, conversation: id)
    marks.ring()
  }

  func owner(_ id: ID) async throws -> String? {
    try await value("concat_ws(' ', owner_kind, owner_id) FROM throughline.conversation WHERE id = '\(id)'")
  }

  // MARK: - Agents

  @discardableResult
  func presence(
    _ agent: String, _ state: Presence.State = .online, capacity: Int32 = 100, channels: [Channel: Int32] = [:],
    skills: [String: Int16] = [:], teams: [String] = [], leaseSeconds: Int32 = 600, at: Timestamp? = nil,
    recordedAt: Timestamp? = nil
  ) async throws -> RouteIntake.Commit {
    try await take(
      .presence(
        Presence(
          agent: agent, state: state, capacity: capacity, channels: channels, skills: skills, teams: teams,
          leaseSeconds: leaseSeconds)), at: at ?? WallClock.now(), recordedAt: recordedAt, key: newID())
  }

  /// Nil when it was applied; otherwise why not.
  @discardableResult
  func act(
    _ kind: Action.Kind, _ conversation: ID, by agent: String, epoch: Int64? = nil, toAgent: String? = nil,
    toQueue: String? = nil,
    key: ID? = nil
  ) async throws -> String? {
    let key = key ?? newID()
    var action = Action(kind: kind, id: key.description, conversation: conversation, agent: agent)
    action.ownershipEpoch = epoch
    action.toAgent = toAgent
    action.toQueue = toQueue
    return try await take(.action(action), at: WallClock.now(), key: key).actions.first?.refusal
  }

  func record(
    _ body: Event.Body, topic: String = "agent.actions", offset: Int64 = 0, at: Timestamp = WallClock.now(),
    recordedAt: Timestamp? = nil, key: ID? = nil
  ) -> NormalisedRecord {
    let event = Event(
      tenant: Self.tenant, channel: .desk, account: "desk", key: MessageKey((key ?? newID()).raw), sentAt: nil, receivedAt: at,
      body: body)
    let record = Record(
      topic: topic, partition: 0, offset: offset, timestamp: recordedAt, key: nil, headers: [], value: Array("{}".utf8))
    return NormalisedRecord(record: record, tenant: Self.tenant, elements: [.event(event)])
  }

  private func take(
    _ body: Event.Body, at: Timestamp, recordedAt: Timestamp? = nil, key: ID
  ) async throws -> RouteIntake.Commit {
    let records = [record(body, at: at, recordedAt: recordedAt, key: key)]
    let intake = RouteIntake(policy: policy, topicPrefix: "")
    var attempt = 0
    while true {
      do throws(PostgresFault) {
        let commit = try await db.perform { db throws(PostgresFault) in
          try intake.commit(records, seed: UInt64.random(in: 0 ... .max), on: db)
        }
        for key in commit.conversations { marks.mark(key.tenant, conversation: key.value) }
        for key in commit.agents { marks.mark(key.tenant, agent: key.value) }
        marks.ring()
        return commit
      } catch {
        attempt += 1
        guard error.disposition == .replan, attempt < 20 else { throw error }
      }
    }
  }

  // MARK: - Desks

  func desk(
    _ instance: String = "a", leaseSeconds: Double = 6, presenceGrace: Duration = .zero, turn: Duration = .milliseconds(500),
    reconcileEvery: Duration = .milliseconds(200), batchDecisions: Int = 200, marks: RouteMarks? = nil
  ) -> RouteDesk {
    var settings = RouteDesk.Settings(instance: instance, topicPrefix: "", policy: { self.policy })
    settings.leaseSeconds = leaseSeconds
    settings.turn = turn
    settings.reconcileEvery = reconcileEvery
    settings.batchDecisions = batchDecisions
    settings.tidyEvery = .milliseconds(50)
    settings.presenceGrace = presenceGrace
    func connection() -> PostgresConnection {
      PostgresConnection(url: url, applicationName: instance, settings: Queries.settings)
    }
    return RouteDesk(
      settings: settings, db: connection(), second: connection(), marks: marks ?? self.marks,
      logger: Logger(label: instance) { _ in SwiftLogNoOpLogHandler() })
  }

  /// Runs the desk while `body` does.
  func routing<R: Sendable>(
    _ desk: RouteDesk? = nil, marks: RouteMarks? = nil, _ body: @Sendable @escaping () async throws -> R
  ) async throws -> R {
    let (desk, marks) = (desk ?? self.desk(), marks ?? self.marks)
    return try await withThrowingTaskGroup(of: R?.self) { group in
      group.addTask {
        try? await desk.run()
        return nil
      }
      group.addTask {
        while !Task.isCancelled {
          marks.ring()
          try? await Task.sleep(for: .milliseconds(20))
        }
        return nil
      }
      group.addTask { try await body() }
      defer { group.cancelAll() }
      while let result = try await group.next() {
        if let result { return result }
      }
      throw Late()
    }
  }

  func idlePairs() async throws -> [String] {
    try await db.perform { [policy] db throws(PostgresFault) in
      try RouteReads.idlePairs(tenant: Self.tenant, policy: policy, on: db).map { "\($0.conversation) and \($0.agent)" }
    }
  }

  func check(sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let violations = try await violations()
    #expect(violations == [], sourceLocation: sourceLocation)
  }

  /// What must hold whatever happened; returns the sentences that do not.
  func violations() async throws -> [String] {
    let checks = [
      "an agent over capacity": "throughline.agent WHERE load > capacity + overcommit",
      "a load that is not the sum of what the agent has": """
      throughline.agent g WHERE g.load <> (SELECT coalesce(sum(units), 0) FROM throughline.assignment a
      WHERE a.agent_id = g.id AND a.state <> 'ended')
      """,
      "a channel's load that does not count what the agent has": """
      throughline.agent_channel c WHERE c.load <> (SELECT count(*) FROM throughline.assignment a
      WHERE a.agent_id = c.agent_id AND a.channel = c.channel AND a.state <> 'ended')
      """,
      "an overcommit that is not needed": "throughline.agent WHERE overcommit <> greatest(0, load - capacity)",
      "an agent's conversation without assignment": """
      throughline.conversation v WHERE owner_kind = 'agent' AND NOT EXISTS (SELECT FROM throughline.assignment a
      WHERE a.conversation_id = v.id AND a.state <> 'ended' AND a.agent_id = v.owner_id AND a.epoch = v.ownership_epoch)
      """,
      "an assignment of a conversation that is somebody else's": """
      throughline.assignment a JOIN throughline.conversation v ON v.id = a.conversation_id
      WHERE a.state <> 'ended' AND (v.owner_kind <> 'agent' OR v.owner_id <> a.agent_id)
      """,
      "segments with a gap": """
      throughline.conversation_segment s JOIN throughline.conversation_segment n
      ON n.conversation_id = s.conversation_id AND n.position = s.position + 1 WHERE s.ended_at IS DISTINCT FROM n.started_at
      AND s.end_reason NOT IN ('resolved', 'closed', 'snoozed', 'merged')
      """,
      "a segment too many or too few": """
      (SELECT v.ownership_epoch AS epoch, max(s.position) AS last, count(*) AS count, count(*) FILTER (WHERE s.ended_at IS NULL) AS open
      FROM throughline.conversation v JOIN throughline.conversation_segment s ON s.conversation_id = v.id
      GROUP BY v.id, v.ownership_epoch) x WHERE count <> last + 1 OR last NOT IN (epoch, epoch - 1) OR open <> (last = epoch)::int
      """,
      "events that are not numbered one by one": """
      throughline.conversation v WHERE routing_seq <> (SELECT count(DISTINCT convert_from(o.value, 'UTF8')::jsonb -> 'data' -> 'seq') FROM throughline.outbox_event o
      WHERE o.topic = 'routing.events' AND o.subject = v.id::text)
      """,
    ]
    var found: [String] = []
    for (sentence, sql) in checks.sorted(by: { $0.key < $1.key }) where try await value("count(*) FROM " + sql) != "0" {
      found.append(sentence)
    }
    return found
  }
}
