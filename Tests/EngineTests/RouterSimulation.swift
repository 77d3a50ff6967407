import Canonical

@testable import Engine

/// Routers on a clock of dice, against a model of the rows: `RoutingEngine` and `OwnershipPlan` as they are, several routers that all
/// decide for one tenant, agents who come and go and take what they like with what they saw long ago, and ingest that resolves, reopens
/// and adds. Routers crash, freeze with what they have decided, lose the replies to their commits; actions come twice.
final class RouterSimulation {
  private typealias Key = InTenant<ID>
  private typealias AgentKey = InTenant<String>
  private static let tenant = "shop"
  private static let quietFrom = 600
  private static let agents = (0..<4).map { "a\($0)" }
  private static let channels: [Channel] = [.chat, .voice, .email]

  private struct Router {
    var engine: RoutingEngine
    var unreadConversations: Set<ID> = []
    var unreadAgents: Set<String> = []
    var events: [RoutingEvent] = [.clock]
    var decisions: [RoutingDecision] = []
    var frozenUntil = 0
  }

  private struct Row<Value: Equatable> {
    var value: Value
    var version: Int64 = 1
  }

  private var random: SplitMix64
  private let policy: RoutingPolicy
  private let maximumProposals: Int
  private var now = Timestamp(seconds: 1_800_000_000)
  private var step = 0
  private var routers: [Router]
  private var lastID: UInt64 = 0

  // The rows.
  private var conversations: [Key: OwnershipPlan.Conversation] = [:]
  private var assignments: [Key: OwnershipPlan.Assignment] = [:]
  private var people: [AgentKey: Row<OwnershipPlan.Agent>] = [:]
  private var excluded: [Key: [String: Timestamp]] = [:]
  private var segments: [Key: [Int64: OwnershipPlan.Segment]] = [:]
  private var seqs: [String: Int64] = [:]
  private var actionKeys: Set<String> = []
  private var earlier: [Action] = []
  private var flaw: String?
  private(set) var struck: Set<String> = []
  private(set) var takenCount = 0

  init(seed: UInt64) {
    random = SplitMix64(seed: seed ^ 0x0a11)
    var policy = RoutingPolicy()
    var calls = RoutingPolicy.Queue(id: "calls")
    calls.match.channels = [.voice]
    var general = RoutingPolicy.Queue(id: "general")
    if seed % 2 == 0 { general.acceptWithin = .seconds(20) }
    policy.queues = [calls, general]
    policy.excludedFor = .seconds(60)
    policy.resolvePendingAfter = .seconds(400)
    policy.closeAfter = .seconds(300)
    self.policy = policy
    let maximumProposals = seed % 3 == 0 ? 2 : 1_000
    self.maximumProposals = maximumProposals
    routers = (0..<2).map { _ in Router(engine: RoutingEngine(policy: policy, maximumProposals: maximumProposals)) }
  }

  private func one(in sides: Int) -> Bool { Int.random(in: 0..<sides, using: &random) == 0 }
  private func strikes(_ fault: String, in sides: Int) -> Bool {
    guard step < Self.quietFrom, one(in: sides) else { return false }
    struck.insert(fault)
    return true
  }

  /// What is wrong, if anything is.
  func run() -> String? {
    while flaw == nil && step < Self.quietFrom {
      step += 1
      now = now.advanced(by: .milliseconds(Int.random(in: 0...1_500, using: &random)))
      switch Int.random(in: 0..<12, using: &random) {
      case 0: arrive()
      case 1: ingest()
      case 2: report(Self.agents[Int.random(in: 0..<Self.agents.count, using: &random)])
      case 3...4: act()
      default: turn(Int.random(in: 0..<routers.count, using: &random))
      }
    }
    // Everybody is there, nothing happens any more, and one router after the other goes on until it has nothing to say.
    for agent in Self.agents { report(agent, isBack: true) }
    now = now.advanced(by: .seconds(61))
    for _ in 0..<400 where flaw == nil {
      step += 1
      turn(step % routers.count)
    }
    return flaw ?? idle()
  }

  // MARK: - A router

  private func turn(_ index: Int) {
    if strikes("crash", in: 60) {
      routers[index] = Router(engine: RoutingEngine(policy: policy, maximumProposals: maximumProposals))
      return
    }
    if strikes("freeze", in: 60) { routers[index].frozenUntil = step + Int.random(in: 5...80, using: &random) }
    guard routers[index].frozenUntil <= step else { return }
    switch Int.random(in: 0..<4, using: &random) {
    case 0: tidy(index)
    case 1: reconcile(index)
    case 2:
      read(index)
      routers[index].decisions += routers[index].engine.handle(routers[index].events, at: now)
      routers[index].events = [.clock]
    default: decide(index)
    }
  }

  private func reconcile(_ index: Int) {
    let known = routers[index].engine.conversationVersions
    let waiting = conversations.filter { isWaiting($0.key) }
    for (key, row) in waiting where known[key.value] != row.version { routers[index].unreadConversations.insert(key.value) }
    for id in known.keys where waiting[Key(Self.tenant, id)] == nil { routers[index].events.append(.withdrawn(id)) }
    let knownAgents = routers[index].engine.agentVersions
    for (key, row) in people {
      let isOnline = row.value.state == .online && row.value.isThere(now)
      if knownAgents[key.value].map({ $0 != (row.version, isOnline) }) ?? true { routers[index].unreadAgents.insert(key.value) }
    }
  }

  private func read(_ index: Int) {
    routers[index].events += waitingEvents(routers[index].unreadConversations.sorted())
    routers[index].events += agentEvents(routers[index].unreadAgents.sorted())
    (routers[index].unreadConversations, routers[index].unreadAgents) = ([], [])
  }

  private func isWaiting(_ key: Key) -> Bool {
    guard let row = conversations[key] else { return false }
    return row.status == .open && row.owner == .queue && !row.isMerged
  }

  private func waitingEvents(_ ids: [ID]) -> [RoutingEvent] {
    ids.map { id in
      let key = Key(Self.tenant, id)
      guard isWaiting(key), let row = conversations[key] else { return .withdrawn(id) }
      var facts = WaitingConversation(
        id: id, version: row.version, epoch: row.epoch, channel: row.channel, waitingSince: row.waitingSince ?? row.lastMessageAt)
      (facts.queue, facts.queuedAt, facts.heldFor, facts.heldUntil) = (row.queue, row.queuedAt, row.heldFor, row.heldUntil)
      facts.excluded = (excluded[key] ?? [:]).filter { $0.value > now }
      return .waiting(facts)
    }
  }

  private func agentEvents(_ ids: [String]) -> [RoutingEvent] {
    ids.compactMap { id in
      guard let row = people[AgentKey(Self.tenant, id)] else { return nil }
      var agent = RoutingAgent(
        id: id, version: row.version, isOnline: row.value.state == .online && row.value.isThere(now),
        capacity: row.value.capacity,
        load: row.value.load, idleSince: row.value.idleSince)
      agent.channels = row.value.channels.map { channels in
        Dictionary(uniqueKeysWithValues: channels.map { ($0.key, .init(capacity: $0.value, load: row.value.live[$0.key] ?? 0)) })
      }
      return .agent(agent)
    }
  }

  private func decide(_ index: Int) {
    let batch = Array(routers[index].decisions.prefix(Int.random(in: 1...4, using: &random)))
    guard !batch.isEmpty else { return }
    routers[index].decisions.removeFirst(batch.count)
    // Whatever fails of its own is as if the router had been lost: its copy is thrown away.
    if strikes("not committed", in: 25) {
      routers[index] = Router(engine: RoutingEngine(policy: policy, maximumProposals: maximumProposals))
      return
    }
    let keys = Set(batch.map { Key(Self.tenant, $0.conversation) })
    let agents = Set(batch.compactMap { $0.agent.map { AgentKey(Self.tenant, $0) } })
    var plan = plan(keys, agents)
    let taken = batch.map { plan.carryOut($0, tenant: Self.tenant) }
    takenCount += taken.count { $0 }
    write(plan)
    if strikes("lost reply", in: 25) {
      routers[index] = Router(engine: RoutingEngine(policy: policy, maximumProposals: maximumProposals))
      return
    }
    var events = agentEvents(agents.map(\.value).sorted())
    var again: [ID] = []
    for (decision, isTaken) in zip(batch, taken) {
      if case .place = decision.outcome {
        again.append(decision.conversation)
      } else {
        events.append(isTaken ? .committed(decision.conversation) : .refused(decision.conversation))
        if !isTaken { again.append(decision.conversation) }
      }
    }
    if taken.contains(false) { struck.insert("lost to somebody else") }
    routers[index].decisions += routers[index].engine.handle(events + waitingEvents(again), at: now)
  }

  private func tidy(_ index: Int) {
    let keys = Set(conversations.keys.sorted().filter { _ in one(in: 2) })
    let agents = Set(people.keys.sorted().filter { _ in one(in: 2) })
    var plan = plan(keys, agents)
    for key in plan.agents.keys.sorted() { plan.tidy(agent: key) }
    for key in keys.sorted() { plan.tidy(key) }
    write(plan)
  }

  // MARK: - Everybody else

  private func arrive() {
    lastID += 1
    let channel = Self.channels[Int.random(in: 0..<Self.channels.count, using: &random)]
    let key = Key(Self.tenant, ID(Bytes16(high: 1, low: lastID)))
    conversations[key] = OwnershipPlan.Conversation(
      customer: key.value, status: .open, channel: channel, openedAt: now, lastMessageAt: now, waitingSince: now)
    seqs["conversation.events " + key.value.description] = 1
  }

  /// Ingest changes the status, under the row's lock, and nothing of the router's.
  private func ingest() {
    guard let key = conversations.keys.sorted().randomElement(using: &random), var row = conversations[key] else { return }
    guard row.status != .closed else { return }
    row.status = [.open, .open, .pending, .resolved, .snoozed][Int.random(in: 0..<5, using: &random)]
    row.resolvedAt = row.status == .resolved ? now : nil
    row.snoozedUntil = row.status == .snoozed ? now.advanced(by: .seconds(30)) : nil
    row.waitingSince = row.status == .open ? row.waitingSince ?? now : nil
    row.lastMessageAt = now
    row.version += 1
    row.eventSeq += 1
    seqs["conversation.events " + key.value.description] = row.eventSeq
    conversations[key] = row
  }

  private func report(_ agent: String, isBack: Bool = false) {
    var presence = Presence(
      agent: agent, state: isBack || one(in: 2) ? .online : .away,
      capacity: isBack ? 100 : [0, 40, 100, 130][Int.random(in: 0..<4, using: &random)],
      leaseSeconds: isBack ? 10_000 : Int32.random(in: 5...90, using: &random))
    if !isBack && one(in: 5) { presence.state = .offline }
    if !isBack && one(in: 2) { presence.channels = [.chat: Int32.random(in: 0...2, using: &random), .email: 1] }
    var plan = plan([], [AgentKey(Self.tenant, agent)])
    plan.apply(presence, tenant: Self.tenant, reportedAt: one(in: 6) && !isBack ? now.advanced(by: .seconds(-10)) : now)
    write(plan)
  }

  /// With what the agent saw, now or long ago; and everything may come twice.
  private func act() {
    if let again = earlier.randomElement(using: &random), one(in: 5) { return apply(again) }
    guard let key = conversations.keys.sorted().randomElement(using: &random), let row = conversations[key] else { return }
    let owner = assignments[key]?.agent
    let agent = owner != nil && one(in: 2) ? owner ?? "" : Self.agents[Int.random(in: 0..<Self.agents.count, using: &random)]
    let kinds: [Action.Kind] = [.accept, .decline, .take, .take, .release, .transfer]
    lastID += 1
    var action = Action(
      kind: kinds[Int.random(in: 0..<kinds.count, using: &random)], id: "x\(lastID)", conversation: key.value, agent: agent)
    action.ownershipEpoch = one(in: 4) ? max(0, row.epoch - 1) : row.epoch
    if action.kind == .transfer {
      if one(in: 2) {
        action.toAgent = Self.agents[Int.random(in: 0..<Self.agents.count, using: &random)]
      } else {
        action.toQueue = "general"
      }
    }
    earlier.append(action)
    apply(action)
  }

  private func apply(_ action: Action) {
    guard actionKeys.insert(action.id).inserted else { return }
    var agents: Set<AgentKey> = [AgentKey(Self.tenant, action.agent)]
    if let other = action.toAgent { agents.insert(AgentKey(Self.tenant, other)) }
    var plan = plan([Key(Self.tenant, action.conversation)], agents)
    if let reason = plan.apply(action, tenant: Self.tenant) { struck.insert(reason) }
    write(plan)
  }

  // MARK: - The rows

  /// On what `RouteReads.lock` locks: the conversations, what they are assigned to, and the agents of both.
  private func plan(_ keys: Set<Key>, _ agents: Set<AgentKey>) -> OwnershipPlan {
    let lockedAssignments = assignments.filter { keys.contains($0.key) }
    let lockedAgents = agents.union(lockedAssignments.map { AgentKey($0.key.tenant, $0.value.agent) })
    lastID += 1
    return OwnershipPlan(
      policy: policy, conversations: conversations.filter { keys.contains($0.key) }, assignments: lockedAssignments,
      agents: people.filter { lockedAgents.contains($0.key) }.mapValues(\.value), now: now,
      ids: IDGenerator(milliseconds: UInt64(max(0, now.microseconds / 1_000)), seed: lastID))
  }

  /// Writes what the plan says that it has changed, as `RouteWrites` does, and checks what must hold after every commit.
  private func write(_ plan: OwnershipPlan) {
    for key in plan.changedConversations { conversations[key] = plan.conversations[key] }
    for key in plan.changedConversations {
      // Whatever the plan has of an assignment is in `ended`, `started` and `accepted`.
      guard let before = assignments[key], plan.assignments[key] != before else { continue }
      let isTold = plan.ended.contains { $0.conversation == key } || plan.accepted.contains(key)
      if !isTold { flaw = "an assignment has changed and nobody is told" }
    }
    for ended in plan.ended {
      if assignments[ended.conversation]?.id == ended.assignment.id { assignments[ended.conversation] = nil }
      if let until = ended.excludedUntil { excluded[ended.conversation, default: [:]][ended.assignment.agent] = until }
    }
    for (key, assignment) in plan.started where !plan.ended.contains(where: { $0.assignment.id == assignment.id }) {
      if assignments[key] != nil { flaw = "two open assignments of one conversation" }
      assignments[key] = assignment
    }
    for key in plan.accepted where assignments[key] != nil { assignments[key]?.isOffer = false }
    for (key, agent) in plan.agents where people[key]?.value != agent {
      people[key] = Row(value: agent, version: (people[key]?.version ?? 0) + 1)
    }
    for segment in plan.segments {
      var stored = segments[segment.conversation]?[segment.position] ?? segment
      stored.endedAt = segment.endedAt
      segments[segment.conversation, default: [:]][segment.position] = stored
    }
    for event in plan.events {
      // A refusal about nothing has no subject of ours.
      if event.type == "action.refused", !event.subject.contains("-"), people[AgentKey(Self.tenant, event.subject)] == nil {
        continue
      }
      let subject = event.topic + " " + event.subject
      if event.seq != seqs[subject, default: 0] + 1 { flaw = "\(event.type) is number \(event.seq) after \(seqs[subject] ?? 0)" }
      seqs[subject] = event.seq
    }
    for (key, assignment) in plan.started where flaw == nil && plan.reports[AgentKey(key.tenant, assignment.agent)] == nil {
      guard let agent = people[AgentKey(key.tenant, assignment.agent)]?.value, assignments[key]?.id == assignment.id else {
        continue
      }
      if agent.load > agent.capacity { flaw = "\(assignment.agent) is over capacity" }
      if let channels = agent.channels, agent.live[assignment.channel] ?? 0 > channels[assignment.channel] ?? 0 {
        flaw = "\(assignment.agent) has more of \(assignment.channel) than they take"
      }
    }
    flaw = flaw ?? inconsistency()
  }

  private func inconsistency() -> String? {
    for (key, row) in people {
      let own = assignments.filter { $0.key.tenant == key.tenant && $0.value.agent == key.value }.map(\.value)
      if row.value.load != own.reduce(0, { $0 + $1.units }) { return "\(key.value)'s load is not what they have" }
      for channel in Self.channels where row.value.live[channel] ?? 0 != Int32(own.count { $0.channel == channel }) {
        return "\(key.value)'s load of \(channel) is not what they have"
      }
    }
    for (key, row) in conversations {
      let assignment = assignments[key]
      if case .agent(let id) = row.owner {
        if assignment?.agent != id { return "an owner without an assignment" }
        if assignment?.epoch != row.epoch { return "an assignment of another ownership" }
      } else if assignment != nil {
        return "an assignment without an owner"
      }
      if segments[key]?.values.count(where: { $0.endedAt == nil }) ?? 0 > 1 { return "two segments are open" }
    }
    return nil
  }

  /// At rest nobody waits for whom there is somebody.
  private func idle() -> String? {
    for (key, row) in conversations where isWaiting(key) {
      if row.queuedAt == nil { return "\(key.value) waits in no queue" }
      let units = policy.units(row.channel)
      for (agentKey, agent) in people
      where agent.value.state == .online && agent.value.isThere(now) && agent.value.hasRoom(row.channel, units) {
        if (excluded[key]?[agentKey.value]).map({ $0 <= now }) ?? true {
          return "\(key.value) waits while \(agentKey.value) is free"
        }
      }
    }
    for (key, row) in conversations where !row.isWorkable && (row.owner != .queue || row.queuedAt != nil) {
      return "\(key.value) is \(row.status) and still somebody's"
    }
    return nil
  }
}
