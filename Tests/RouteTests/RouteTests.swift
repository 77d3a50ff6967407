import Canonical
import Engine
import Postgres
import Store
import TestSupport
import Testing

@testable import Workers

/// Desks on a real database, with agents and customers who do what they do.
@Suite struct RouteTests {
  @Test func `a conversation goes to whoever was idle longest, and the reasons are kept`() async throws {
    let bench = try await Bench()
    try await bench.presence("ana")
    try await bench.presence("bea")
    try await bench.presence("off", .offline)
    let first = try await bench.conversation()
    let second = try await bench.conversation()
    try await bench.routing {
      try await bench.wait(
        "both are assigned", until: "count(*) = 2 FROM throughline.assignment WHERE state = 'active'")
    }
    #expect(try await bench.owner(first) == "agent ana")
    #expect(try await bench.owner(second) == "agent bea")
    let decision = try await bench.sql(
      "SELECT agent_id, rule, taken, jsonb_array_length(candidates), excluded FROM throughline.routing_decision WHERE conversation_id = '\(first)'"
    )
    #expect(decision == [["ana", "longest_idle", "t", "2", #"{"not_online": 1}"#]])
    try await bench.check()
    await bench.close()
  }

  @Test func `what nobody can take waits in its queue, without blocking what somebody can`() async throws {
    var policy = RoutingPolicy()
    var spanish = RoutingPolicy.Queue(id: "spanish")
    spanish.match.languages = ["es"]
    spanish.skills = ["language:es": 2]
    policy.queues = [spanish, .init(id: "general")]
    let bench = try await Bench(policy: policy)
    try await bench.presence("ana", capacity: 30, skills: ["language:es": 1])
    let hard = try await bench.conversation(waitingFor: 100, priority: 5, language: "es")
    let easy = try await bench.conversation()
    try await bench.routing {
      try await bench.wait(
        "the easy one is assigned", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(easy)'")
      try await bench.wait(
        "the other is queued", until: "queue_id = 'spanish' FROM throughline.conversation WHERE id = '\(hard)'")
      #expect(try await bench.idlePairs() == [])
      // A second report, with the skill.
      try await bench.presence("ana", capacity: 60, skills: ["language:es": 2])
      try await bench.wait("it is assigned", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(hard)'")
    }
    try await bench.check()
    await bench.close()
  }

  @Test func `an action under an old ownership is refused, and one that is repeated does nothing`() async throws {
    let bench = try await Bench()
    try await bench.presence("ana")
    try await bench.presence("bea", .away)
    let id = try await bench.conversation()
    try await bench.routing {
      try await bench.wait("it is assigned", until: "ownership_epoch = 1 FROM throughline.conversation WHERE id = '\(id)'")
    }
    #expect(try await bench.act(.take, id, by: "bea", epoch: 0) == "stale_epoch")
    let key = bench.newID()
    #expect(try await bench.act(.take, id, by: "bea", epoch: 1, key: key) == nil)
    #expect(try await bench.owner(id) == "agent bea")
    #expect(try await bench.act(.release, id, by: "ana", epoch: 2) == "not_owner")
    #expect(try await bench.act(.transfer, id, by: "bea", epoch: 2, toAgent: "ana") == nil)
    // Delivered again.
    #expect(try await bench.act(.take, id, by: "bea", epoch: 1, key: key) == nil)
    #expect(try await bench.owner(id) == "agent ana")
    #expect(try await bench.act(.take, bench.newID(), by: "ana") == "unknown_conversation")
    #expect(try await bench.act(.take, id, by: "zoe") == "unknown_agent")
    #expect(try await bench.act(.transfer, id, by: "ana", epoch: 3, toQueue: "nowhere") == "unknown_queue")
    try await bench.change(id, "status = 'closed'")
    #expect(try await bench.act(.take, id, by: "bea") == "not_live")
    let refusals = try await bench.sql(
      """
      SELECT e -> 'data' ->> 'reason', e ->> 'subject' = '\(id)' FROM throughline.outbox_event o
      CROSS JOIN LATERAL (SELECT convert_from(o.value, 'UTF8')::jsonb AS e) e WHERE e ->> 'type' = 'action.refused' ORDER BY o.id, o.position
      """)
    #expect(
      refusals == [
        ["stale_epoch", "t"], ["not_owner", "t"], ["unknown_conversation", "f"], ["unknown_agent", "t"], ["unknown_queue", "t"],
        ["not_live", "t"],
      ])
    await bench.close()
  }

  @Test func `nobody takes more than they have room for`() async throws {
    let bench = try await Bench()
    try await bench.presence("ana", .away, capacity: 70, channels: [.chat: 2, .email: 1])
    func new(_ channel: String) async throws -> ID { try await bench.conversation(channel: channel) }
    let (chat, mail, otherMail, call) = (
      try await new("chat"), try await new("email"), try await new("email"), try await new("voice")
    )
    #expect(try await bench.act(.take, chat, by: "ana") == nil)
    #expect(try await bench.act(.take, mail, by: "ana") == nil)
    #expect(try await bench.act(.take, otherMail, by: "ana") == "over_capacity")
    #expect(try await bench.act(.take, call, by: "ana") == "over_capacity")
    // With less capacity than load, the rest is over until it is released.
    try await bench.presence("ana", .away, capacity: 20, channels: [.chat: 0])
    #expect(try await bench.value("concat_ws(' ', load, capacity, overcommit) FROM throughline.agent") == "50 20 30")
    try await bench.check()
    #expect(try await bench.act(.release, chat, by: "ana") == nil)
    #expect(try await bench.value("concat_ws(' ', load, capacity, overcommit) FROM throughline.agent") == "20 20 0")
    try await bench.check()
    await bench.close()
  }

  @Test func `an older report changes nothing, a heartbeat only the lease`() async throws {
    let bench = try await Bench()
    let now = WallClock.now()
    try await bench.presence("ana", .online, capacity: 50, at: now)
    try await bench.presence("ana", .offline, capacity: 0, at: now.advanced(by: .seconds(-1)))
    #expect(try await bench.value("concat_ws(' ', state, capacity, version) FROM throughline.agent") == "online 50 1")
    let lease = try await bench.value("lease_expires_at FROM throughline.agent")
    try await bench.presence("ana", .online, capacity: 50, at: now.advanced(by: .milliseconds(1)))
    #expect(try await bench.value("concat_ws(' ', state, capacity, version) FROM throughline.agent") == "online 50 1")
    #expect(try await bench.value("lease_expires_at FROM throughline.agent") != lease)
    await bench.close()
  }

  @Test func `an agent who is lost loses the conversation to somebody else, who sees its age`() async throws {
    let bench = try await Bench()
    try await bench.presence("ana", leaseSeconds: 600)
    let id = try await bench.conversation(waitingFor: 500)
    let since = try await bench.value("waiting_since FROM throughline.conversation")
    try await bench.routing {
      try await bench.wait("it is ana's", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(id)'")
      try await bench.sql("UPDATE throughline.agent SET lease_expires_at = now()")
      try await bench.wait(
        "it waits again", until: "owner_kind = 'queue' AND queued_at IS NOT NULL FROM throughline.conversation WHERE id = '\(id)'"
      )
      #expect(try await bench.value("state FROM throughline.agent") == "offline")
      #expect(try await bench.value("waiting_since FROM throughline.conversation") == since)
      try await bench.presence("bea")
      try await bench.wait("it is bea's", until: "owner_id = 'bea' FROM throughline.conversation WHERE id = '\(id)'")
    }
    #expect(
      try await bench.sql("SELECT agent_id, end_reason FROM throughline.assignment ORDER BY offered_at")
        == [["ana", "agent_lost"], ["bea", nil]])
    try await bench.check()
    await bench.close()
  }

  @Test func `a bot has it first, and a human when the bot asks for one`() async throws {
    var policy = RoutingPolicy()
    policy.bots = [.init(channel: .chat, account: "shop", bot: "shopbot")]
    var handedOff = RoutingPolicy.Queue(id: "handed_off")
    handedOff.match.isHandoff = true
    policy.queues = [handedOff, .init(id: "general")]
    let bench = try await Bench(policy: policy)
    try await bench.presence("ana")
    let id = try await bench.conversation()
    try await bench.routing {
      try await bench.wait("the bot has it", until: "owner_kind = 'bot' FROM throughline.conversation WHERE id = '\(id)'")
      #expect(try await bench.owner(id) == "bot shopbot")
      #expect(try await bench.value("load FROM throughline.agent") == "0")
      try await bench.change(id, #"handoff = '{"reason": "complex"}'"#)
      try await bench.wait("ana has it", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(id)'")
    }
    #expect(
      try await bench.sql(
        "SELECT position, owner_kind, owner_id, queue_id, end_reason FROM throughline.conversation_segment ORDER BY position")
        == [
          ["0", "queue", nil, nil, "bot"], ["1", "bot", "shopbot", nil, "handoff"],
          ["2", "queue", nil, "handed_off", "routed"], ["3", "agent", "ana", "handed_off", nil],
        ])
    try await bench.check()
    await bench.close()
  }

  @Test func `an offer is somebody else's when it is declined or not answered`() async throws {
    var policy = RoutingPolicy()
    policy.queues[0].acceptWithin = .seconds(600)
    let bench = try await Bench(policy: policy)
    try await bench.presence("ana")
    try await bench.presence("bea")
    try await bench.presence("cleo")
    let id = try await bench.conversation()
    try await bench.routing {
      try await bench.wait("it is offered", until: "count(*) = 1 FROM throughline.assignment WHERE state = 'offered'")
      #expect(try await bench.act(.decline, id, by: "ana", epoch: 1) == nil)
      try await bench.wait(
        "the second is asked", until: "agent_id = 'bea' FROM throughline.assignment WHERE state = 'offered'")
      // Bea says nothing.
      try await bench.sql("UPDATE throughline.assignment SET accept_by = now() WHERE agent_id = 'bea'")
      try await bench.wait(
        "the third is asked", until: "agent_id = 'cleo' FROM throughline.assignment WHERE state = 'offered'")
      let epoch = Int64(try await bench.value("ownership_epoch FROM throughline.conversation") ?? "")
      #expect(try await bench.act(.accept, id, by: "ana", epoch: epoch) == "not_owner")
      #expect(try await bench.act(.accept, id, by: "cleo", epoch: epoch) == nil)
      #expect(try await bench.act(.accept, id, by: "cleo", epoch: epoch) == "not_offered")
    }
    #expect(
      try await bench.sql("SELECT agent_id, state, end_reason FROM throughline.assignment ORDER BY offered_at")
        == [["ana", "ended", "declined"], ["bea", "ended", "not_answered"], ["cleo", "active", nil]])
    try await bench.check()
    await bench.close()
  }

  @Test func `who had the customer before is waited for, for a while`() async throws {
    var policy = RoutingPolicy()
    policy.queues[0].prefer = [.lastAgent]
    policy.queues[0].hold = .seconds(600)
    let bench = try await Bench(policy: policy)
    let customer = bench.newID()
    try await bench.presence("ana", capacity: 30)
    let first = try await bench.conversation(customer: customer)
    try await bench.routing {
      try await bench.wait("ana has the first", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(first)'")
      try await bench.presence("bea")
      let second = try await bench.conversation(customer: customer)
      try await bench.wait("the second is held", until: "held_for = '{ana}' FROM throughline.conversation WHERE id = '\(second)'")
      #expect(try await bench.idlePairs() == [])
      try await bench.change(first, "status = 'resolved', resolved_at = now()")
      try await bench.wait("ana has the second", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(second)'")
      let third = try await bench.conversation(customer: customer)
      try await bench.wait("the third is held", until: "held_for = '{ana}' FROM throughline.conversation WHERE id = '\(third)'")
      try await bench.presence("ana", .away, capacity: 30)
      try await bench.wait("bea has the third", until: "owner_id = 'bea' FROM throughline.conversation WHERE id = '\(third)'")
    }
    try await bench.check()
    await bench.close()
  }

  @Test func `time wakes, resolves and closes`() async throws {
    let bench = try await Bench()
    try await bench.presence("ana")
    let (snoozed, silent, done) = (
      try await bench.conversation(), try await bench.conversation(), try await bench.conversation()
    )
    try await bench.routing {
      try await bench.wait("all are ana's", until: "count(*) = 3 FROM throughline.assignment WHERE state = 'active'")
      try await bench.change(snoozed, "status = 'snoozed', snoozed_until = now() + interval '1 day', waiting_since = NULL")
      try await bench.change(silent, "status = 'pending'")
      try await bench.change(done, "status = 'resolved', resolved_at = now()")
      try await bench.wait("two are given back", until: "load = 30 FROM throughline.agent")
      #expect(try await bench.owner(snoozed) == "queue")
      try await bench.change(snoozed, "snoozed_until = now()")
      try await bench.wait("the snoozed one is ana's again", until: "load = 60 FROM throughline.agent")
      try await bench.change(silent, "last_message_at = now() - interval '15 days'")
      try await bench.change(done, "resolved_at = now() - interval '73 hours'")
      try await bench.wait(
        "one is resolved, one closed",
        until: """
          (SELECT status FROM throughline.conversation WHERE id = '\(silent)') = 'resolved' AND
          (SELECT status FROM throughline.conversation WHERE id = '\(done)') = 'closed'
          """)
      try await bench.wait("and given back", until: "load = 30 FROM throughline.agent")
    }
    let told = try await bench.sql(
      """
      SELECT e ->> 'type', e -> 'data' ->> 'reason', e -> 'data' ->> 'seq' FROM throughline.outbox_event o
      CROSS JOIN LATERAL (SELECT convert_from(o.value, 'UTF8')::jsonb AS e) e WHERE o.topic = 'conversation.events' ORDER BY 1
      """)
    #expect(
      told == [
        ["conversation.closed", "time_over", "2"], ["conversation.reopened", "snooze_over", "2"],
        ["conversation.resolved", "pending_too_long", "2"],
      ])
    try await bench.check()
    await bench.close()
  }

  @Test func `what is resolved while it waits no longer waits, and waits anew when it is opened again`() async throws {
    let bench = try await Bench()
    let id = try await bench.conversation()
    try await bench.routing {
      try await bench.wait("it is queued", until: "queued_at IS NOT NULL FROM throughline.conversation")
      try await bench.change(id, "status = 'resolved', resolved_at = now(), waiting_since = NULL")
      try await bench.wait("it waits no longer", until: "queued_at IS NULL FROM throughline.conversation")
      #expect(try await bench.value("count(*) FROM throughline.conversation_segment WHERE ended_at IS NULL") == "0")
      try await bench.change(id, "status = 'open', resolved_at = NULL, waiting_since = now()")
      try await bench.wait("it is queued again", until: "queued_at IS NOT NULL FROM throughline.conversation")
      try await bench.presence("ana")
      try await bench.wait("ana has it", until: "owner_id = 'ana' FROM throughline.conversation")
    }
    try await bench.check()
    await bench.close()
  }

  @Test func `another policy decides anew about what waits`() async throws {
    var policy = RoutingPolicy()
    policy.queues[0].teams = ["nobody"]
    let bench = try await Bench(policy: policy)
    try await bench.presence("ana")
    let id = try await bench.conversation()
    try await bench.routing {
      try await bench.wait("it waits", until: "queued_at IS NOT NULL FROM throughline.conversation")
      var other = RoutingPolicy()
      other.version = 2
      bench.adopt(other)
      try await bench.wait("ana has it", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(id)'")
    }
    #expect(try await bench.value("policy_version FROM throughline.queue") == "2")
    try await bench.check()
    await bench.close()
  }

  @Test func `another router takes over from one that died, and from one that stops`() async throws {
    let bench = try await Bench()
    // Somebody who holds the lease and does nothing any more.
    try await bench.sql(
      "INSERT INTO throughline.router_lease VALUES ('t', 'dead', now() + interval '1 second')")
    try await bench.presence("ana")
    let first = try await bench.conversation()
    try await bench.routing(bench.desk("a", leaseSeconds: 2)) {
      try await bench.wait("a decides", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(first)'")
    }
    #expect(try await bench.value("owner IS NULL FROM throughline.router_lease") == "t")
    let second = try await bench.conversation()
    let marks = RouteMarks()
    try await bench.routing(bench.desk("b", leaseSeconds: 2, marks: marks), marks: marks) {
      try await bench.wait("b decides", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(second)'")
      #expect(try await bench.value("owner FROM throughline.router_lease") == "b")
    }
    await bench.close()
  }
}
