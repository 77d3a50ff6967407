import Canonical
import Engine
import Foundation
import Kafka
import Postgres

/// The router: decisions a second with 100,000 waiting, and how soon a new conversation has its agent.
struct Routing {
  struct Result: Codable, Sendable {
    var decisions: [Decisions] = []
    var latencies: [AtAgents] = []
  }
  /// A router process from the first committed assignment to the last.
  struct Decisions: Codable, Sendable {
    var agents: Int
    var waiting: Int
    var perSecond: Double
    var workerCPUSeconds: Double
    var postgresCPUSeconds: Double
    var peakMemoryMiB: Double
    /// `RoutingEngine` alone, without a database.
    var engineMicrosecondsPerDecision: Double
  }
  struct AtAgents: Codable, Sendable {
    var agents: Int
    var properties: String
    var eventsPerSecond: Double
    var milliseconds: Latencies
    var workerCPUSeconds: Double
    var postgresCPUSeconds: Double
  }

  private static let waiting = 100_000
  private static let eventsPerSecond = 500.0
  /// The router's own, and what the embedded broker adds with as much as ingest has (see `Latency.waits`).
  private static let waits = ["", "fetch.wait.max.ms=20"]
  /// Of a chat, as the standard policy says.
  private static let units = 30
  let options: Options

  func run(_ database: Database) async throws -> Result {
    let template = try await database.template(messages: 0)
    var result = Result()
    for agents in options.agents {
      let decisions = try await decisions(agents, database, template)
      say("route, \(agents) agents: \(decisions.perSecond.rounded(0)) decisions/s")
      result.decisions.append(decisions)
      for properties in Self.waits { result.latencies.append(try await latency(agents, properties, database, template)) }
    }
    return result
  }

  /// Agents with room for all that comes.
  private func prepare(_ agents: Int, conversations: Int, _ database: Database, _ template: String, _ name: String) async throws {
    try await database.make(name, from: template)
    let capacity = (conversations / agents + 1) * Self.units * 5 / 4
    try await database.sql(
      """
      INSERT INTO throughline.tenant (id) VALUES ('default');
      INSERT INTO throughline.agent (tenant_id, id, name, state, capacity, names_channels, teams, profile, lease_expires_at, reported_at,
        idle_since)
      SELECT 'default', 'agent-' || i, 'Agent ' || i, 'online', \(capacity), false, '{}', '', now() + interval '1 day', now(),
        now() - i * interval '1 s'
      FROM generate_series(1, \(agents)) i;
      """, in: name)
  }

  private func start(_ database: Database, _ name: String, _ feed: Feed, _ properties: String = "") throws -> Competitor {
    try Competitor(
      [Paths.throughline, "route"],
      environment: [
        "THROUGHLINE_DATABASE_URL": database.url(name), "THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS": feed.broker.bootstrapServers,
        "THROUGHLINE_HTTP_LISTEN": "off", "THROUGHLINE_LOG_LEVEL": "info", "THROUGHLINE_KAFKA_PROPERTIES": properties,
      ], log: options.folder + "/logs/route.log")
  }

  private func decisions(_ agents: Int, _ database: Database, _ template: String) async throws -> Decisions {
    let name = "run"
    try await prepare(agents, conversations: Self.waiting, database, template, name)
    try await database.sql(
      """
      CREATE TEMP TABLE made AS SELECT i, (lpad(to_hex(1700000000000 + i), 12, '0') || '7' || substr(md5(i::text), 1, 3) || '8'
        || substr(md5(i::text), 4, 15))::uuid AS id FROM generate_series(1, \(Self.waiting)) i;
      INSERT INTO throughline.customer (tenant_id, id, verified, created_at) SELECT 'default', id, true, now() FROM made;
      INSERT INTO throughline.conversation (tenant_id, id, customer_id, lane, status, version, event_seq, last_channel, last_account,
        opened_at, last_message_at, waiting_since)
      SELECT 'default', id, id, '', 'open', 2, 2, 'chat', 'w_shop', now() - i * interval '10 ms', now() - i * interval '10 ms',
        now() - i * interval '10 ms' FROM made;
      """, in: name)
    try await database.sql("VACUUM ANALYZE", in: name)
    let feed = try await Feed(partitions: 4)
    let router = try start(database, name, feed)
    var begun: (cpu: Double, server: Double)?
    var done = 0
    let deadline = ContinuousClock.now + .seconds(180)
    let watcher = database.connection(to: name)
    while done < Self.waiting {
      try await Task.sleep(for: .milliseconds(200))
      // Cheaper than counting: the identity of an insert that has happened, up to a second old.
      done = try await watcher.number(
        "SELECT n_tup_ins FROM pg_stat_user_tables WHERE schemaname = 'throughline' AND relname = 'assignment'")
      if begun == nil, done > 0 { begun = (Machine.cpuSeconds(of: router.pid) ?? 0, Machine.cpuSeconds(ofServer: database.pid)) }
      guard router.isRunning, .now < deadline else {
        throw Failure("route with \(agents) agents stopped at \(done): \(router.tail)")
      }
    }
    let (cpu, server) = (Machine.cpuSeconds(of: router.pid) ?? 0, Machine.cpuSeconds(ofServer: database.pid))
    let peak = Machine.memory(of: router.pid, "VmHWM")
    await watcher.close()
    try await router.stop()
    await feed.close()
    let row = try await database.sql(
      """
      WITH a AS MATERIALIZED (SELECT pg_xact_commit_timestamp(xmin) AS at FROM throughline.assignment),
        e AS (SELECT min(at) AS first, max(at) AS last FROM a)
      SELECT extract(epoch FROM max(e.last) - max(e.first)), count(*) FILTER (WHERE a.at > e.first) FROM a, e
      """, in: name)[0].map { Double($0 ?? "") ?? 0 }
    try await database.drop(name)
    return Decisions(
      agents: agents, waiting: Self.waiting, perSecond: row[1] / row[0], workerCPUSeconds: cpu - (begun?.cpu ?? 0),
      postgresCPUSeconds: server - (begun?.server ?? 0), peakMemoryMiB: peak, engineMicrosecondsPerDecision: engine(agents))
  }

  /// The engine on the same facts, in batches of 100 as the router writes them.
  private func engine(_ agents: Int) -> Double {
    let now = Timestamp(seconds: 1_778_577_242)
    var ids = IDGenerator(milliseconds: 1_778_577_242_000, seed: options.seed)
    let capacity = Int32((Self.waiting / agents + 1) * Self.units * 5 / 4)
    var engine = RoutingEngine()
    var rows: [String: RoutingAgent] = [:]
    for number in 1...agents {
      let id = "agent-\(number)"
      rows[id] = RoutingAgent(id: id, version: 1, isOnline: true, capacity: capacity, load: 0, idleSince: now)
    }
    _ = engine.handle(rows.values.map { .agent($0) }, at: now)
    var count = 0
    let duration = ContinuousClock().measure {
      for _ in stride(from: 0, to: Self.waiting, by: 100) {
        let waiting = (0..<100).map { _ in
          RoutingEvent.waiting(WaitingConversation(id: ids.next(), version: 2, epoch: 0, channel: .chat, waitingSince: now))
        }
        var events: [RoutingEvent] = []
        for decision in engine.handle(waiting, at: now) {
          guard let agent = decision.agent, var row = rows[agent] else { continue }
          count += 1
          row.version += 1
          row.load += decision.units
          rows[agent] = row
          events += [.committed(decision.conversation), .agent(row)]
        }
        _ = engine.handle(events, at: now)
      }
    }
    return duration / .microseconds(1) / Double(max(1, count))
  }

  private func latency(_ agents: Int, _ properties: String, _ database: Database, _ template: String) async throws -> AtAgents {
    let name = "run"
    let total = Int(Self.eventsPerSecond) * options.seconds
    try await prepare(agents, conversations: total + 2_000, database, template, name)
    let feed = try await Feed(partitions: 4, linger: "0")
    let router = try start(database, name, feed, properties)
    let writer = PostgresConnection(url: database.url(name), applicationName: "bench")
    let reader = Reader(url: database.url(name), table: "throughline.assignment", column: "conversation_id")
    var ids = IDGenerator(milliseconds: UInt64(Reader.now() / 1_000), seed: options.seed)
    var produced: [String: Double] = [:]

    /// As ingest leaves a new conversation, and as its event tells of it; the ids.
    func open(_ count: Int) async throws -> [String] {
      let new = (0..<count).map { _ in ids.next().description }
      let values = new.map { "('\($0)'::uuid)" }.joined(separator: ",")
      try await writer.perform { db throws(PostgresFault) in
        try db.execute(
          """
          WITH new (id) AS (VALUES \(values)), customer AS (
            INSERT INTO throughline.customer (tenant_id, id, verified, created_at) SELECT 'default', id, true, now() FROM new
          )
          INSERT INTO throughline.conversation (tenant_id, id, customer_id, lane, status, version, event_seq, last_channel, last_account,
            opened_at, last_message_at, waiting_since)
          SELECT 'default', id, id, '', 'open', 2, 2, 'chat', 'w_shop', now(), now(), now() FROM new
          """)
      }
      let now = Reader.now()
      for id in new { produced[id] = now }
      _ = try await feed.producer.send(
        new.map { id in
          let event =
            #"{"specversion":"1.0","id":"\#(id)","type":"conversation.opened","subject":"\#(id)","tenantid":"default","data":{}}"#
          return ProducerRecord(topic: "conversation.events", key: Array(id.utf8), value: Array(event.utf8))
        })
      return new
    }

    let result = try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await reader.run() }
      // It hears events once three in a row are dealt with sooner than by looking at everything every two seconds.
      var prompt = 0
      while prompt < 3 {
        let id = try await open(1)[0]
        while reader.time(of: id) == nil {
          guard router.isRunning else { throw Failure(router.tail) }
          try await Task.sleep(for: .milliseconds(5))
        }
        prompt = (reader.time(of: id) ?? 0) - (produced[id] ?? 0) < 200_000 ? prompt + 1 : 0
      }
      try await atRate(Self.eventsPerSecond, total: 1_000) { _ = try await open($0.count) }
      produced = [:]
      let watched = try await reader.watch(router, database, Self.eventsPerSecond, total: total, produced: { produced }) {
        _ = try await open($0.count)
      }
      group.cancelAll()
      return AtAgents(
        agents: agents, properties: properties, eventsPerSecond: watched.perSecond, milliseconds: watched.milliseconds,
        workerCPUSeconds: watched.workerCPUSeconds, postgresCPUSeconds: watched.postgresCPUSeconds)
    }
    try await router.stop()
    await feed.close()
    await writer.close()
    try await database.drop(name)
    return result
  }

  func show(_ result: Result) {
    var table = Table(
      "route, decisions", "agents", "waiting", "a second", "worker CPU s", "PostgreSQL CPU s", "peak MiB", "engine alone µs")
    for line in result.decisions {
      table.add(
        "throughline route", "\(line.agents)", "\(line.waiting)", line.perSecond.rounded(0), line.workerCPUSeconds.rounded(1),
        line.postgresCPUSeconds.rounded(1), line.peakMemoryMiB.rounded(0), line.engineMicrosecondsPerDecision.rounded(1))
    }
    bench.show("\n" + table.text)
    table = Table(
      "route, event to committed assignment", "agents", "events/s", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "worker CPU s",
      "PostgreSQL CPU s")
    for line in result.latencies {
      let times = line.milliseconds
      table.add(
        "throughline route, \(line.properties.isEmpty ? "its own settings" : line.properties), \(options.seconds) s",
        "\(line.agents)",
        line.eventsPerSecond.rounded(0), times.p50.rounded(1),
        times.p99.rounded(1), times.p999.rounded(1), times.maximum.rounded(1), line.workerCPUSeconds.rounded(1),
        line.postgresCPUSeconds.rounded(1))
    }
    bench.show(table.text)
  }
}
