import Canonical
import Glibc
import Testing

@testable import Engine

/// What must hold after every event, against an oracle that recomputes everything by going through all agents and conversations.
///
/// A failure names its seed; `THROUGHLINE_TEST_SEED=<seed>` runs that seed alone, and `THROUGHLINE_TEST_SEEDS=<count>` so many.
@Suite struct RoutingPropertyTests {
  static let seeds: [Range<UInt64>] = {
    func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }
    if let seed = number("THROUGHLINE_TEST_SEED") { return [seed..<(seed &+ 1)] }
    let count = number("THROUGHLINE_TEST_SEEDS") ?? 200
    return stride(from: 0, to: count, by: 50).map { $0..<min($0 + 50, count) }
  }()

  @Test("Whatever happens, nobody is over capacity and nobody waits for whom there is somebody", arguments: seeds)
  func story(_ seeds: Range<UInt64>) {
    for seed in seeds {
      var desk = Desk(seed: seed)
      for step in 0..<150 {
        guard let flaw = desk.step() else { continue }
        Issue.record("THROUGHLINE_TEST_SEED=\(seed), step \(step): \(flaw)")
        return
      }
    }
  }
}

/// A desk whose facts are known to the test, with one engine that hears of them.
private struct Desk {
  private var random: SplitMix64
  private var engine: RoutingEngine
  private var policy: RoutingPolicy
  private var now = Timestamp(seconds: 1_800_000_000)
  private var agents: [String: RoutingAgent] = [:]
  /// Not yet assigned, as the database would have them.
  private var waiting: [ID: WaitingConversation] = [:]
  private var inFlight: [RoutingDecision] = []
  /// Whose decision came when: the turn on trial.
  private var trials: [ID: Timestamp] = [:]
  private var owned: [(id: ID, agent: String, channel: Channel, units: Int32)] = []
  private var lastID: UInt64 = 0
  private let channels: [Channel] = [.voice, .chat, .email]

  init(seed: UInt64) {
    random = SplitMix64(seed: seed)
    policy = Self.policy(&random)
    engine = RoutingEngine(policy: policy)
  }

  private static func policy(_ random: inout SplitMix64) -> RoutingPolicy {
    var policy = RoutingPolicy()
    policy.version = Int32.random(in: 1...9, using: &random)
    policy.ageing = .seconds(30)
    var voice = RoutingPolicy.Queue(id: "voice")
    voice.match.channels = [.voice]
    voice.teams = Bool.random(using: &random) ? ["red"] : []
    var spanish = RoutingPolicy.Queue(id: "spanish")
    spanish.match.languages = ["es"]
    spanish.skills = ["language:es": 2]
    spanish.prefer = [.lastAgent]
    spanish.hold = .seconds(20)
    var general = RoutingPolicy.Queue(id: "general")
    general.prefer = [.accountManager, .lastAgent]
    general.hold = Bool.random(using: &random) ? .seconds(10) : .zero
    policy.queues = [voice, spanish, general]
    return policy
  }

  /// What is wrong after one more thing has happened.
  mutating func step() -> String? {
    now = now.advanced(by: .milliseconds(Int.random(in: 0...4_000, using: &random)))
    var events: [RoutingEvent] = [.clock]
    for _ in 0..<Int.random(in: 1...3, using: &random) { events += happen() }
    let isWaiting = waiting
    let decisions = engine.handle(events, at: now)
    for decision in decisions {
      if let flaw = check(decision, isWaiting) { return flaw }
      switch decision.outcome {
      case .assign:
        inFlight.append(decision)
        trials[decision.conversation] = now
      case .place(let held, let until):
        if waiting[decision.conversation]?.queuedAt == nil {
          waiting[decision.conversation]?.queue = decision.queue
          waiting[decision.conversation]?.queuedAt = now
        } else if waiting[decision.conversation]?.heldFor == held, waiting[decision.conversation]?.heldUntil == until {
          return "placed where it was"
        }
        waiting[decision.conversation]?.heldFor = held
        waiting[decision.conversation]?.heldUntil = until
        waiting[decision.conversation]?.version += 1
      case .bot: return "there are no bots"
      }
    }
    return quiet()
  }

  private mutating func happen() -> [RoutingEvent] {
    switch Int.random(in: 0..<12, using: &random) {
    case 0, 1, 2: return [.agent(report())]
    case 3, 4, 5, 6: return [.waiting(arrive())]
    case 7, 8, 9: return settle()
    case 10:
      guard !owned.isEmpty else { return [] }
      let over = owned.remove(at: Int.random(in: 0..<owned.count, using: &random))
      guard var agent = agents[over.agent] else { return [] }
      agent.load -= over.units
      agent.channels?[over.channel]?.load -= 1
      agent.version += 1
      agents[agent.id] = agent
      return [.agent(agent)]
    default:
      if Int.random(in: 0..<8, using: &random) == 0 {
        policy = Self.policy(&random)
        return [.policy(policy)]
      }
      // Somebody else takes one; what is under way will be refused.
      guard let id = waiting.keys.sorted().randomElement(using: &random) else { return [] }
      waiting[id] = nil
      return [.withdrawn(id)]
    }
  }

  private mutating func report() -> RoutingAgent {
    let id = "a\(Int.random(in: 0..<6, using: &random))"
    let live = owned.filter { $0.agent == id }
    var agent =
      agents[id] ?? RoutingAgent(id: id, version: 0, isOnline: false, capacity: 0, load: 0, idleSince: now)
    let isOnline = Int.random(in: 0..<4, using: &random) > 0
    if isOnline, !agent.isOnline { agent.idleSince = now }
    agent.isOnline = isOnline
    agent.version += 1
    agent.capacity = [0, 60, 100, 130].randomElement(using: &random) ?? 100
    agent.teams = Bool.random(using: &random) ? ["red"] : ["blue"]
    agent.skills = Bool.random(using: &random) ? ["language:es": Int16.random(in: 1...3, using: &random)] : [:]
    agent.channels = nil
    if Bool.random(using: &random) {
      agent.channels = [:]
      for channel in channels where Bool.random(using: &random) {
        agent.channels?[channel] = .init(
          capacity: Int32.random(in: 0...2, using: &random), load: Int32(live.count { $0.channel == channel }))
      }
    }
    agents[id] = agent
    return agent
  }

  private mutating func arrive() -> WaitingConversation {
    lastID += 1
    // Sometimes one that is there already, with other facts.
    let known = Int.random(in: 0..<5, using: &random) == 0 ? waiting.keys.sorted().randomElement(using: &random) : nil
    if let known, var facts = waiting[known], !inFlight.contains(where: { $0.conversation == known }) {
      facts.version += 1
      facts.priority = Int32.random(in: 0...2, using: &random)
      waiting[known] = facts
      return facts
    }
    var facts = WaitingConversation(
      id: ID(Bytes16(high: 7, low: lastID)), version: 1, epoch: 0, channel: channels.randomElement(using: &random) ?? .chat,
      waitingSince: now.advanced(by: .seconds(-Int.random(in: 0...100, using: &random))))
    facts.priority = Int32.random(in: 0...2, using: &random)
    facts.language = ["es", "es-MX", "en", nil].randomElement(using: &random) ?? nil
    facts.lastAgent = ["a0", "a1", "a9", nil].randomElement(using: &random) ?? nil
    facts.accountManager = ["a1", "a2", nil].randomElement(using: &random) ?? nil
    if Int.random(in: 0..<3, using: &random) == 0 {
      facts.excluded["a\(Int.random(in: 0..<4, using: &random))"] = now.advanced(
        by: .seconds(Int.random(in: -5...30, using: &random)))
    }
    waiting[facts.id] = facts
    return facts
  }

  /// Some proposals are written, some are not: by chance, or because the facts have changed.
  private mutating func settle() -> [RoutingEvent] {
    var events: [RoutingEvent] = []
    for decision in inFlight where Bool.random(using: &random) {
      inFlight.removeAll { $0.conversation == decision.conversation }
      trials[decision.conversation] = nil
      guard let id = decision.agent, var agent = agents[id] else { continue }
      let isFit =
        agent.isOnline && agent.capacity - agent.load >= decision.units
        && (agent.channels.map { $0[decision.channel].map { $0.capacity > $0.load } ?? false } ?? true)
      if isFit, waiting[decision.conversation] != nil, Int.random(in: 0..<5, using: &random) > 0 {
        waiting[decision.conversation] = nil
        agent.load += decision.units
        agent.channels?[decision.channel]?.load += 1
        agent.idleSince = now
        agent.version += 1
        agents[id] = agent
        owned.append((decision.conversation, id, decision.channel, decision.units))
        events += [.agent(agent), .committed(decision.conversation)]
      } else {
        events.append(.refused(decision.conversation))
        if var facts = waiting[decision.conversation] {
          facts.version += 1
          waiting[facts.id] = facts
          events.append(.waiting(facts))
        }
      }
    }
    return events
  }

  // MARK: - The oracle

  private func may(_ agent: RoutingAgent, _ facts: WaitingConversation) -> Bool {
    guard let queue = queue(of: facts) else { return false }
    return agent.isOnline && (facts.excluded[agent.id].map { $0 <= now } ?? true)
      && (queue.teams.isEmpty || !queue.teams.isDisjoint(with: agent.teams))
      && queue.skills.allSatisfy { agent.skills[$0.key] ?? .min >= $0.value }
      && (agent.channels == nil || agent.channels?[facts.channel] != nil)
  }

  private func can(_ agent: RoutingAgent, _ facts: WaitingConversation) -> Bool {
    let reserved = inFlight.filter { $0.agent == agent.id }
    let free = agent.capacity - agent.load - reserved.reduce(0) { $0 + $1.units }
    guard free >= policy.units(facts.channel) else { return false }
    guard let channels = agent.channels else { return true }
    guard let named = channels[facts.channel] else { return false }
    return Int(named.capacity - named.load) > reserved.count { $0.channel == facts.channel }
  }

  private func queue(of facts: WaitingConversation) -> RoutingPolicy.Queue? {
    if let placed = facts.queue, let queue = policy.queue(placed) { return queue }
    if facts.channel == .voice { return policy.queue("voice") }
    if facts.language?.hasPrefix("es") ?? false { return policy.queue("spanish") }
    return policy.queue("general")
  }

  private func goesBefore(_ a: WaitingConversation, _ b: WaitingConversation) -> Bool {
    func since(_ facts: WaitingConversation) -> Int64 {
      facts.waitingSince.microseconds - Int64(facts.priority) * policy.ageing.components.seconds * 1_000_000
    }
    return (since(a), a.id) < (since(b), b.id)
  }

  private func idleSince(_ agent: RoutingAgent) -> Timestamp {
    inFlight.filter { $0.agent == agent.id }.reduce(agent.idleSince) { max($0, trials[$1.conversation] ?? $0) }
  }

  /// At the moment of this decision, with those before it under way.
  private func check(_ decision: RoutingDecision, _ isWaiting: [ID: WaitingConversation]) -> String? {
    guard let facts = isWaiting[decision.conversation] ?? waiting[decision.conversation] else {
      return "a decision about a conversation that does not wait"
    }
    if inFlight.contains(where: { $0.conversation == facts.id }) { return "two proposals for one conversation" }
    if decision.queue != queue(of: facts)?.id { return "decided for another queue" }
    guard let id = decision.agent else { return nil }
    guard let agent = agents[id] else { return "an agent that nobody knows" }
    if !may(agent, facts) { return "\(id) may not take it" }
    if !can(agent, facts) { return "\(id) would be over capacity" }
    let rivals = agents.values.filter { may($0, facts) && can($0, facts) }
    if decision.rule == "longest_idle" {
      if rivals.contains(where: { (idleSince($0).microseconds, $0.id) < (idleSince(agent).microseconds, id) }) {
        return "\(id) was not the longest idle"
      }
      let overtaken = waiting.values.first { other in
        other.id != facts.id && !inFlight.contains { $0.conversation == other.id } && other.channel == facts.channel
          && queue(of: other)?.id == decision.queue && goesBefore(other, facts) && engine.isInLane(other.id) && may(agent, other)
      }
      if let overtaken { return "\(facts.id) overtook \(overtaken.id)" }
    } else if decision.rule == "preferred", ![facts.lastAgent, facts.accountManager].contains(id) {
      return "\(id) is not preferred"
    }
    if Set(decision.candidates.map(\.agent)).count != decision.candidates.count { return "a candidate twice" }
    return nil
  }

  /// What is wrong when the engine has nothing more to say.
  private func quiet() -> String? {
    let known = Set(engine.conversations.keys)
    if known != Set(waiting.keys).union(inFlight.map(\.conversation)) { return "it does not know who waits" }
    for facts in waiting.values where !inFlight.contains(where: { $0.conversation == facts.id }) {
      let free = agents.values.filter { may($0, facts) && can($0, facts) }
      let told = facts.heldUntil.flatMap { $0 > now ? facts.heldFor : nil } ?? []
      switch engine.conversations[facts.id]?.place {
      case .lane:
        if let agent = free.first { return "\(facts.id) waits while \(agent.id) is free" }
        if !told.isEmpty { return "its row says that it is held" }
      case .held(let held, let until):
        if until <= now { return "held beyond its time" }
        if told != held || facts.heldUntil != until { return "its row does not say for whom it is held" }
        if let agent = free.first(where: { held.contains($0.id) }) { return "held for \(agent.id), who is free" }
        if !held.contains(where: { agents[$0].map { may($0, facts) } ?? false }) { return "held for nobody" }
      default: return "neither waiting nor under way"
      }
    }
    return nil
  }
}

extension RoutingEngine {
  fileprivate func isInLane(_ id: ID) -> Bool { conversations[id]?.place == .lane }
}
