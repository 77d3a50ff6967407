import Canonical
import Engine
import Postgres
import Store
import TestSupport
import Testing

@testable import Workers

/// What agents report, whatever their clocks say, and what follows from it.
@Suite struct PresenceTests {
  @Test func `who reports again after the lease has run out is read again by every router`() async throws {
    let bench = try await Bench()
    try await bench.presence("ana")
    let id = try await bench.conversation()
    try await bench.sql("UPDATE throughline.agent SET lease_expires_at = now() - interval '1 s'")
    // A router that does not hear of the report, and does not judge.
    let marks = RouteMarks()
    try await bench.routing(bench.desk(presenceGrace: .seconds(600), marks: marks), marks: marks) {
      try await bench.wait("it waits", until: "queued_at IS NOT NULL FROM throughline.conversation")
      try await bench.presence("ana")
      #expect(try await bench.value("version FROM throughline.agent") == "2")
      try await bench.wait("ana has it", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(id)'")
    }
    let told = try await bench.sql(
      """
      SELECT e -> 'data' ->> 'previous', e -> 'data' ->> 'state' FROM throughline.outbox_event o
      CROSS JOIN LATERAL (SELECT convert_from(o.value, 'UTF8')::jsonb AS e) e WHERE e ->> 'type' = 'agent.state_changed' ORDER BY o.id, o.position
      """)
    #expect(told == [[nil, "online"], ["offline", "online"]])
    await bench.close()
  }

  @Test func `a lease that another router saw in time counts, although no version has changed`() async throws {
    let bench = try await Bench()
    try await bench.presence("ana")
    try await bench.conversation()
    try await bench.sql("UPDATE throughline.agent SET lease_expires_at = now() - interval '1 s'")
    try await bench.routing(bench.desk(presenceGrace: .seconds(600))) {
      try await bench.wait("it waits", until: "queued_at IS NOT NULL FROM throughline.conversation")
      try await bench.sql("UPDATE throughline.agent SET lease_expires_at = now() + interval '600 s'")
      try await bench.wait("ana has it", until: "owner_id = 'ana' FROM throughline.conversation")
    }
    await bench.close()
  }

  @Test func `one report from the future locks nobody out`() async throws {
    let bench = try await Bench()
    let future = WallClock.now().advanced(by: .seconds(86_000))
    try await bench.presence("ana", at: future)
    #expect(try await bench.value("reported_at <= now() FROM throughline.agent") == "t")
    try await bench.presence("ana", .away)
    #expect(try await bench.value("state FROM throughline.agent") == "away")
    // As a router whose own clock was wrong has left it.
    try await bench.sql("UPDATE throughline.agent SET reported_at = now() + interval '1 day'")
    try await bench.presence("ana", .wrapUp)
    #expect(try await bench.value("state FROM throughline.agent") == "wrap_up")
    await bench.close()
  }

  @Test func `the broker's time counts before the desktop's, and of two reports of one instant the later one`() async throws {
    let bench = try await Bench()
    let now = WallClock.now().advanced(by: .seconds(-10))
    try await bench.presence("ana", .online, at: now.advanced(by: .seconds(5)), recordedAt: now)
    try await bench.presence("ana", .away, at: now.advanced(by: .seconds(-3_600)), recordedAt: now)
    #expect(try await bench.value("state FROM throughline.agent") == "away")
    try await bench.presence("ana", .offline, recordedAt: now.advanced(by: .milliseconds(-1)))
    #expect(try await bench.value("state FROM throughline.agent") == "away")
    await bench.close()
  }

  @Test func `who goes offline gives everything back at once, who is away or wraps up keeps it`() async throws {
    let bench = try await Bench()
    try await bench.presence("ana", capacity: 60)
    let id = try await bench.conversation(waitingFor: 500)
    let since = try await bench.value("waiting_since FROM throughline.conversation")
    try await bench.routing {
      try await bench.wait("ana has it", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(id)'")
      for state in [Presence.State.away, .wrapUp] {
        let other = try await bench.conversation()
        try await bench.presence("ana", .online, capacity: 60)
        try await bench.wait("ana has both", until: "load = 60 FROM throughline.agent")
        try await bench.presence("ana", state, capacity: 60)
        // That is tidied after the report.
        try await bench.change(other, "status = 'resolved', resolved_at = now()")
        try await bench.wait("one is given back", until: "load = 30 FROM throughline.agent")
        #expect(try await bench.owner(id) == "agent ana")
      }
      try await bench.presence("bea")
      try await bench.presence("ana", .offline, capacity: 60)
      try await bench.wait("it is bea's", until: "owner_id = 'bea' FROM throughline.conversation WHERE id = '\(id)'")
    }
    #expect(
      try await bench.sql(
        "SELECT agent_id, end_reason FROM throughline.assignment WHERE conversation_id = '\(id)' ORDER BY offered_at")
        == [["ana", "agent_lost"], ["bea", nil]])
    #expect(try await bench.value("waiting_since FROM throughline.conversation WHERE id = '\(id)'") == since)
    try await bench.check()
    await bench.close()
  }

  @Test func `a first report that comes too late takes no work off the books`() async throws {
    let bench = try await Bench()
    let key = InTenant(Bench.tenant, "ana")
    let db = PostgresConnection(url: bench.url, applicationName: "zombie", settings: Queries.settings)
    let locked = try await db.perform { db throws(PostgresFault) in
      try RouteReads.lock(conversations: [], agents: [key], on: db)
    }
    // Meanwhile somebody else takes the report in, and there is work.
    try await bench.presence("ana", channels: [.chat: 3])
    #expect(try await bench.act(.take, try await bench.conversation(), by: "ana") == nil)
    var plan = OwnershipPlan(
      policy: bench.policy, conversations: [:], assignments: [:], agents: locked.agents, now: WallClock.now(),
      ids: IDGenerator(milliseconds: 1, seed: 1))
    plan.apply(
      Presence(agent: "ana", state: .online, capacity: 100, channels: [.chat: 3], leaseSeconds: 60), tenant: Bench.tenant,
      reportedAt: WallClock.now())
    let late = plan
    let fault = await #expect(throws: PostgresFault.self) {
      try await db.perform { db throws(PostgresFault) in
        try db.transaction { () throws(PostgresFault) in try RouteWrites.write(late, topicPrefix: "", on: db) }
      }
    }
    #expect(fault?.disposition == .replan)
    #expect(try await bench.value("load FROM throughline.agent_channel") == "1")
    try await bench.check()
    await db.close()
    await bench.close()
  }

  @Test func `while it may not have read what agents reported, a router judges nobody`() async throws {
    let bench = try await Bench()
    try await bench.presence("ana")
    let id = try await bench.conversation()
    #expect(try await bench.act(.take, id, by: "ana") == nil)
    let snoozed = try await bench.conversation()
    try await bench.change(snoozed, "status = 'snoozed', snoozed_until = now()")
    // All routers were away for longer than the lease.
    try await bench.sql("UPDATE throughline.agent SET lease_expires_at = now() - interval '1 s'")
    try await bench.routing(bench.desk(presenceGrace: .seconds(600))) {
      // What is due is done.
      try await bench.wait("it is open", until: "status = 'open' FROM throughline.conversation WHERE id = '\(snoozed)'")
      #expect(try await bench.owner(id) == "agent ana")
      #expect(try await bench.value("state FROM throughline.agent") == "online")
    }
    let marks = RouteMarks()
    try await bench.routing(bench.desk(presenceGrace: .milliseconds(300), marks: marks), marks: marks) {
      try await bench.wait("she is gone after all", until: "state = 'offline' FROM throughline.agent")
      try await bench.wait("and it waits", until: "owner_kind = 'queue' FROM throughline.conversation WHERE id = '\(id)'")
    }
    try await bench.check()
    await bench.close()
  }

  @Test func `after the database was away nobody is judged before what they reported can have been read`() async throws {
    let bench = try await Bench()
    for agent in ["ana", "bea"] { try await bench.presence(agent) }
    let grace = Duration.milliseconds(1_500)
    try await bench.routing(bench.desk("a", presenceGrace: grace)) {
      try await bench.sql("UPDATE throughline.agent SET lease_expires_at = now() WHERE id = 'ana'")
      try await bench.wait("ana is gone", until: "state = 'offline' FROM throughline.agent WHERE id = 'ana'")
      let began = ContinuousClock.now
      // The connection is gone before anybody can see that bea is.
      try await bench.sql(
        """
        SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'a';
        UPDATE throughline.agent SET lease_expires_at = now() WHERE id = 'bea'
        """)
      try await bench.wait("bea is gone", until: "state = 'offline' FROM throughline.agent WHERE id = 'bea'")
      #expect(.now - began >= grace)
    }
    await bench.close()
  }
}
