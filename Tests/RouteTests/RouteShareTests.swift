import Canonical
import Engine
import Logging
import Postgres
import Store
import TestSupport
import Testing

@testable import Workers

/// Many tenants, many conversations, and some of them stuck: everybody has a turn.
@Suite struct RouteShareTests {
  /// Conversations of a tenant that nobody has placed.
  private func fill(_ bench: Bench, _ tenant: String, _ count: Int) async throws {
    try await bench.sql(
      """
      INSERT INTO throughline.tenant VALUES ('\(tenant)') ON CONFLICT DO NOTHING;
      INSERT INTO throughline.customer (tenant_id, id, verified, created_at)
      SELECT '\(tenant)', ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, true, now() FROM generate_series(1, \(count)) i;
      INSERT INTO throughline.conversation (tenant_id, id, customer_id, lane, status, version, event_seq, last_channel, last_account,
        opened_at, last_message_at, waiting_since)
      SELECT '\(tenant)', ('00000000-0000-7000-9000-' || lpad(i::text, 12, '0'))::uuid,
        ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, '', 'open', 1, 1, 'chat', 'shop', now(), now(), now()
      FROM generate_series(1, \(count)) i
      """)
  }

  private func unplaced(_ tenant: String) -> String {
    "(SELECT count(*) FROM throughline.conversation WHERE tenant_id = '\(tenant)' AND queued_at IS NULL)"
  }

  @Test func `a tenant with very much to do leaves turns to the others, and a router that is stopped leaves the rest`()
    async throws
  {
    let bench = try await Bench()
    try await fill(bench, "a", 8_000)
    try await fill(bench, "b", 1)
    try await bench.routing {
      try await bench.wait("b has had its turn", until: "0 = " + unplaced("b"))
      #expect(try await bench.value(unplaced("a")) != "0")
    }
    #expect(try await bench.value(unplaced("a")) != "0")
    #expect(try await bench.value("count(*) FROM throughline.router_lease WHERE owner IS NOT NULL") == "0")
    await bench.close()
  }

  @Test func `what takes longer to read than there is between two comparisons is read to its end`() async throws {
    let bench = try await Bench()
    try await fill(bench, "a", 4_000)
    try await bench.routing(bench.desk(turn: .milliseconds(10), reconcileEvery: .zero)) {
      try await bench.wait("all are placed", until: "0 = " + unplaced("a"))
    }
    await bench.close()
  }

  @Test func `a row that somebody keeps locked holds up nobody else, and is done when it is free`() async throws {
    let bench = try await Bench()
    try await fill(bench, "a", 2)
    let holder = PostgresConnection(url: bench.url, applicationName: "holder")
    let stuck = "tenant_id = 'a' AND id::text LIKE '%1'"
    let isHeld = """
      count(*) = 1 FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'holder' AND wait_event = 'PgSleep'
      """
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try? await holder.perform { db throws(PostgresFault) in
          try db.execute("BEGIN; SELECT FROM throughline.conversation WHERE \(stuck) FOR NO KEY UPDATE; SELECT pg_sleep(600)")
        }
      }
      try await bench.wait("it is locked", until: isHeld)
      try await bench.presence("ana")
      let id = try await bench.conversation()
      try await bench.routing {
        try await bench.wait("ana has hers", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(id)'")
        try await bench.wait(
          "its neighbour is placed",
          until: "count(*) = 1 FROM throughline.conversation WHERE tenant_id = 'a' AND queued_at IS NOT NULL")
        // Nobody had to wait for it.
        #expect(try await bench.value(isHeld) == "t")
        try await bench.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'")
        try await bench.wait("it is placed", until: "queued_at IS NOT NULL FROM throughline.conversation WHERE \(stuck)")
      }
      try await group.waitForAll()
    }
    try await bench.check()
    await bench.close()
  }

  @Test func `routers share the tenants, and one that is alone has them all`() async throws {
    let bench = try await Bench()
    for tenant in ["u", "v", "w"] { try await bench.sql("INSERT INTO throughline.tenant VALUES ('\(tenant)')") }
    @Sendable func holds(_ owner: String, _ count: Int) -> String {
      "count(*) = \(count) FROM throughline.router_lease WHERE owner = '\(owner)' AND expires_at > now()"
    }
    // One that died: it counts until its lease is over.
    try await bench.sql(
      """
      INSERT INTO throughline.router VALUES ('dead', now() + interval '1 s');
      INSERT INTO throughline.router_lease VALUES ('u', 'dead', now() + interval '1 s')
      """)
    let (one, other) = (RouteMarks(), RouteMarks())
    try await bench.routing(bench.desk("one", leaseSeconds: 1, marks: one), marks: one) {
      try await bench.wait("one has all", until: holds("one", 4))
      try await bench.routing(bench.desk("other", leaseSeconds: 1, marks: other), marks: other) {
        try await bench.wait("the other has half of them", until: holds("other", 2))
        try await bench.wait("one keeps the other half", until: holds("one", 2))
      }
      try await bench.wait("one has all again", until: holds("one", 4))
    }
    #expect(try await bench.value("count(*) FROM throughline.router WHERE owner <> 'dead'") == "0")
    await bench.close()
  }

  @Test func `a batch that fails is halved down to what fails, which waits aside and comes back alone`() {
    var batches = Batches<Int>(size: 4)
    batches.add(Array(1...6))
    let now = ContinuousClock.now
    var done: [Int] = []
    while let batch = batches.next(now) {
      if batch.items.contains(3) { batches.failed(batch, now) } else { done += batch.items }
    }
    #expect(done == [1, 2, 4, 5, 6])
    #expect(batches.isIdle)
    #expect(batches.items == [3])
    let later = now + .seconds(60)
    batches.add([7])
    #expect(batches.next(later)?.items == [7])
    let again = batches.next(later)
    #expect(again?.items == [3])
    #expect(again?.failureCount == 1)
    #expect(batches.next(later).map(\.items) == nil)
  }

  @Test func `figures are those of all tenants together, and a queue that is gone is nought`() {
    var gauges = RoutingGauges()
    let start = Timestamp(seconds: 1_800_000_000)
    gauges.set("a", waiting: ["general": (2, start), "old": (1, start)], states: ["online", "away"])
    gauges.set("b", waiting: ["general": (3, start.advanced(by: .seconds(-5)))], states: ["online"])
    var figures = gauges.figures(of: ["a", "b"])
    #expect(figures.waiting["general"]?.count == 5)
    #expect(figures.waiting["general"]?.since == start.advanced(by: .seconds(-5)))
    #expect(figures.waiting["old"]?.count == 1)
    #expect(figures.states.sorted() == ["away", "online", "online"])
    // Another policy, and a tenant that is another router's now.
    gauges.set("a", waiting: ["general": (1, start)], states: [])
    figures = gauges.figures(of: ["a"])
    #expect(figures.waiting.mapValues(\.count) == ["general": 1, "old": 0])
    #expect(figures.states == [])
    #expect(gauges.figures(of: ["a"]).waiting.mapValues(\.count) == ["general": 1])
  }
}
