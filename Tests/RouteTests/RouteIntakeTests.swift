import Canonical
import Channels
import Engine
import Kafka
import Logging
import Postgres
import Rig
import Store
import Synchronization
import TestSupport
import Testing

@testable import Workers

/// What agents report and do, when the database does not take it or is away.
@Suite struct RouteIntakeTests {
  private static let quiet = Logger(label: "route") { _ in SwiftLogNoOpLogHandler() }

  private func writer(_ bench: Bench) -> RouteIntakeWriter {
    RouteIntakeWriter(
      db: PostgresConnection(url: bench.url, applicationName: "intake", settings: Queries.settings), topicPrefix: "",
      policy: { RoutingPolicy() }, marks: RouteMarks(), logger: Self.quiet)
  }

  private func report(_ bench: Bench, _ agent: String, _ offset: Int64) -> NormalisedRecord {
    bench.record(
      .presence(Presence(agent: agent, state: .online, capacity: 100, leaseSeconds: 600)), topic: "agent.presence", offset: offset
    )
  }

  /// Says on `agent.presence` that ana is online.
  private func reportAna(by producer: KafkaProducer) async throws {
    let headers = [
      ("ce_specversion", "1.0"), ("ce_id", "1"), ("ce_source", "/channels/desk/main"), ("ce_type", "agent.presence"),
      ("ce_tenantid", Bench.tenant), ("content-type", "application/json"),
    ]
    _ = try await producer.send([
      ProducerRecord(
        topic: "agent.presence", key: Array("ana".utf8), value: Array(#"{"agent_id":"ana","state":"online"}"#.utf8),
        headers: headers.map { KafkaHeader($0.0, Array($0.1.utf8)) })
    ])
  }

  /// Makes the database refuse rows.
  private func refuse(_ bench: Bench, _ table: String, when condition: String, _ sqlState: String) async throws {
    try await bench.sql(
      """
      CREATE OR REPLACE FUNCTION throughline.refuse_\(table)() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF \(condition) THEN RAISE EXCEPTION 'no' USING ERRCODE = '\(sqlState)'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON throughline.\(table) FOR EACH ROW EXECUTE FUNCTION throughline.refuse_\(table)()
      """)
  }

  @Test func `what the database does not take becomes a dead letter, also an action, and its neighbours are taken`() async throws
  {
    let bench = try await Bench()
    try await bench.presence("ana")
    let (good, bad) = (try await bench.conversation(), try await bench.conversation(waitingFor: 77))
    try await refuse(bench, "agent", when: "NEW.id = 'poison'", "22023")
    try await refuse(bench, "assignment", when: "NEW.conversation_id = '\(bad)'", "22023")
    func take(_ id: ID, _ offset: Int64) -> NormalisedRecord {
      bench.record(.action(Action(kind: .take, id: "x\(offset)", conversation: id, agent: "ana")), offset: offset)
    }
    let records = [report(bench, "bea", 1), report(bench, "poison", 2), take(bad, 3), take(good, 4), report(bench, "cleo", 5)]
    #expect(try await writer(bench).write(records))
    #expect(
      try await bench.sql(
        "SELECT topic, record_offset, reason, convert_from(value, 'UTF8') FROM throughline.dead_letter ORDER BY 2")
        == [["agent.presence", "2", "database_rejected", "{}"], ["agent.actions", "3", "database_rejected", "{}"]])
    #expect(try await bench.sql("SELECT id FROM throughline.agent ORDER BY 1") == [["ana"], ["bea"], ["cleo"]])
    #expect(try await bench.owner(good) == "agent ana")
    #expect(try await bench.owner(bad) == "queue")
    await bench.close()
  }

  @Test func `a record that loses every race becomes a dead letter`() async throws {
    let bench = try await Bench()
    try await refuse(bench, "agent", when: "NEW.id = 'racer'", "40001")
    #expect(try await writer(bench).write([report(bench, "racer", 1)]))
    #expect(try await bench.sql("SELECT reason, detail FROM throughline.dead_letter") == [["internal", "SQLSTATE 40001"]])
    await bench.close()
  }

  @Test func `a dead letter that is not taken either is left behind`() async throws {
    let bench = try await Bench()
    try await refuse(bench, "agent", when: "NEW.id LIKE 'poison%'", "22023")
    // Of the first the bytes alone are refused; the other one is, whatever is left out.
    try await refuse(bench, "dead_letter", when: "NEW.value IS NOT NULL OR NEW.record_offset = 2", "XX000")
    #expect(try await writer(bench).write([report(bench, "poison1", 1), report(bench, "poison2", 2), report(bench, "ana", 3)]))
    #expect(try await bench.sql("SELECT record_offset FROM throughline.dead_letter") == [["1"]])
    #expect(try await bench.sql("SELECT id FROM throughline.agent") == [["ana"]])
    await bench.close()
  }

  @Test func `a dead letter waits out what passes, and is written once`() async throws {
    let bench = try await Bench()
    let intake = writer(bench)
    try await refuse(bench, "agent", when: "NEW.id = 'poison'", "22023")
    // More often than a record that loses races is tried.
    try await bench.sql(
      """
      CREATE SEQUENCE throughline.refusal;
      CREATE FUNCTION throughline.refuse_letter() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF nextval('throughline.refusal') < 12 THEN RAISE EXCEPTION 'no' USING ERRCODE = '55P03'; END IF; RETURN NEW; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON throughline.dead_letter FOR EACH ROW EXECUTE FUNCTION throughline.refuse_letter()
      """)
    let poison = report(bench, "poison", 1)
    #expect(try await intake.write([poison]))
    // The report of its offset was lost: it is read again.
    #expect(try await intake.write([poison]))
    #expect(try await bench.sql("SELECT record_offset FROM throughline.dead_letter") == [["1"]])
    // A topic that was made anew has other records at its offsets.
    var other = poison.record
    other.value = Array(#"{"other":1}"#.utf8)
    #expect(try await intake.write([NormalisedRecord(record: other, tenant: poison.tenant, elements: poison.elements)]))
    #expect(try await bench.value("count(*) FROM throughline.dead_letter") == "2")
    await bench.close()
  }

  @Test(.timeLimit(.minutes(2))) func `a batch that does not unpack is stepped over, record by record, and told of`() async throws
  {
    let bench = try await Bench()
    let broker = try EmbeddedBroker(logger: Self.quiet)
    for topic in Formats.routeTopics + ["conversation.events", "routing.events"] {
      try await broker.createTopic(topic, partitions: 1)
    }
    let kafka = KafkaConfiguration(bootstrapServers: broker.bootstrapServers, logger: Self.quiet)
    for topic in Formats.routeTopics {
      #expect(try BrokenBatch.write(.gzip, records: 3, to: TopicPartition(topic, 0), of: broker.bootstrapServers) == 0)
    }
    let producer = try KafkaProducer(configuration: kafka)
    try await reportAna(by: producer)
    let worker = RouteWorker(
      settings: RouteWorker.Settings(topicPrefix: "", instance: "one"), kafka: kafka, databaseURL: bench.url, logger: Self.quiet)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await worker.run() }
      try await bench.waitPatiently("what follows is read", until: "count(*) = 1 FROM throughline.agent")
      try await bench.waitPatiently("all is told of", until: "count(*) = 6 FROM throughline.dead_letter")
      worker.stop()
      try await group.waitForAll()
    }
    let letters = try await bench.sql(
      "SELECT topic, record_offset, reason FROM throughline.dead_letter ORDER BY topic, record_offset")
    #expect(letters == Formats.routeTopics.sorted().flatMap { topic in (0..<3).map { [topic, "\($0)", "unreadable"] } })
    await producer.close()
    await broker.close()
    await bench.close()
  }

  @Test(.timeLimit(.minutes(2))) func `while the database is away the intake stays in its group, and rebalances are answered`()
    async throws
  {
    let bench = try await Bench()
    let broker = try EmbeddedBroker(logger: Self.quiet)
    for topic in Formats.routeTopics + ["conversation.events", "routing.events"] {
      try await broker.createTopic(topic, partitions: 2)
    }
    let kafka = KafkaConfiguration(bootstrapServers: broker.bootstrapServers, logger: Self.quiet)
    let producer = try KafkaProducer(configuration: kafka)
    let (assigned, isAssigned) = AsyncStream<Void>.makeStream()
    let (paused, isPaused) = AsyncStream<Void>.makeStream()
    var settings = RouteWorker.Settings(topicPrefix: "", instance: "one")
    settings.onAssigned = { isAssigned.yield() }
    let logger = Logger(label: "route") { _ in Listener { if $0.contains("partitions paused") { isPaused.yield() } } }
    let worker = RouteWorker(settings: settings, kafka: kafka, databaseURL: bench.url, logger: logger)
    let admin = PostgresConnection(url: try await TestServer.running().url, applicationName: "admin")
    let name = bench.url.split(separator: "/").last ?? ""
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await worker.run() }
      for await _ in assigned { break }
      try await admin.perform { db throws(PostgresFault) in
        try db.execute("ALTER DATABASE \(name) ALLOW_CONNECTIONS false")
        try db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
      }
      try await reportAna(by: producer)
      for await _ in paused { break }
      // Somebody who joins the group is given partitions only when the worker lets go of its own.
      let other = try KafkaConsumer(configuration: kafka, group: settings.consumerGroup)
      try await other.subscribe(topics: Formats.routeTopics)
      let deadline = ContinuousClock.now + .seconds(40)
      var isGiven = false
      while !isGiven, .now < deadline {
        if case .assigned(let partitions) = try await other.poll(maximumRecords: 1, maximumBytes: 1, linger: .zero) {
          isGiven = !partitions.isEmpty
          try await other.assign([])
        }
      }
      #expect(isGiven)
      await other.close()
      try await admin.perform { db throws(PostgresFault) in try db.execute("ALTER DATABASE \(name) ALLOW_CONNECTIONS true") }
      try await bench.waitPatiently("what was reported meanwhile is there", until: "count(*) = 1 FROM throughline.agent")
      worker.stop()
      try await group.waitForAll()
    }
    await producer.close()
    await admin.close()
    await broker.close()
    await bench.close()
  }
}

extension Bench {
  /// `wait`, with a connection that may have been lost.
  fileprivate func waitPatiently(_ what: Comment, until condition: String) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while (try? await value(condition)) != "t" {
      guard .now < deadline else {
        Issue.record("never: \(what)")
        throw Late()
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}

/// Hears every line.
private struct Listener: LogHandler {
  let hear: @Sendable (String) -> Void
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.debug
  init(_ hear: @escaping @Sendable (String) -> Void) { self.hear = hear }
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }
  func log(
    level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String, file: String, function: String,
    line: UInt
  ) {
    hear("\(message)")
  }
}
