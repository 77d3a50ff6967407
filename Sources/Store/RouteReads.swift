import Canonical
import Engine
import Postgres

/// What a router reads and locks, each a statement for the whole batch.
public enum RouteReads {
  /// The rows that a plan works on, locked in the global order: conversations, what they have, agents.
  public struct Locked: Sendable {
    public var conversations: [InTenant<ID>: OwnershipPlan.Conversation] = [:]
    public var assignments: [InTenant<ID>: OwnershipPlan.Assignment] = [:]
    public var agents: [InTenant<String>: OwnershipPlan.Agent] = [:]
  }

  /// - Parameter agents: beside those who have one of the conversations.
  public static func lock(
    conversations: Set<InTenant<ID>>, agents: Set<InTenant<String>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> Locked {
    var locked = Locked()
    let keys = conversations.sorted()
    var agents = agents
    if !keys.isEmpty {
      let parameters: [PostgresParameter] = [.texts(keys.map(\.tenant)), .ids(keys.map(\.value))]
      let rows = try db.query(Queries.named("route_conversations_lock"), parameters)
      for row in 0..<rows.count { locked.conversations[keys[rows.position(row)]] = conversation(rows, row) }
      let current = try db.query(Queries.named("route_assignments_lock"), parameters)
      for row in 0..<current.count {
        let key = keys[current.position(row)]
        let assignment = assignment(current, row)
        locked.assignments[key] = assignment
        agents.insert(InTenant(key.tenant, assignment.agent))
      }
    }
    locked.agents = try lock(agents, on: db)
    return locked
  }

  private static func lock(
    _ agents: Set<InTenant<String>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [InTenant<String>: OwnershipPlan.Agent] {
    guard !agents.isEmpty else { return [:] }
    let keys = agents.sorted()
    let parameters: [PostgresParameter] = [.texts(keys.map(\.tenant)), .texts(keys.map(\.value))]
    let rows = try db.query(Queries.named("route_agents_lock"), parameters)
    var locked: [InTenant<String>: OwnershipPlan.Agent] = [:]
    for row in 0..<rows.count {
      locked[keys[rows.position(row)]] = OwnershipPlan.Agent(
        name: rows.optionalText(row, 1), state: Presence.State(rawValue: rows.text(row, 2)) ?? .offline,
        capacity: rows.int4(row, 3),
        load: rows.int4(row, 4), channels: rows.bool(row, 5) ? [:] : nil, live: [:], teams: rows.texts(row, 6),
        profile: rows.text(row, 7), leaseExpiresAt: rows.timestamp(row, 8), reportedAt: rows.timestamp(row, 9),
        idleSince: rows.timestamp(row, 10), routingSeq: rows.int8(row, 11))
    }
    // In a statement of its own, so that it sees what others committed before they let go of the agents.
    let channels = try db.query(Queries.named("route_agent_channels_read"), parameters)
    for row in 0..<channels.count {
      guard let channel = Channel(rawValue: channels.text(row, 1)) else { continue }
      let key = keys[channels.position(row)]
      if !channels.isNull(row, 2), locked[key]?.channels != nil { locked[key]?.channels?[channel] = channels.int4(row, 2) }
      locked[key]?.live[channel] = channels.int4(row, 3)
    }
    return locked
  }

  private static func conversation(_ rows: borrowing PostgresResult, _ row: Int) -> OwnershipPlan.Conversation {
    let ownerID = rows.optionalText(row, 5) ?? ""
    let owner: OwnershipPlan.Owner =
      switch rows.text(row, 4) {
      case "agent": .agent(ownerID)
      case "bot": .bot(ownerID)
      default: .queue
      }
    return OwnershipPlan.Conversation(
      customer: rows.uuid(row, 1).id, status: ConversationState.Status(rawValue: rows.text(row, 2)) ?? .closed,
      isMerged: rows.bool(row, 3), owner: owner, epoch: rows.int8(row, 6), queue: rows.optionalText(row, 7),
      version: rows.int8(row, 8), eventSeq: rows.int8(row, 9), routingSeq: rows.int8(row, 10),
      channel: Channel(rawValue: rows.text(row, 11)) ?? .desk, isHandedOff: rows.bool(row, 12), openedAt: rows.timestamp(row, 13),
      lastMessageAt: rows.timestamp(row, 14), waitingSince: rows.optionalTimestamp(row, 15),
      resolvedAt: rows.optionalTimestamp(row, 16), snoozedUntil: rows.optionalTimestamp(row, 17),
      queuedAt: rows.optionalTimestamp(row, 18), heldFor: rows.texts(row, 19), heldUntil: rows.optionalTimestamp(row, 20))
  }

  private static func assignment(_ rows: borrowing PostgresResult, _ row: Int) -> OwnershipPlan.Assignment {
    OwnershipPlan.Assignment(
      id: rows.uuid(row, 1).id, agent: rows.text(row, 2), queue: rows.optionalText(row, 3), isOffer: rows.bool(row, 4),
      epoch: rows.int8(row, 5), channel: Channel(rawValue: rows.text(row, 6)) ?? .desk, units: rows.int4(row, 7),
      offeredAt: rows.timestamp(row, 8), acceptBy: rows.optionalTimestamp(row, 9), isAnswered: rows.bool(row, 10))
  }

  // MARK: - For the engine

  /// What waits for an owner, and how old our knowledge of it may be.
  public static func waitingVersions(
    tenant: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [ID: Int64] {
    let rows = try db.query(Queries.named("route_waiting_versions"), [.text(tenant)])
    return Dictionary((0..<rows.count).map { (rows.uuid($0, 0).id, rows.int8($0, 1)) }) { $1 }
  }

  public static func agentVersions(
    tenant: String, now: Timestamp, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [String: (version: Int64, state: String, isOnline: Bool)] {
    let rows = try db.query(Queries.named("route_agent_versions"), [.text(tenant), .timestamp(microseconds: now.stored)])
    let agents = (0..<rows.count).map { (rows.text($0, 0), (rows.int8($0, 1), rows.text($0, 2), rows.bool($0, 3))) }
    return Dictionary(agents) { $1 }
  }

  /// Conversations with a bot that the policy does not name, at most `limit`.
  public static func withoutBot(
    tenant: String, policy: RoutingPolicy, limit: Int32, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [ID] {
    let rows = try db.query(
      Queries.named("route_bots_gone"), [.text(tenant), .texts(Set(policy.bots.map(\.bot)).sorted()), .int4(limit)])
    return (0..<rows.count).map { rows.uuid($0, 0).id }
  }

  /// Those of the conversations that wait for an owner.
  public static func waiting(
    _ ids: [ID], tenant: String, now: Timestamp, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [WaitingConversation] {
    guard !ids.isEmpty else { return [] }
    let rows = try db.query(
      Queries.named("route_waiting_read"), [.text(tenant), .ids(ids), .timestamp(microseconds: now.stored)])
    return (0..<rows.count).map { row in
      var facts = WaitingConversation(
        id: ids[rows.position(row)], version: rows.int8(row, 1), epoch: rows.int8(row, 2),
        channel: Channel(rawValue: rows.text(row, 3)) ?? .desk, waitingSince: rows.timestamp(row, 7))
      facts.account = rows.optionalText(row, 4)
      facts.language = rows.optionalText(row, 5)
      facts.priority = rows.int4(row, 6)
      facts.queue = rows.optionalText(row, 8)
      facts.queuedAt = rows.optionalTimestamp(row, 9)
      facts.organization = rows.optionalText(row, 10)
      facts.isHandedOff = rows.bool(row, 11)
      facts.accountManager = rows.optionalText(row, 12)
      facts.lastAgent = rows.optionalText(row, 13)
      for (agent, until) in zip(rows.texts(row, 14), rows.timestamps(row, 15)) {
        facts.excluded[agent] = max(facts.excluded[agent] ?? until, until)
      }
      facts.heldFor = rows.texts(row, 16)
      facts.heldUntil = rows.optionalTimestamp(row, 17)
      return facts
    }
  }

  public static func agents(
    _ ids: [String], tenant: String, now: Timestamp, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [RoutingAgent] {
    guard !ids.isEmpty else { return [] }
    let rows = try db.query(
      Queries.named("route_agents_read"), [.text(tenant), .texts(ids), .timestamp(microseconds: now.stored)])
    return (0..<rows.count).map { row in
      var agent = RoutingAgent(
        id: ids[rows.position(row)], version: rows.int8(row, 1), isOnline: rows.bool(row, 2), capacity: rows.int4(row, 3),
        load: rows.int4(row, 4), idleSince: rows.timestamp(row, 5))
      agent.teams = Set(rows.texts(row, 6))
      if rows.bool(row, 7) {
        agent.channels = [:]
        for (name, (capacity, load)) in zip(rows.texts(row, 8), zip(rows.int4s(row, 9), rows.int4s(row, 10))) {
          if let channel = Channel(rawValue: name) { agent.channels?[channel] = .init(capacity: capacity, load: load) }
        }
      }
      agent.skills = Dictionary(zip(rows.texts(row, 11), rows.int4s(row, 12).map { Int16(clamping: $0) })) { $1 }
      return agent
    }
  }

  // MARK: - What is due

  /// Conversations and agents that a plan has something to tidy up of, at most `limit` of each kind.
  ///
  /// - Parameter judgesLeases: agents whose lease has run out count.
  public static func due(
    tenant: String, policy: RoutingPolicy, judgesLeases: Bool, now: Timestamp, limit: Int32, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> (conversations: [ID], agents: [String]) {
    let leaseEnd = judgesLeases ? now : Timestamp.storable.lowerBound
    let agents = try db.query(
      Queries.named("route_due_agents"), [.text(tenant), .timestamp(microseconds: leaseEnd.stored), .int4(limit)])
    let conversations = try db.query(
      Queries.named("route_due"),
      [
        .text(tenant), .timestamp(microseconds: now.stored),
        .timestamp(microseconds: now.advanced(by: .zero - policy.closeAfter).stored),
        .timestamp(microseconds: now.advanced(by: .zero - policy.resolvePendingAfter).stored), .bool(policy.requeuesWhenLost),
        .int4(limit), .timestamp(microseconds: leaseEnd.stored),
      ])
    return ((0..<conversations.count).map { conversations.uuid($0, 0).id }, (0..<agents.count).map { agents.text($0, 0) })
  }

  /// Pairs of a conversation that waits and an agent who may and can take it, at most 100: at rest there are none.
  public static func idlePairs(
    tenant: String, policy: RoutingPolicy, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [(conversation: ID, agent: String)] {
    let units = policy.units.sorted { $0.key.rawValue < $1.key.rawValue }
    let rows = try db.query(
      Queries.named("route_audit"),
      [.text(tenant), .texts(units.map(\.key.rawValue)), .int4s(units.map(\.value)), .int4(policy.otherUnits)])
    return (0..<rows.count).map { (rows.uuid($0, 0).id, rows.text($0, 1)) }
  }
}

extension PostgresResult {
  fileprivate func int4s(_ row: Int, _ column: Int) -> [Int32] {
    elements(row, column) { Int32(truncatingIfNeeded: $0.reduce(0 as UInt32) { $0 << 8 | UInt32($1) }) }
  }
  fileprivate func timestamps(_ row: Int, _ column: Int) -> [Timestamp] {
    elements(row, column) {
      Timestamp(microseconds: Int64(bitPattern: $0.reduce(0) { $0 << 8 | UInt64($1) }) &+ 946_684_800_000_000)
    }
  }
}
