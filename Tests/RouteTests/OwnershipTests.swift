import Canonical
import Engine
import Postgres
import Store
import TestSupport
import Testing

@testable import Workers

/// Who has a conversation after what agents, bots and policies do.
@Suite struct OwnershipTests {
  @Test func `what is transferred to a queue is given to somebody now, what is released when the customer writes again`()
    async throws
  {
    var policy = RoutingPolicy()
    policy.queues = [.init(id: "billing"), .init(id: "general")]
    policy.queues[0].match.channels = [.email]
    let bench = try await Bench(policy: policy)
    try await bench.presence("ana")
    let (moved, released) = (try await bench.conversation(), try await bench.conversation())
    try await bench.routing {
      try await bench.wait("ana has both", until: "load = 60 FROM throughline.agent")
      try await bench.presence("bea")
      // As ingest does when ana answers.
      for id in [moved, released] { try await bench.change(id, "status = 'pending', waiting_since = NULL") }
      #expect(try await bench.act(.transfer, moved, by: "ana", epoch: 1, toQueue: "billing") == nil)
      try await bench.wait("bea has it", until: "owner_id = 'bea' FROM throughline.conversation WHERE id = '\(moved)'")
      #expect(
        try await bench.sql(
          "SELECT status, queue_id, waiting_since IS NOT NULL FROM throughline.conversation WHERE id = '\(moved)'")
          == [["open", "billing", "t"]])
      #expect(try await bench.act(.release, released, by: "ana", epoch: 1) == nil)
      #expect(
        try await bench.sql(
          "SELECT status, owner_kind, queued_at IS NOT NULL FROM throughline.conversation WHERE id = '\(released)'")
          == [["pending", "queue", "t"]])
      try await bench.change(released, "status = 'open', waiting_since = now()")
      try await bench.wait("bea has that, too", until: "owner_id = 'bea' FROM throughline.conversation WHERE id = '\(released)'")
    }
    let told = try await bench.sql(
      """
      SELECT e -> 'data' ->> 'queue_id' FROM throughline.outbox_event o
      CROSS JOIN LATERAL (SELECT convert_from(o.value, 'UTF8')::jsonb AS e) e
      WHERE e ->> 'type' = 'conversation.queued' AND e -> 'data' ->> 'reason' = 'transferred'
      """)
    #expect(told == [["billing"]])
    try await bench.check()
    await bench.close()
  }

  @Test func `what is with a bot that the policy no longer names goes to its queue, also what waits for the customer`()
    async throws
  {
    var policy = RoutingPolicy()
    policy.bots = [.init(channel: .chat, account: "shop", bot: "shopbot")]
    let bench = try await Bench(policy: policy)
    try await bench.presence("ana")
    let (open, pending) = (try await bench.conversation(), try await bench.conversation())
    try await bench.routing {
      try await bench.wait("the bot has both", until: "count(*) = 2 FROM throughline.conversation WHERE owner_kind = 'bot'")
      try await bench.change(pending, "status = 'pending', waiting_since = NULL")
      bench.adopt(RoutingPolicy())
      try await bench.wait("ana has one", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(open)'")
      try await bench.wait(
        "nobody has the other", until: "owner_kind = 'queue' FROM throughline.conversation WHERE id = '\(pending)'")
      try await bench.change(pending, "status = 'open', waiting_since = now()")
      try await bench.wait("ana has the other", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(pending)'")
    }
    try await bench.check()
    await bench.close()
  }

  @Test func `who answers has accepted`() async throws {
    var policy = RoutingPolicy()
    policy.queues[0].acceptWithin = .seconds(3_600)
    let bench = try await Bench(policy: policy)
    try await bench.presence("ana")
    let (answered, again) = (try await bench.conversation(), try await bench.conversation())
    try await bench.routing {
      try await bench.wait("both are offered", until: "count(*) = 2 FROM throughline.assignment WHERE state = 'offered'")
      // As ingest does when ana answers; the second time the customer has written again at once.
      try await bench.change(answered, "status = 'pending', waiting_since = NULL")
      try await bench.sql(
        """
        INSERT INTO throughline.message (tenant_id, id, conversation_id, customer_id, channel, account, direction, author_kind,
          author_id, received_at, ordered_at, details)
        SELECT tenant_id, '\(bench.newID())', id, customer_id, 'chat', 'shop', 'outbound', 'agent', 'ana', now(), now(), '{}'
        FROM throughline.conversation WHERE id = '\(again)'
        """)
      try await bench.wait("both are hers", until: "count(*) = 2 FROM throughline.assignment WHERE state = 'active'")
    }
    #expect(try await bench.value("count(*) FROM throughline.assignment WHERE accepted_at IS NOT NULL") == "2")
    try await bench.check()
    await bench.close()
  }

  @Test func `a row says for whom it is held, until nobody is waited for any more`() async throws {
    var policy = RoutingPolicy()
    policy.queues[0].prefer = [.lastAgent]
    policy.queues[0].hold = .seconds(600)
    let bench = try await Bench(policy: policy)
    let customer = bench.newID()
    try await bench.presence("ana", capacity: 30)
    let first = try await bench.conversation(customer: customer)
    try await bench.routing {
      try await bench.wait("ana has the first", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(first)'")
      let second = try await bench.conversation(customer: customer)
      try await bench.wait("the second is held", until: "held_for = '{ana}' FROM throughline.conversation WHERE id = '\(second)'")
      #expect(try await bench.act(.take, second, by: "nobody") == "unknown_agent")
      #expect(
        try await bench.value("held_for = '{ana}' AND held_until > now() FROM throughline.conversation WHERE id = '\(second)'")
          == "t")
      try await bench.presence("ana", .away, capacity: 30)
      try await bench.wait(
        "it is held no longer",
        until: "held_for = '{}' AND held_until IS NULL FROM throughline.conversation WHERE id = '\(second)'")
    }
    try await bench.check()
    await bench.close()
  }

  @Test func `waiting begins with the customer's message, and not when somebody looks`() async throws {
    let bench = try await Bench()
    try await bench.conversation(waitingFor: 100)
    try await bench.routing {
      try await bench.wait("it is queued", until: "queued_at IS NOT NULL FROM throughline.conversation")
    }
    #expect(
      try await bench.value(
        "s.started_at = c.waiting_since FROM throughline.conversation_segment s, throughline.conversation c") == "t")
    await bench.close()
  }
}
