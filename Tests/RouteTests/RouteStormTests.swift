import Canonical
import Engine
import Postgres
import Store
import TestSupport
import Testing

@testable import Workers

/// Everybody at once, on one database.
@Suite struct RouteStormTests {
  private static let agents = (0..<6).map { "agent\($0)" }

  @Test func `two routers and humans at random: nobody over capacity, one owner each, and at rest nobody waits for a free agent`()
    async throws
  {
    var policy = RoutingPolicy()
    policy.excludedFor = .milliseconds(1)
    var calls = RoutingPolicy.Queue(id: "calls")
    calls.match.channels = [.voice]
    calls.teams = ["calls"]
    calls.acceptWithin = .seconds(1)
    policy.queues = [calls, .init(id: "general")]
    let bench = try await Bench(policy: policy)
    let (one, other) = (RouteMarks(), RouteMarks())
    try await bench.routing(bench.desk("one", leaseSeconds: 0.3, batchDecisions: 2, marks: one), marks: one) {
      try await bench.routing(bench.desk("other", leaseSeconds: 0.3, batchDecisions: 2, marks: other), marks: other) {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for seed in 0..<3 as Range<UInt64> {
            group.addTask { try await Self.human(seed, bench) }
          }
          group.addTask {
            // The lease changes hands while its holder still decides.
            for round in 0..<50 {
              let owner = round.isMultiple(of: 2) ? "one" : "other"
              try await bench.sql(
                "UPDATE throughline.router_lease SET owner = '\(owner)', expires_at = now() + interval '300 ms'")
              try await Task.sleep(for: .milliseconds(100))
            }
          }
          try await group.waitForAll()
        }
        for agent in Self.agents { try await bench.presence(agent, capacity: 100, teams: ["calls"]) }
        try await bench.wait(
          "who is over has nothing to do",
          until: """
            count(*) = 0 FROM throughline.conversation WHERE owner_kind <> 'queue' AND status NOT IN ('open', 'pending')
            OR owner_kind = 'queue' AND status = 'open' AND queue_id IS NULL
            """)
        // Whoever is asked accepts: what nobody answers is offered again for ever, and never at rest.
        let deadline = ContinuousClock.now + .seconds(60)
        var (pairs, offers): ([String], [[String?]])
        repeat {
          pairs = try await bench.idlePairs()
          offers = try await bench.sql(
            "SELECT conversation_id, agent_id, epoch FROM throughline.assignment WHERE state = 'offered'")
          for offer in offers {
            let id = try #require(offer[0].flatMap { ID($0) })
            try await bench.act(.accept, id, by: #require(offer[1]), epoch: offer[2].flatMap { Int64($0) })
          }
          try await Task.sleep(for: .milliseconds(20))
        } while !(pairs.isEmpty && offers.isEmpty) && ContinuousClock.now < deadline
        #expect(offers == [])
        #expect(pairs == [])
      }
    }
    let violations = try await bench.violations()
    #expect(violations == [])
    let assignmentCount = Int(try await bench.value("count(*) FROM throughline.assignment") ?? "") ?? 0
    #expect(assignmentCount > 50)
    await bench.close()
  }

  private static func human(_ seed: UInt64, _ bench: Bench) async throws {
    var random = SplitMix64(seed: seed)
    for _ in 0..<400 {
      let agent = agents.randomElement(using: &random) ?? ""
      let row = try await bench.sql(
        "SELECT id, ownership_epoch FROM throughline.conversation ORDER BY md5(id::text || '\(random.next())') LIMIT 1"
      ).first
      let id = row?[0].flatMap { ID($0) }
      let epoch = row?[1].flatMap { Int64($0) }
      switch Int.random(in: 0..<10, using: &random) {
      case 0, 1:
        try await bench.presence(
          agent, Int.random(in: 0..<4, using: &random) == 0 ? .away : .online,
          capacity: [0, 50, 100, 150].randomElement(using: &random) ?? 100,
          channels: Bool.random(using: &random) ? [:] : [.chat: Int32.random(in: 0...3, using: &random), .voice: 1],
          teams: Bool.random(using: &random) ? ["calls"] : [])
      case 2, 3, 4: try await bench.conversation(channel: Int.random(in: 0..<4, using: &random) == 0 ? "voice" : "chat")
      case 5: if let id { try await bench.act(.take, id, by: agent, epoch: epoch) }
      case 6: if let id, let owner = try await owner(id, bench) { try await bench.act(.release, id, by: owner, epoch: epoch) }
      case 7:
        if let id, let owner = try await owner(id, bench) {
          try await bench.act(.transfer, id, by: owner, epoch: epoch, toAgent: agents.randomElement(using: &random))
        }
      case 8: if let id, let owner = try await owner(id, bench) { try await bench.act(.accept, id, by: owner, epoch: epoch) }
      default:
        try await bench.sql(
          """
          UPDATE throughline.conversation SET status = 'resolved', resolved_at = now(), version = version + 1
          WHERE id IN (SELECT id FROM throughline.conversation WHERE owner_kind = 'agent' AND status = 'open' ORDER BY id LIMIT 2
          FOR NO KEY UPDATE)
          """)
      }
      #expect(try await bench.value("count(*) FROM throughline.agent WHERE load > capacity + overcommit") == "0")
    }
  }

  private static func owner(_ id: ID, _ bench: Bench) async throws -> String? {
    try await bench.value("owner_id FROM throughline.conversation WHERE id = '\(id)' AND owner_kind = 'agent'")
  }
}
