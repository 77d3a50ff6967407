import Canonical
import Engine
import Foundation
import Postgres
import Rig
import Store
import TestSupport
import Testing

/// Ingest and two routers as real processes, agents who come and go, and humans who take what they like at the same time.
@Suite(.serialized) struct RouterProcessTests {
  private static let agents = (0..<8).map { "agent\($0)" }

  private func item(_ topic: String, _ type: String, _ key: String, _ id: String, _ value: String) -> Traffic.Item {
    let headers = [
      ("ce_specversion", "1.0"), ("ce_id", id), ("ce_type", type),
      ("ce_source", "/channels/\(topic.hasPrefix("agent") ? "desk" : "chat")/w"),
      ("content-type", "application/json"),
    ]
    return Traffic.Item(
      topic: topic, key: key, headers: headers.map { Record.Header($0.0, Array($0.1.utf8)) }, value: Array(value.utf8))
  }

  private func presence(_ agent: String, _ state: String, _ id: String) -> Traffic.Item {
    item(
      "agent.presence", "agent.presence", agent, id,
      #"{"agent_id":"\#(agent)","state":"\#(state)","capacity":100,"channels":{"chat":3},"lease_seconds":300}"#)
  }

  private func chat(_ number: Int) -> Traffic.Item {
    item(
      "channel.chat", "chat.event", "v_\(number)", "c\(number)",
      #"{"event":"message.created","event_id":"c\#(number)","visitor":{"id":"v_\#(number)"},"message":{"id":"c\#(number)","text":"Hello?"}}"#
    )
  }

  @Test func `nobody is over capacity, nothing has two owners and nobody waits for a free agent, also when a router is killed`()
    async throws
  {
    let cluster = try await Cluster()
    for topic in ["agent.presence", "routing.events"] {
      try await cluster.broker.createTopic(topic, partitions: Cluster.partitions)
    }
    let ingest = try cluster.startWorker()
    var routers = try (0..<2).map { _ in try cluster.startWorker("route") }
    for worker in [ingest] + routers { try await worker.waitForLog("partitions assigned") }
    try await cluster.publish(Self.agents.map { presence($0, "online", "p \($0)") })

    var random = SplitMix64(seed: 17)
    for round in 0..<20 {
      try await cluster.publish((0..<12).map { chat(round * 12 + $0) })
      // What humans see may be old by the time they act on it: then it is refused.
      let seen = try await cluster.rows(
        "SELECT id::text, ownership_epoch::text, owner_id, version::text FROM throughline.conversation WHERE status IN ('open', 'pending')"
      )
      let actions = seen.shuffled(using: &random).prefix(14).enumerated().map { position, row in
        let agent = row[2] ?? Self.agents.randomElement(using: &random) ?? ""
        let other = Self.agents.randomElement(using: &random) ?? ""
        let seen = #","seen_version":\#(row[3] ?? "0")"#
        let (kind, who, more) = [
          ("take", other, ""), ("take", other, ""), ("release", agent, ""), ("transfer", agent, #","to_agent":"\#(other)""#),
          ("resolve", agent, seen), ("resolve", agent, seen), ("resolve", agent, seen),
        ].randomElement(using: &random)!
        return item(
          "agent.actions", "agent." + kind, row[0] ?? "", "a \(round) \(position)",
          #"{"conversation_id":"\#(row[0] ?? "")","agent_id":"\#(who)","ownership_epoch":\#(row[1] ?? "0")\#(more)}"#)
      }
      try await cluster.publish(actions)
      // Once more: applied once.
      try await cluster.publish(actions.prefix(3), spreading: true)
      if round % 4 == 1 { try await cluster.publish([presence(Self.agents[round % 8], "away", "away \(round)")]) }
      if round % 4 == 3 { try await cluster.publish([presence(Self.agents[(round - 2) % 8], "online", "back \(round)")]) }
      if round == 8 {
        routers[0].crash()
        routers[0] = try cluster.startWorker("route")
      }
      try await cluster.wait("SELECT count(*) FROM throughline.conversation", for: (round + 1) * 12)
      #expect(try await cluster.routingViolations() == [], "round \(round)")
    }
    try await cluster.publish(Self.agents.map { presence($0, "online", "last \($0)") })
    try await cluster.drain()

    // At rest: whoever was away is back, the killed router's lease is over, and everything is placed.
    let db = PostgresConnection(url: cluster.databaseURL, applicationName: "audit", settings: Queries.settings)
    let deadline = ContinuousClock.now + .seconds(40)
    var idle: [(conversation: ID, agent: String)] = []
    var unplaced = 1
    repeat {
      idle = try await db.perform { db throws(PostgresFault) in
        try RouteReads.idlePairs(tenant: "default", policy: RoutingPolicy(), on: db)
      }
      unplaced = try await cluster.number(
        "SELECT count(*) FROM throughline.conversation WHERE status = 'open' AND owner_kind = 'queue' AND queue_id IS NULL")
      if idle.isEmpty && unplaced == 0 { break }
      try await Task.sleep(for: .milliseconds(100))
    } while .now < deadline
    #expect(idle.isEmpty && unplaced == 0, "\(idle.count) wait for somebody who is free, \(unplaced) are in no queue")
    #expect(try await cluster.routingViolations() == [])
    #expect(try await cluster.number("SELECT count(*) FROM throughline.assignment WHERE state = 'active'") > 0)
    #expect(try await cluster.number("SELECT count(*) FROM throughline.assignment WHERE ended_at IS NOT NULL") > 20)

    try await cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1)
    for worker in [ingest] + routers { #expect(worker.stop() == 0) }
    let published = try await cluster.consume("routing.events") + cluster.consume("conversation.events")
    #expect(try EventCheck.problems(published.compactMap(\.value)) == "")
    #expect(try await cluster.number("SELECT count(*) FROM throughline.router_lease WHERE owner IS NOT NULL") == 0)
    await db.close()
    await cluster.close()
  }
}
