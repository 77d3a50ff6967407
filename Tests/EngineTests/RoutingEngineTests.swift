import Canonical
import Testing

@testable import Engine

/// Event by event: who is given what.
@Suite struct RoutingEngineTests {
  private let start = Timestamp(seconds: 1_800_000_000)

  private func after(_ seconds: Int64) -> Timestamp { start.advanced(by: .seconds(seconds)) }

  private func agent(
    _ id: String, version: Int64 = 1, isOnline: Bool = true, capacity: Int32 = 30, load: Int32 = 0, idleSince: Int64 = 0
  ) -> RoutingAgent {
    RoutingAgent(
      id: id, version: version, isOnline: isOnline, capacity: capacity, load: load, idleSince: after(idleSince))
  }

  private func chat(_ number: UInt64, since: Int64 = 0, priority: Int32 = 0) -> WaitingConversation {
    var facts = WaitingConversation(
      id: ID(Bytes16(high: 1, low: number)), version: 1, epoch: 0, channel: .chat, waitingSince: after(since))
    facts.priority = priority
    return facts
  }

  private func given(_ decisions: [RoutingDecision]) -> [String] {
    decisions.map { decision in
      switch decision.outcome {
      case .assign(let agent, _): "\(decision.conversation.raw.low) to \(agent)"
      case .place(let held, _):
        "\(decision.conversation.raw.low) waits" + (held.isEmpty ? "" : " for \(held.joined(separator: ", "))")
      case .bot(let bot): "\(decision.conversation.raw.low) to the bot \(bot)"
      }
    }
  }

  @Test func `the longest idle is first, the lowest id among equals; the highest priority, then the oldest is given first`() {
    var engine = RoutingEngine()
    let decisions = engine.handle(
      [
        .waiting(chat(1, since: 5)), .waiting(chat(2, since: 3)), .waiting(chat(3, since: 9, priority: 1)),
        .waiting(chat(4, since: 9)),
        .agent(agent("c", idleSince: 1)), .agent(agent("b", idleSince: 2)), .agent(agent("a", idleSince: 2)),
      ], at: after(10))
    #expect(given(decisions) == ["3 to c", "2 to a", "1 to b", "4 waits"])
    #expect(decisions[0].candidates.map(\.agent) == ["c", "a", "b"])
    #expect(decisions[3].excluded == ["full": 3])
  }

  @Test func `a proposal that is refused costs nobody their turn`() {
    var engine = RoutingEngine()
    _ = engine.handle(
      [.agent(agent("a", capacity: 60, idleSince: 1)), .agent(agent("b", capacity: 60, idleSince: 2))], at: after(10))
    #expect(given(engine.handle(.waiting(chat(1)), at: after(11))) == ["1 to a"])
    // While that is under way it is b's turn.
    #expect(given(engine.handle(.waiting(chat(2)), at: after(12))) == ["2 to b"])
    #expect(given(engine.handle(.refused(chat(1).id), at: after(13))) == [])
    #expect(given(engine.handle(.waiting(chat(3)), at: after(14))) == ["3 to a"])
  }

  @Test func `as many are decided at once as may be under way, and the others as these end`() {
    var policy = RoutingPolicy()
    var calls = RoutingPolicy.Queue(id: "calls")
    calls.match.channels = [.voice]
    calls.teams = ["phone"]
    policy.queues.insert(calls, at: 0)
    var engine = RoutingEngine(policy: policy, maximumProposals: 2)
    var call = chat(9)
    call.channel = .voice
    let first = engine.handle(
      [.agent(agent("a", capacity: 300)), .waiting(call)] + (1...5).map { .waiting(chat($0, since: Int64($0))) }, at: after(10))
    // Whoever may be asked yet is not told to wait.
    #expect(given(first) == ["1 to a", "2 to a", "9 waits"])
    // Who comes first by then is first.
    let urgent = chat(6, since: 9, priority: 5)
    #expect(given(engine.handle([.committed(chat(1).id), .waiting(urgent)], at: after(11))) == ["6 to a"])
    #expect(given(engine.handle([.refused(chat(2).id), .waiting(chat(2, since: 2))], at: after(12))) == ["2 to a"])
    #expect(given(engine.handle([.committed(chat(2).id), .committed(urgent.id)], at: after(13))) == ["3 to a", "4 to a"])
    #expect(given(engine.handle([.committed(chat(3).id), .committed(chat(4).id)], at: after(14))) == ["5 to a"])
    #expect(
      given(engine.handle([.agent(agent("a", version: 2)), .waiting(chat(7)), .waiting(chat(8))], at: after(15))).last
        == "8 waits")
  }

  @Test func `who is online and full is waited for, who is away is not`() {
    var policy = RoutingPolicy()
    policy.queues[0].prefer = [.lastAgent]
    policy.queues[0].hold = .seconds(60)
    var engine = RoutingEngine(policy: policy)
    _ = engine.handle(
      [.agent(agent("last", load: 30)), .agent(agent("gone", isOnline: false)), .agent(agent("other", capacity: 300))],
      at: after(0))
    func mine(_ number: UInt64, _ last: String) -> WaitingConversation {
      var facts = chat(number)
      facts.lastAgent = last
      return facts
    }
    #expect(given(engine.handle(.waiting(mine(1, "gone")), at: after(1))) == ["1 to other"])
    #expect(given(engine.handle(.waiting(mine(2, "last")), at: after(1))) == ["2 waits for last"])
    #expect(given(engine.handle(.waiting(mine(3, "last")), at: after(2))) == ["3 waits for last"])
    #expect(given(engine.handle(.waiting(mine(4, "nobody knows")), at: after(3))) == ["4 to other"])
    #expect(given(engine.handle(.agent(agent("last", version: 2)), at: after(20))) == ["2 to last"])
    #expect(engine.nextTimer != nil)
    #expect(given(engine.handle(.clock, at: after(61))) == [])
    #expect(given(engine.handle(.clock, at: after(62))) == ["3 to other"])
  }

  @Test func `who has declined is asked again when that is over, and blocks nobody meanwhile`() {
    var engine = RoutingEngine()
    _ = engine.handle(.agent(agent("a")), at: after(0))
    var declined = chat(1)
    declined.excluded = ["a": after(60)]
    #expect(given(engine.handle(.waiting(declined), at: after(1))) == ["1 waits"])
    #expect(given(engine.handle(.waiting(chat(2, since: 1)), at: after(2))) == ["2 to a"])
    #expect(given(engine.handle([.agent(agent("a", version: 2)), .committed(chat(2).id)], at: after(3))) == [])
    #expect(given(engine.handle(.clock, at: after(60))) == ["1 to a"])
  }

  @Test func `a steady flow of urgent ones cannot starve the others: a step of priority is worth fifteen minutes of waiting`() {
    var engine = RoutingEngine()
    _ = engine.handle(.waiting(chat(1)), at: after(0))
    var turns = 0
    for round in 1...40 as ClosedRange<UInt64> {
      let now = after(Int64(round) * 60)
      // There is always somebody urgent, and one agent gets free at a time.
      _ = engine.handle(.waiting(chat(100 + round, since: Int64(round) * 60, priority: 1)), at: now)
      let given = engine.handle(.agent(agent("a\(round)")), at: now)
      turns += 1
      if given.contains(where: { $0.conversation == chat(1).id }) { break }
    }
    #expect(turns == 15)
  }

  @Test func `a hold that ends early is written down`() {
    var policy = RoutingPolicy()
    policy.queues[0].prefer = [.lastAgent]
    policy.queues[0].hold = .seconds(60)
    var engine = RoutingEngine(policy: policy)
    _ = engine.handle(.agent(agent("last", load: 30)), at: after(0))
    var mine = chat(1)
    mine.lastAgent = "last"
    #expect(given(engine.handle(.waiting(mine), at: after(1))) == ["1 waits for last"])
    #expect(given(engine.handle(.agent(agent("last", version: 2, isOnline: false, load: 30)), at: after(2))) == ["1 waits"])
    #expect(given(engine.handle(.clock, at: after(3))) == [])
  }

  @Test func `older knowledge changes nothing`() {
    var engine = RoutingEngine()
    _ = engine.handle(.agent(agent("a", version: 5, load: 30)), at: after(0))
    #expect(given(engine.handle([.agent(agent("a", version: 4)), .waiting(chat(1))], at: after(1))) == ["1 waits"])
    #expect(given(engine.handle(.agent(agent("a", version: 6)), at: after(2))) == ["1 to a"])
  }
}
