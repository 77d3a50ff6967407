import Canonical

/// Who gets which conversation, for one tenant: a pure state machine.
///
/// Conversations that need the same (queue and channel) wait in one *lane*, ordered; each lane also keeps the agents who may take from
/// it and have room, longest idle first. Both are heaps whose stale entries are recognised by a stamp, so that an event costs a few
/// heap operations per lane, however many wait. At the end of every `handle` no conversation waits while an agent may and can take it,
/// unless `maximumProposals` are under way: the rest is decided as these end, on what is known by then.
///
/// A proposal reserves capacity, and the agent's turn, until `committed` or `refused`; a refused one has cost nobody their turn.
public struct RoutingEngine: Sendable {
  /// Why an agent is not asked.
  enum Exclusion: Int, CaseIterable, Sendable {
    case notOnline, team, skill, channel, full

    var label: String {
      switch self {
      case .notOnline: "not_online"
      case .team: "team"
      case .skill: "skill"
      case .channel: "channel"
      case .full: "full"
      }
    }
  }

  struct LaneKey: Hashable, Sendable {
    var queue: String
    var channel: Channel
  }

  /// Conversations of one lane that wait for one agent.
  private struct HoldKey: Hashable, Sendable {
    var agent: String
    var lane: Int
  }

  private struct Lane: Sendable {
    var queue: RoutingPolicy.Queue
    var channel: Channel
    var units: Int32
    var waiting = Heap<Turn>()
    var agents = Heap<IdleAgent>()
    /// How many agents are excluded, by reason.
    var excluded = [Int](repeating: 0, count: Exclusion.allCases.count)
  }

  /// A conversation's place in a lane. Each step of priority counts as `ageing` of waiting: with time the older one is first whatever
  /// the priorities, so that a steady flow of urgent ones cannot starve the others.
  private struct Turn: Comparable, Sendable {
    var since: Timestamp
    var id: ID
    var stamp: UInt64

    static func < (a: Self, b: Self) -> Bool {
      if a.since != b.since { return a.since < b.since }
      return a.id != b.id ? a.id < b.id : a.stamp < b.stamp
    }
  }

  private struct IdleAgent: Comparable, Sendable {
    var since: Timestamp
    var id: String
    var stamp: UInt64

    static func < (a: Self, b: Self) -> Bool {
      if a.since != b.since { return a.since < b.since }
      return a.id != b.id ? a.id.utf8.lexicographicallyPrecedes(b.id.utf8) : a.stamp < b.stamp
    }
  }

  private struct Timer: Comparable, Sendable {
    var at: Timestamp
    var id: ID
    var stamp: UInt64

    static func < (a: Self, b: Self) -> Bool { a.at != b.at ? a.at < b.at : (a.id, a.stamp) < (b.id, b.stamp) }
  }

  struct AgentState: Sendable {
    var row: RoutingAgent
    /// Proposals under way.
    var reservations: [ID: (channel: Channel, units: Int32, at: Timestamp)] = [:]
    var stamp: UInt64 = 0
    /// By lane; nil: may and can.
    var standing: [Exclusion?] = []

    var freeUnits: Int32 { row.capacity - row.load - reservations.values.reduce(0) { $0 + $1.units } }
    func hasRoom(_ channel: Channel) -> Bool {
      guard let channels = row.channels else { return true }
      guard let named = channels[channel] else { return false }
      return named.capacity - named.load - Int32(reservations.values.count { $0.channel == channel }) > 0
    }
    /// While proposals are under way the turn is spent on trial.
    var idleSince: Timestamp { reservations.values.reduce(row.idleSince) { max($0, $1.at) } }
  }

  enum Place: Equatable, Sendable {
    /// Anybody who may.
    case lane
    case held(for: [String], until: Timestamp)
    /// A proposal is under way; nil: with a bot.
    case proposed(agent: String?)
  }

  /// The facts lie beside it: a table of a hundred thousand is half empty, and grows by copying.
  struct ConversationState: Sendable {
    private final class Box: Sendable {
      let facts: WaitingConversation
      init(_ facts: WaitingConversation) { self.facts = facts }
    }
    private var box: Box
    var facts: WaitingConversation {
      get { box.facts }
      set { box = Box(newValue) }
    }
    var lane: Int
    var stamp: UInt64
    var place: Place
    var isPlaced: Bool

    init(facts: WaitingConversation, lane: Int, stamp: UInt64, place: Place, isPlaced: Bool) {
      box = Box(facts)
      (self.lane, self.stamp, self.place, self.isPlaced) = (lane, stamp, place, isPlaced)
    }
  }

  public private(set) var policy: RoutingPolicy
  private(set) var agents: [String: AgentState] = [:]
  private(set) var conversations: [ID: ConversationState] = [:]
  private var lanes: [Lane] = []
  private var laneNumbers: [LaneKey: Int] = [:]
  private var held: [HoldKey: Heap<Turn>] = [:]
  private var timers = Heap<Timer>()
  private var lastStamp: UInt64 = 0
  private let maximumProposals: Int
  private var proposalCount = 0

  // What changed since the last match.
  private var dirtyLanes: Set<Int> = []
  private var dirtyHolds: Set<HoldKey> = []
  /// Whose row may have to say where they wait, by lane.
  private var moved: [Int: Set<ID>] = [:]
  private var decisions: [RoutingDecision] = []

  /// - Parameter maximumProposals: how many assignments may be under way at once.
  public init(policy: RoutingPolicy = RoutingPolicy(), maximumProposals: Int = 1_000) {
    self.policy = policy
    self.maximumProposals = maximumProposals
  }

  /// When `clock` is due next.
  public var nextTimer: Timestamp? { timers.first?.at }

  /// The versions that are known, to see what has changed.
  public var conversationVersions: [ID: Int64] { conversations.mapValues(\.facts.version) }
  public var agentVersions: [String: (version: Int64, isOnline: Bool)] { agents.mapValues { ($0.row.version, $0.row.isOnline) } }
  public var waitingCount: Int { conversations.count }
  /// How many wait in each queue of the policy, and since when the first does.
  public var waitingByQueue: [String: (count: Int, since: Timestamp?)] {
    var waiting = Dictionary(policy.queues.map { ($0.id, (count: 0, since: Timestamp?.none)) }) { $1 }
    for conversation in conversations.values {
      let (queue, since) = (lanes[conversation.lane].queue.id, conversation.facts.waitingSince)
      let known = waiting[queue] ?? (0, nil)
      waiting[queue] = (known.count + 1, min(known.since ?? since, since))
    }
    return waiting
  }

  public mutating func handle(_ event: RoutingEvent, at now: Timestamp) -> [RoutingDecision] { handle([event], at: now) }

  /// Takes in all events, then decides: what is known at once is decided in order, whatever the order of the events.
  public mutating func handle(_ events: [RoutingEvent], at now: Timestamp) -> [RoutingDecision] {
    take(events, at: now)
    match(now)
    // In the others somebody may be asked yet.
    let settled = moved.filter { !dirtyLanes.contains($0.key) }
    for lane in settled.keys { moved[lane] = nil }
    for id in settled.values.joined().sorted() { place(id, now) }
    defer { decisions = [] }
    return decisions
  }

  /// Takes in events of which more are to come; `handle` decides.
  public mutating func take(_ events: [RoutingEvent], at now: Timestamp) {
    for event in events { apply(event, now) }
  }

  private mutating func apply(_ event: RoutingEvent, _ now: Timestamp) {
    switch event {
    case .policy(let policy): replace(policy, now)
    case .agent(let row):
      if let known = agents[row.id], known.row.version > row.version { return }
      agents[row.id, default: AgentState(row: row)].row = row
      refresh(row.id, now)
    case .agentGone(let id):
      guard let agent = agents.removeValue(forKey: id) else { return }
      for case let (lane, reason?) in zip(lanes.indices, agent.standing) { lanes[lane].excluded[reason.rawValue] -= 1 }
      for lane in lanes.indices { unhold(HoldKey(agent: id, lane: lane), now) }
    case .waiting(let facts):
      if let known = conversations[facts.id] {
        if known.facts.version > facts.version { return }
        // What becomes of the proposal decides.
        if case .proposed = known.place { return }
      }
      insert(facts, now)
    case .withdrawn(let id):
      if case .proposed? = conversations[id]?.place { return }
      conversations[id] = nil
    case .committed(let id), .refused(let id):
      let state = conversations.removeValue(forKey: id)
      guard case .proposed(let agent?)? = state?.place else { return }
      proposalCount -= 1
      agents[agent]?.reservations[id] = nil
      refresh(agent, now)
    case .clock:
      while let timer = timers.first, timer.at <= now {
        _ = timers.pop()
        guard let due = conversations[timer.id], due.stamp == timer.stamp else { continue }
        if case .proposed = due.place { continue }
        insert(due.facts, now, isPlaced: due.isPlaced)
      }
    }
  }

  // MARK: - Conversations

  private mutating func insert(_ facts: WaitingConversation, _ now: Timestamp, isPlaced: Bool = false) {
    lastStamp += 1
    let stamp = lastStamp
    guard let queue = policy.queue(for: facts) else { return }
    let lane = laneNumber(queue, facts.channel, now)
    var state = ConversationState(
      facts: facts, lane: lane, stamp: stamp, place: .lane, isPlaced: isPlaced || facts.queuedAt != nil)
    defer { conversations[facts.id] = state }
    if let bot = policy.bot(for: facts) {
      state.place = .proposed(agent: nil)
      decisions.append(decision(facts, lane, .bot(bot), "bot"))
      return
    }
    moved[lane, default: []].insert(facts.id)
    // An exclusion that ends is news for this conversation alone.
    if let end = facts.excluded.values.filter({ $0 > now }).min() {
      timers.push(Timer(at: end, id: facts.id, stamp: stamp))
    }
    let turn = Turn(
      since: facts.waitingSince.advanced(by: policy.ageing * -Int(facts.priority)), id: facts.id, stamp: stamp)
    let latest = (facts.queuedAt ?? now).advanced(by: queue.hold)
    // What its row says already stays.
    let until = facts.heldUntil.map { min($0, latest) } ?? latest
    let preferred = preferred(facts, queue, now)
    let areFull = preferred.filter { agents[$0]?.standing[lane] == .full }
    if until > now, !areFull.isEmpty, !preferred.contains(where: { isFree($0, lane) }) {
      state.place = .held(for: areFull, until: until)
      timers.push(Timer(at: until, id: facts.id, stamp: stamp))
      for agent in areFull { held[HoldKey(agent: agent, lane: lane), default: Heap()].push(turn) }
    } else {
      lanes[lane].waiting.push(turn)
      dirtyLanes.insert(lane)
    }
  }

  /// Who is asked first, in order; whether they can is another question.
  private func preferred(_ facts: WaitingConversation, _ queue: RoutingPolicy.Queue, _ now: Timestamp) -> [String] {
    queue.prefer.compactMap { preference in
      let agent = preference == .lastAgent ? facts.lastAgent : facts.accountManager
      return agent.flatMap { facts.excluded[$0] ?? now > now ? nil : $0 }
    }
  }

  /// Has its row say that it waits, and for whom, unless it does.
  private mutating func place(_ id: ID, _ now: Timestamp) {
    guard let state = conversations[id] else { return }
    var hold: (agents: [String], until: Timestamp?) = ([], nil)
    switch state.place {
    case .proposed: return
    case .lane: break
    case .held(let agents, let until): hold = (agents, until)
    }
    // A hold that is over needs no word.
    let told = state.facts.heldUntil.flatMap { $0 > now ? (agents: state.facts.heldFor, until: $0) : nil }
    if state.isPlaced, hold.agents == told?.agents ?? [], hold.until == told?.until { return }
    decisions.append(decision(state.facts, state.lane, .place(heldFor: hold.agents, until: hold.until), "nobody", now))
    conversations[id]?.isPlaced = true
    conversations[id]?.facts.queuedAt = state.facts.queuedAt ?? now
    conversations[id]?.facts.heldFor = hold.agents
    conversations[id]?.facts.heldUntil = hold.until
  }

  private func isCurrent(_ turn: Turn, heldFor agent: String? = nil) -> Bool {
    guard let state = conversations[turn.id], state.stamp == turn.stamp else { return false }
    switch state.place {
    case .lane: return agent == nil
    case .held(let agents, _): return agent.map(agents.contains) ?? false
    case .proposed: return false
    }
  }

  // MARK: - Agents

  /// After anything about the agent has changed.
  private mutating func refresh(_ id: String, _ now: Timestamp) {
    guard var agent = agents[id] else { return }
    lastStamp += 1
    agent.stamp = lastStamp
    let isNew = agent.standing.isEmpty
    let before = agent.standing
    agent.standing = lanes.map { exclusion(agent, $0) }
    agents[id] = agent
    for lane in lanes.indices {
      if !isNew, let reason = before[lane] { lanes[lane].excluded[reason.rawValue] -= 1 }
      if let reason = agent.standing[lane] { lanes[lane].excluded[reason.rawValue] += 1 }
      offer(agent, to: lane)
      let hold = HoldKey(agent: id, lane: lane)
      switch agent.standing[lane] {
      case nil: if held[hold] != nil { dirtyHolds.insert(hold) }
      case .full: break
      default: unhold(hold, now)
      }
    }
  }

  /// Puts the agent among those who can take from the lane.
  private mutating func offer(_ agent: AgentState, to lane: Int) {
    guard agent.standing[lane] == nil else { return }
    lanes[lane].agents.push(IdleAgent(since: agent.idleSince, id: agent.row.id, stamp: agent.stamp))
    if lanes[lane].waiting.count > 0 { dirtyLanes.insert(lane) }
    if lanes[lane].agents.count > 2 * agents.count + 64 {
      let agents = agents
      lanes[lane].agents.filter { idle in
        agents[idle.id].map { $0.stamp == idle.stamp && $0.standing[lane] == nil } ?? false
      }
    }
  }

  private func isCurrent(_ idle: IdleAgent, lane: Int) -> Bool {
    guard let agent = agents[idle.id] else { return false }
    return agent.stamp == idle.stamp && agent.standing[lane] == nil
  }

  /// May and can take from the lane.
  private func isFree(_ id: String, _ lane: Int) -> Bool {
    guard let agent = agents[id] else { return false }
    return agent.standing[lane] == nil
  }

  private func exclusion(_ agent: AgentState, _ lane: Lane) -> Exclusion? {
    if !agent.row.isOnline { return .notOnline }
    if !lane.queue.teams.isEmpty, lane.queue.teams.isDisjoint(with: agent.row.teams) { return .team }
    if lane.queue.skills.contains(where: { agent.row.skills[$0.key] ?? .min < $0.value }) { return .skill }
    if let channels = agent.row.channels, channels[lane.channel] == nil { return .channel }
    return agent.freeUnits >= lane.units && agent.hasRoom(lane.channel) ? nil : .full
  }

  /// Nobody waits for an agent who is not there.
  private mutating func unhold(_ key: HoldKey, _ now: Timestamp) {
    guard var turns = held.removeValue(forKey: key) else { return }
    while let turn = turns.pop() {
      guard isCurrent(turn, heldFor: key.agent), let state = conversations[turn.id] else { continue }
      insert(state.facts, now, isPlaced: state.isPlaced)
    }
  }

  // MARK: - Lanes

  private mutating func laneNumber(_ queue: RoutingPolicy.Queue, _ channel: Channel, _ now: Timestamp) -> Int {
    let key = LaneKey(queue: queue.id, channel: channel)
    if let number = laneNumbers[key] { return number }
    let number = lanes.count
    laneNumbers[key] = number
    lanes.append(Lane(queue: queue, channel: channel, units: policy.units(channel)))
    for id in agents.keys {
      guard var agent = agents[id] else { continue }
      let standing = exclusion(agent, lanes[number])
      agent.standing.append(standing)
      agents[id] = agent
      if let standing { lanes[number].excluded[standing.rawValue] += 1 }
      offer(agent, to: number)
    }
    return number
  }

  private mutating func replace(_ policy: RoutingPolicy, _ now: Timestamp) {
    self.policy = policy
    let waiting = conversations
    (lanes, laneNumbers, held, timers, dirtyLanes, dirtyHolds, moved) = ([], [:], [:], Heap(), [], [], [:])
    for id in agents.keys { agents[id]?.standing = [] }
    conversations = waiting.filter { if case .proposed = $0.value.place { true } else { false } }
    for (id, state) in waiting.sorted(by: { $0.key < $1.key }) where conversations[id] == nil {
      insert(state.facts, now, isPlaced: state.isPlaced)
    }
  }

  // MARK: - Matching

  private mutating func match(_ now: Timestamp) {
    /// Passed over because those who can may not, put back when all is done.
    var passed: [(lane: Int, turn: Turn)] = []
    while proposalCount < maximumProposals, let (turn, lane, hold) = best() {
      if let hold {
        _ = held[hold]?.pop()
        propose(turn.id, to: hold.agent, lane, "preferred", [], now)
        continue
      }
      _ = lanes[lane].waiting.pop()
      guard let state = conversations[turn.id] else { continue }
      let facts = state.facts
      let candidates = candidates(lane, for: facts, now)
      if let agent = preferred(facts, lanes[lane].queue, now).first(where: { isFree($0, lane) }) {
        propose(turn.id, to: agent, lane, "preferred", candidates, now)
      } else if let first = candidates.first {
        propose(turn.id, to: first.agent, lane, "longest_idle", candidates, now)
      } else {
        passed.append((lane, turn))
      }
    }
    for (lane, turn) in passed where isCurrent(turn) { lanes[lane].waiting.push(turn) }
  }

  /// The first conversation, of all lanes in which something changed, for which there may be somebody.
  private mutating func best() -> (turn: Turn, lane: Int, hold: HoldKey?)? {
    var best: (turn: Turn, lane: Int, hold: HoldKey?)?
    for lane in dirtyLanes {
      while let turn = lanes[lane].waiting.first, !isCurrent(turn) { _ = lanes[lane].waiting.pop() }
      while let idle = lanes[lane].agents.first, !isCurrent(idle, lane: lane) { _ = lanes[lane].agents.pop() }
      guard let turn = lanes[lane].waiting.first, lanes[lane].agents.first != nil else {
        dirtyLanes.remove(lane)
        continue
      }
      if best.map({ turn < $0.turn }) ?? true { best = (turn, lane, nil) }
    }
    for hold in dirtyHolds {
      while let turn = held[hold]?.first, !isCurrent(turn, heldFor: hold.agent) { _ = held[hold]?.pop() }
      guard let turn = held[hold]?.first else {
        dirtyHolds.remove(hold)
        held[hold] = nil
        continue
      }
      guard isFree(hold.agent, hold.lane) else {
        dirtyHolds.remove(hold)
        continue
      }
      if best.map({ turn < $0.turn }) ?? true { best = (turn, hold.lane, hold) }
    }
    return best
  }

  /// Up to ten who can and may, longest idle first.
  private mutating func candidates(_ lane: Int, for facts: WaitingConversation, _ now: Timestamp) -> [RoutingDecision.Candidate] {
    var found: [RoutingDecision.Candidate] = []
    var seen: [IdleAgent] = []
    while found.count < 10, let idle = lanes[lane].agents.pop() {
      guard isCurrent(idle, lane: lane) else { continue }
      seen.append(idle)
      if facts.excluded[idle.id] ?? now > now { continue }
      found.append(.init(agent: idle.id, idleSince: idle.since))
    }
    for idle in seen { lanes[lane].agents.push(idle) }
    return found
  }

  private mutating func propose(
    _ id: ID, to agent: String, _ lane: Int, _ rule: String, _ candidates: [RoutingDecision.Candidate], _ now: Timestamp
  ) {
    guard let state = conversations[id], let chosen = agents[agent] else { return }
    var decision = decision(
      state.facts, lane, .assign(agent: agent, acceptWithin: lanes[lane].queue.acceptWithin), rule, now)
    decision.candidates = candidates.isEmpty ? [.init(agent: agent, idleSince: chosen.idleSince)] : candidates
    decisions.append(decision)
    conversations[id]?.place = .proposed(agent: agent)
    proposalCount += 1
    agents[agent]?.reservations[id] = (lanes[lane].channel, lanes[lane].units, now)
    refresh(agent, now)
  }

  private func decision(
    _ facts: WaitingConversation, _ lane: Int, _ outcome: RoutingDecision.Outcome, _ rule: String, _ now: Timestamp? = nil
  ) -> RoutingDecision {
    var excluded: [String: Int] = [:]
    for reason in Exclusion.allCases where lanes[lane].excluded[reason.rawValue] > 0 {
      excluded[reason.label] = lanes[lane].excluded[reason.rawValue]
    }
    let asked = facts.excluded.count { agent, until in
      now.map { until > $0 } ?? false && isFree(agent, lane)
    }
    if asked > 0 { excluded["asked_before"] = asked }
    return RoutingDecision(
      conversation: facts.id, epoch: facts.epoch, queue: lanes[lane].queue.id, channel: lanes[lane].channel,
      units: lanes[lane].units, outcome: outcome, rule: rule, excluded: excluded, policyVersion: policy.version)
  }
}
