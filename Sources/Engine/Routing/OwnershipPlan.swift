import Canonical

/// What one transaction of a router changes, planned on the rows that it has locked.
///
/// Everything that moves an owner or a load goes through here: the engine's decisions, what agents do, presence, timers. Operations
/// are applied one after the other to the values; what is left is written set-based (`RouteWrites`).
public struct OwnershipPlan: Sendable {
  public let policy: RoutingPolicy
  public let now: Timestamp
  private var ids: IDGenerator

  public private(set) var conversations: [InTenant<ID>: Conversation]
  /// By conversation.
  public private(set) var assignments: [InTenant<ID>: Assignment]
  public private(set) var agents: [InTenant<String>: Agent]

  public private(set) var changedConversations: Set<InTenant<ID>> = []
  public private(set) var ended: [EndedAssignment] = []
  public private(set) var started: [(conversation: InTenant<ID>, assignment: Assignment)] = []
  public private(set) var accepted: [InTenant<ID>] = []
  /// True: something that matters to routing, and every router is to read it again.
  public private(set) var changedAgents: [InTenant<String>: Bool] = [:]
  /// Nobody has reported for them before.
  public private(set) var newAgents: Set<InTenant<String>> = []
  /// Skills and channels to be replaced.
  public private(set) var reports: [InTenant<String>: Report] = [:]
  public private(set) var segments: [Segment] = []
  public private(set) var decisions: [(tenant: String, id: ID, decision: RoutingDecision, isTaken: Bool)] = []
  public private(set) var events: [WriteSet.DomainEvent] = []

  public init(
    policy: RoutingPolicy, conversations: [InTenant<ID>: Conversation], assignments: [InTenant<ID>: Assignment],
    agents: [InTenant<String>: Agent], now: Timestamp, ids: IDGenerator
  ) {
    self.policy = policy
    self.conversations = conversations
    self.assignments = assignments
    self.agents = agents
    self.now = now
    self.ids = ids
  }

  // MARK: - The engine's decisions

  /// Writes the decision down, and carries it out if its conversation and agent are still as they were. True when it was.
  public mutating func carryOut(_ decision: RoutingDecision, tenant: String) -> Bool {
    let key = InTenant(tenant, decision.conversation)
    let isTaken = take(decision, key)
    if conversations[key] != nil { decisions.append((tenant, ids.next(), decision, isTaken)) }
    return isTaken
  }

  private mutating func take(_ decision: RoutingDecision, _ key: InTenant<ID>) -> Bool {
    guard var conversation = conversations[key], conversation.epoch == decision.epoch, conversation.owner == .queue,
      conversation.status == .open, !conversation.isMerged, assignments[key] == nil
    else { return false }
    switch decision.outcome {
    case .assign(let id, let acceptWithin):
      guard let agent = agents[InTenant(key.tenant, id)], agent.state == .online, agent.isThere(now),
        agent.hasRoom(decision.channel, decision.units)
      else { return false }
      assign(
        key, to: id, queue: decision.queue, channel: decision.channel, units: decision.units, acceptWithin: acceptWithin,
        reason: "routed")
    case .place(let agents, let until):
      let isNew = conversation.queuedAt == nil
      guard isNew || conversation.heldFor != agents || conversation.heldUntil != until else { return false }
      conversation.heldFor = agents
      conversation.heldUntil = until
      conversation.version += 1
      guard isNew else {
        change(key, conversation)
        return true
      }
      conversation.queue = decision.queue
      segments.append(
        Segment(
          conversation: key, position: conversation.epoch, owner: .queue, queue: decision.queue,
          startedAt: Self.start(of: conversation, now)))
      conversation.queuedAt = now
      change(key, conversation)
      tell(key, "conversation.queued") { data, conversation in
        data.member("queue_id", conversation.queue)
        data.member("reason", conversation.isHandedOff ? "handoff" : conversation.epoch == 0 ? "new" : "reopened")
      }
    case .bot(let bot):
      move(key, to: .bot(bot), reason: "bot")
      tell(key, "conversation.assigned") { data, _ in
        data.member("bot_id", bot)
        data.member("reason", "bot_first")
      }
    }
    return true
  }

  // MARK: - What agents do

  /// Nil when it was applied; otherwise why not, and an event that says so.
  public mutating func apply(_ action: Action, tenant: String) -> String? {
    let key = InTenant(tenant, action.conversation)
    guard let reason = refusal(of: action, key) else { return nil }
    refuse(action, key, reason)
    return reason
  }

  private mutating func refusal(of action: Action, _ key: InTenant<ID>) -> String? {
    guard let conversation = conversations[key] else { return "unknown_conversation" }
    guard let actor = agents[InTenant(key.tenant, action.agent)] else { return "unknown_agent" }
    guard conversation.isWorkable else { return "not_live" }
    if let epoch = action.ownershipEpoch, epoch != conversation.epoch { return "stale_epoch" }
    let assignment = assignments[key]
    switch action.kind {
    case .accept:
      guard let assignment, assignment.agent == action.agent else { return "not_owner" }
      guard assignment.isOffer else { return "not_offered" }
      accept(key, assignment)
    case .decline:
      guard let assignment, assignment.agent == action.agent else { return "not_owner" }
      guard assignment.isOffer else { return "not_offered" }
      requeue(key, reason: "declined", isExcluded: true)
    case .release:
      guard assignment?.agent == action.agent else { return "not_owner" }
      requeue(key, reason: "released", isExcluded: true)
    case .take:
      guard assignment?.agent != action.agent else { return "already_owner" }
      guard actor.state == .online || actor.state == .away, actor.isThere(now) else { return "not_online" }
      return claim(key, conversation, for: action.agent, reason: "taken")
    case .transfer:
      if case .agent(let owner) = conversation.owner, owner != action.agent { return "not_owner" }
      if let to = action.toAgent {
        guard to != conversation.owner.id || conversation.owner.kind != "agent" else { return "already_owner" }
        guard let agent = agents[InTenant(key.tenant, to)] else { return "unknown_agent" }
        guard agent.state == .online || agent.state == .away, agent.isThere(now) else { return "not_online" }
        return claim(key, conversation, for: to, reason: "transferred")
      }
      guard let queue = action.toQueue else { return "no_target" }
      guard policy.queue(queue) != nil else { return "unknown_queue" }
      if conversation.status == .pending {
        // It is to be looked at by somebody else now, not when the customer writes again.
        conversations[key]?.status = .open
        conversations[key]?.waitingSince = conversation.waitingSince ?? now
      }
      requeue(key, to: queue, reason: "transferred", isExcluded: true)
    default: return "not_routing"
    }
    return nil
  }

  private mutating func claim(
    _ key: InTenant<ID>, _ conversation: Conversation, for agent: String, reason: String
  ) -> String? {
    let units = policy.units(conversation.channel)
    guard agents[InTenant(key.tenant, agent)]?.hasRoom(conversation.channel, units) ?? false else { return "over_capacity" }
    assign(
      key, to: agent, queue: conversation.queue, channel: conversation.channel, units: units, acceptWithin: nil, reason: reason)
    return nil
  }

  /// The conversation hears of it, or else the agent, or else nobody who has events: then the action is its own subject.
  private mutating func refuse(_ action: Action, _ key: InTenant<ID>, _ reason: String) {
    func describe(_ data: inout JSONObjectWriter) {
      data.member("action_id", action.id)
      data.member("kind", action.kind.rawValue)
      data.member("agent_id", action.agent)
      data.member("conversation_id", action.conversation)
      data.member("reason", reason)
    }
    let agentKey = InTenant(key.tenant, action.agent)
    var data = JSONObjectWriter()
    var subject = action.id
    var seq: Int64 = 1
    if var conversation = conversations[key] {
      conversation.routingSeq += 1
      conversations[key] = conversation
      changedConversations.insert(key)
      (subject, seq) = (key.value.description, conversation.routingSeq)
      data.member("seq", seq)
      data.member("version", conversation.version)
      data.member("ownership_epoch", conversation.epoch)
    } else {
      if var agent = agents[agentKey] {
        agent.routingSeq += 1
        agents[agentKey] = agent
        changedAgents[agentKey] = changedAgents[agentKey] ?? false
        (subject, seq) = (action.agent, agent.routingSeq)
      }
      data.member("seq", seq)
    }
    describe(&data)
    append(key.tenant, "routing.events", "action.refused", subject, seq, data.finish())
  }

  // MARK: - Presence

  /// The newest report wins, of two with the same time the one that comes later; older ones change nothing.
  public mutating func apply(_ presence: Presence, tenant: String, reportedAt: Timestamp) {
    let key = InTenant(tenant, presence.agent)
    let known = agents[key]
    let reportedAt = min(reportedAt, now)
    // What was reported in the future, by whatever clock, says nothing about what is newer.
    if let known, known.reportedAt > reportedAt, known.reportedAt <= now { return }
    let profile = presence.profile
    let lease = reportedAt.advanced(by: .seconds(Int64(min(max(presence.leaseSeconds, 1), 86_400))))
    var agent =
      known
      ?? Agent(
        name: nil, state: .offline, capacity: 0, load: 0, channels: nil, live: [:], teams: [], profile: "", leaseExpiresAt: lease,
        reportedAt: reportedAt, idleSince: now, routingSeq: 0)
    let previous = agent.state
    // Another router may know them as gone, although nobody has written it down.
    let isBack = known.map { !$0.isThere(now) && lease > now } ?? false
    agent.reportedAt = reportedAt
    agent.leaseExpiresAt = lease
    let isChanged = known == nil || agent.profile != profile
    if isChanged {
      if presence.state == .online, previous != .online { agent.idleSince = now }
      agent.name = presence.name
      agent.state = presence.state
      agent.capacity = max(0, presence.capacity)
      agent.channels = presence.channels.isEmpty ? nil : presence.channels.mapValues { max(0, $0) }
      agent.teams = presence.teams
      agent.profile = profile
      reports[key] = Report(live: agent.live, presence: presence)
    }
    if known == nil { newAgents.insert(key) }
    agents[key] = agent
    changedAgents[key] = changedAgents[key] ?? false || isChanged || isBack
    let told = isBack && previous == agent.state ? .offline : previous
    if known == nil || told != agent.state { tellState(key, previous: known == nil ? nil : told, reason: "reported") }
  }

  private mutating func tellState(_ key: InTenant<String>, previous: Presence.State?, reason: String) {
    guard var agent = agents[key] else { return }
    agent.routingSeq += 1
    agents[key] = agent
    var data = JSONObjectWriter()
    data.member("seq", agent.routingSeq)
    data.member("agent_id", key.value)
    data.member("state", agent.state.rawValue)
    data.member("previous", previous?.rawValue)
    data.member("reason", reason)
    append(key.tenant, "routing.events", "agent.state_changed", key.value, agent.routingSeq, data.finish())
  }

  // MARK: - Time

  /// An agent whose lease has run out is offline.
  public mutating func tidy(agent key: InTenant<String>) {
    guard var agent = agents[key], agent.state != .offline, !agent.isThere(now) else { return }
    let previous = agent.state
    agent.state = .offline
    // The next report is news, whatever it says.
    agent.profile = ""
    agents[key] = agent
    changedAgents[key] = true
    tellState(key, previous: previous, reason: "lease_lost")
  }

  /// Applies what is due: timers, hand-offs, offers that nobody answered, owners who are gone.
  ///
  /// - Parameter judgesLeases: agents whose lease has run out are gone; otherwise what they report may not have been read yet.
  public mutating func tidy(_ key: InTenant<ID>, judgesLeases: Bool = true) {
    guard var conversation = conversations[key] else { return }
    if conversation.status == .pending, !conversation.isMerged,
      conversation.lastMessageAt.advanced(by: policy.resolvePendingAfter) <= now
    {
      conversation.status = .resolved
      conversation.resolvedAt = now
      change(key, conversation)
      tellStatus(key, "conversation.resolved", reason: "pending_too_long")
    } else if conversation.status == .resolved, let resolvedAt = conversation.resolvedAt,
      resolvedAt.advanced(by: policy.closeAfter) <= now
    {
      conversation.status = .closed
      change(key, conversation)
      tellStatus(key, "conversation.closed", reason: "time_over")
    } else if conversation.status == .snoozed, !conversation.isMerged, let until = conversation.snoozedUntil, until <= now {
      conversation.status = .open
      conversation.snoozedUntil = nil
      change(key, conversation)
      tellStatus(key, "conversation.reopened", reason: "snooze_over")
    }
    guard let conversation = conversations[key], conversation.owner != .queue || conversation.queuedAt != nil else { return }
    guard conversation.isWorkable else {
      let reason = conversation.isMerged ? "merged" : conversation.status.rawValue
      requeue(key, reason: reason, waits: false)
      return
    }
    if conversation.owner == .queue { return }
    if case .bot(let bot) = conversation.owner {
      if conversation.isHandedOff, conversation.status == .open {
        requeue(key, reason: "handoff", waits: false)
      } else if !policy.bots.contains(where: { $0.bot == bot }) {
        requeue(key, reason: "unassigned", waits: false)
      }
      return
    }
    guard let assignment = assignments[key] else { return requeue(key, reason: "unassigned") }
    guard let agent = agents[InTenant(key.tenant, assignment.agent)] else { return }
    let isLost = judgesLeases && !agent.isThere(now)
    if assignment.isOffer {
      if assignment.isAnswered || conversation.status == .pending {
        accept(key, assignment)
      } else if isLost || agent.state != .online {
        requeue(key, reason: "withdrawn")
      } else if let acceptBy = assignment.acceptBy, acceptBy <= now {
        requeue(key, reason: "not_answered", isExcluded: true)
      }
    } else if isLost || agent.state == .offline, policy.requeuesWhenLost {
      requeue(key, reason: "agent_lost")
    }
  }

  // MARK: - Moves

  private mutating func accept(_ key: InTenant<ID>, _ offer: Assignment) {
    var assignment = offer
    assignment.isOffer = false
    assignments[key] = assignment
    accepted.append(key)
    bump(key)
    tellAssigned(key, assignment, reason: "accepted")
  }

  private mutating func assign(
    _ key: InTenant<ID>, to agent: String, queue: String?, channel: Channel, units: Int32, acceptWithin: Duration?, reason: String
  ) {
    end(key, reason: reason)
    conversations[key]?.queue = queue
    move(key, to: .agent(agent), reason: reason)
    let assignment = Assignment(
      id: ids.next(), agent: agent, queue: queue, isOffer: acceptWithin != nil, epoch: conversations[key]?.epoch ?? 0,
      channel: channel, units: units, offeredAt: now, acceptBy: acceptWithin.map { now.advanced(by: $0) })
    assignments[key] = assignment
    started.append((key, assignment))
    let agentKey = InTenant(key.tenant, agent)
    agents[agentKey]?.load += units
    agents[agentKey]?.live[channel, default: 0] += 1
    agents[agentKey]?.idleSince = now
    if assignment.isOffer {
      tell(key, "conversation.offered") { data, _ in
        Self.describe(assignment, &data)
        data.member("accept_by", assignment.acceptBy?.iso8601)
        data.member("reason", reason)
      }
    } else {
      tellAssigned(key, assignment, reason: reason)
    }
  }

  /// - Parameter waits: it goes on waiting in a queue; otherwise nobody needs an owner for it, or the engine is to find its queue.
  private mutating func requeue(
    _ key: InTenant<ID>, to queue: String? = nil, reason: String, isExcluded: Bool = false, waits: Bool = true
  ) {
    end(key, reason: reason, isExcluded: isExcluded)
    move(key, to: .queue, reason: reason)
    guard var conversation = conversations[key] else { return }
    conversation.queue = queue ?? conversation.queue
    conversation.queuedAt = waits && conversation.queue != nil ? now : nil
    if !waits, conversation.status != .snoozed { conversation.queue = nil }
    conversations[key] = conversation
    // What is over is nobody's; the rest waits, perhaps in no queue yet.
    if conversation.isWorkable {
      segments.append(
        Segment(conversation: key, position: conversation.epoch, owner: .queue, queue: conversation.queue, startedAt: now))
    }
    guard conversation.queuedAt != nil else { return }
    tell(key, "conversation.queued") { data, conversation in
      data.member("queue_id", conversation.queue)
      data.member("reason", reason)
    }
  }

  /// Ends what the conversation's agent has of it, and gives the load back.
  private mutating func end(_ key: InTenant<ID>, reason: String, isExcluded: Bool = false) {
    guard let assignment = assignments.removeValue(forKey: key) else { return }
    ended.append(
      EndedAssignment(
        conversation: key, assignment: assignment, reason: reason,
        excludedUntil: isExcluded ? now.advanced(by: policy.excludedFor) : nil))
    let agentKey = InTenant(key.tenant, assignment.agent)
    agents[agentKey]?.load -= assignment.units
    agents[agentKey]?.live[assignment.channel, default: 0] -= 1
    bump(key)
    tell(key, "conversation.unassigned") { data, _ in
      data.member("agent_id", assignment.agent)
      data.member("assignment_id", assignment.id)
      data.member("reason", reason)
    }
  }

  /// Changes the owner: one segment ends and, but for the queue, the next begins.
  private mutating func move(_ key: InTenant<ID>, to owner: Owner, reason: String) {
    if case .bot(let bot)? = conversations[key]?.owner {
      bump(key)
      tell(key, "conversation.unassigned") { data, _ in
        data.member("bot_id", bot)
        data.member("reason", reason)
      }
    }
    guard var conversation = conversations[key] else { return }
    segments.append(
      Segment(
        conversation: key, position: conversation.epoch, owner: conversation.owner,
        // Who waited in no queue yet waited in the one they are given from.
        queue: conversation.queue, startedAt: Self.start(of: conversation, now), endedAt: now, endReason: reason))
    conversation.owner = owner
    conversation.epoch += 1
    conversation.version += 1
    conversation.queuedAt = nil
    conversation.heldFor = []
    conversation.heldUntil = nil
    if owner != .queue {
      segments.append(
        Segment(conversation: key, position: conversation.epoch, owner: owner, queue: conversation.queue, startedAt: now))
    }
    change(key, conversation)
  }

  /// Since when it has waited for an owner, where no segment says so.
  private static func start(of conversation: Conversation, _ now: Timestamp) -> Timestamp {
    min(
      now,
      conversation.queuedAt ?? conversation.waitingSince ?? (conversation.epoch == 0 ? conversation.openedAt : now))
  }

  private mutating func bump(_ key: InTenant<ID>) {
    conversations[key]?.version += 1
    changedConversations.insert(key)
  }

  private mutating func change(_ key: InTenant<ID>, _ conversation: Conversation) {
    conversations[key] = conversation
    changedConversations.insert(key)
  }

  // MARK: - Events

  private mutating func tellAssigned(_ key: InTenant<ID>, _ assignment: Assignment, reason: String) {
    tell(key, "conversation.assigned") { data, _ in
      Self.describe(assignment, &data)
      data.member("reason", reason)
    }
  }

  private static func describe(_ assignment: Assignment, _ data: inout JSONObjectWriter) {
    data.member("agent_id", assignment.agent)
    data.member("queue_id", assignment.queue)
    data.member("assignment_id", assignment.id)
    data.member("channel", assignment.channel.rawValue)
  }

  private mutating func tell(
    _ key: InTenant<ID>, _ type: String, _ describe: (inout JSONObjectWriter, Conversation) -> Void
  ) {
    guard var conversation = conversations[key] else { return }
    conversation.routingSeq += 1
    conversations[key] = conversation
    var data = JSONObjectWriter()
    data.member("seq", conversation.routingSeq)
    data.member("version", conversation.version)
    data.member("conversation_id", key.value)
    data.member("ownership_epoch", conversation.epoch)
    describe(&data, conversation)
    append(key.tenant, "routing.events", type, key.value.description, conversation.routingSeq, data.finish())
  }

  private mutating func tellStatus(_ key: InTenant<ID>, _ type: String, reason: String) {
    guard var conversation = conversations[key] else { return }
    conversation.version += 1
    conversation.eventSeq += 1
    conversations[key] = conversation
    var data = JSONObjectWriter()
    data.member("seq", conversation.eventSeq)
    data.member("version", conversation.version)
    data.member("conversation_id", key.value)
    data.member("customer_id", conversation.customer)
    data.member("reason", reason)
    append(key.tenant, "conversation.events", type, key.value.description, conversation.eventSeq, data.finish())
  }

  private mutating func append(
    _ tenant: String, _ topic: String, _ type: String, _ subject: String, _ seq: Int64, _ data: JSONText
  ) {
    events.append(
      WriteSet.DomainEvent(
        tenant: tenant, id: ids.next(), topic: topic, type: type, subject: subject, seq: seq, at: now, traceparent: nil,
        data: data))
  }
}
