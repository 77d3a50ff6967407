import Canonical
import Engine
import Postgres

/// What a router writes, each a statement for the whole batch.
public enum RouteWrites {
  /// So that somebody leases the tenants before the first record of a customer.
  public static func register(tenants: Set<String>, on db: isolated PostgresConnection) throws(PostgresFault) {
    guard !tenants.isEmpty else { return }
    try db.send(Queries.named("tenants_register"), [.texts(tenants.sorted())])
  }

  /// Those of the actions that nobody has applied before; remembers them all. In key order, before anything is locked.
  public static func newKeys(
    _ keys: Set<InTenant<MessageKey>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> Set<InTenant<MessageKey>> {
    guard !keys.isEmpty else { return [] }
    let keys = keys.sorted()
    let rows = try db.query(
      Queries.named("keys_insert"), [.texts(keys.map(\.tenant)), .uuids(keys.map { PostgresUUID($0.value.raw) })])
    return Set((0..<rows.count).map { InTenant(rows.text($0, 0), MessageKey(rows.uuid($0, 1).id.raw)) })
  }

  /// Writes the plan, under the locks of `RouteReads.lock`: agents before what changes their load, ends before beginnings.
  public static func write(
    _ plan: OwnershipPlan, topicPrefix: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    try agents(plan, on: db)
    try conversations(plan, on: db)
    try assignments(plan, on: db)
    try segments(plan, on: db)
    try db.copy(
      plan.decisions,
      into:
        """
        routing_decision (tenant_id, id, conversation_id, queue_id, policy_version, agent_id, rule, taken, candidates, excluded, \
        created_at)
        """,
      count: 11
    ) { row, decision in
      row.text(decision.tenant)
      row.uuid(PostgresUUID(decision.id))
      row.uuid(PostgresUUID(decision.decision.conversation))
      row.text(decision.decision.queue)
      row.int4(decision.decision.policyVersion)
      row.text(decision.decision.agent)
      row.text(decision.decision.rule)
      row.bool(decision.isTaken)
      row.jsonb(candidates(decision.decision))
      row.jsonb(excluded(decision.decision))
      row.timestamp(plan.now.stored)
    }
    try db.copy(OutboxEvents.rows(plan.events, source: "route", topicPrefix: topicPrefix))
  }

  private static func agents(_ plan: OwnershipPlan, on db: isolated PostgresConnection) throws(PostgresFault) {
    let changed = plan.changedAgents.inKeyOrder.compactMap { key, matters in
      plan.agents[key].map { (key: key, agent: $0, matters: matters) }
    }
    guard !changed.isEmpty else { return }
    let new = plan.newAgents.sorted()
    if !new.isEmpty {
      let inserted = try db.query(
        Queries.named("route_agents_insert"), [.texts(new.map(\.tenant)), .texts(new.map(\.value))])
      // Theirs may have work by now.
      guard inserted.affected == new.count else { throw .replan("an agent was inserted by somebody else") }
    }
    try db.send(
      Queries.named("route_agents_write"),
      [
        .texts(changed.map(\.key.tenant)), .texts(changed.map(\.key.value)), .texts(changed.map(\.agent.name)),
        .texts(changed.map(\.agent.state.rawValue)), .int4s(changed.map(\.agent.capacity)),
        .bools(changed.map { $0.agent.channels != nil }), .texts(changed.map { array($0.agent.teams) }),
        .texts(changed.map(\.agent.profile)), .times(changed.map(\.agent.leaseExpiresAt)),
        .times(changed.map(\.agent.reportedAt)),
        .times(changed.map(\.agent.idleSince)), .int8s(changed.map(\.agent.routingSeq)), .bools(changed.map(\.matters)),
      ])
    let reports = plan.reports.inKeyOrder
    guard !reports.isEmpty else { return }
    let keys: [PostgresParameter] = [.texts(reports.map(\.key.tenant)), .texts(reports.map(\.key.value))]
    try db.send(Queries.named("route_agent_channels_delete"), keys)
    let channels = reports.flatMap { key, report in
      report.presence.channels.sorted { $0.key.rawValue < $1.key.rawValue }.map {
        (key: key, channel: $0.key, capacity: max(0, $0.value), load: report.live[$0.key] ?? 0)
      }
    }
    try db.send(
      Queries.named("route_agent_channels_insert"),
      [
        .texts(channels.map(\.key.tenant)), .texts(channels.map(\.key.value)), .texts(channels.map(\.channel.rawValue)),
        .int4s(channels.map(\.capacity)), .int4s(channels.map(\.load)),
      ])
    try db.send(Queries.named("route_agent_skills_delete"), keys)
    let skills = reports.flatMap { key, report in
      report.presence.skills.inKeyOrder.map { (key: key, skill: $0.key, level: $0.value) }
    }
    try db.send(
      Queries.named("route_agent_skills_insert"),
      [
        .texts(skills.map(\.key.tenant)), .texts(skills.map(\.key.value)), .texts(skills.map(\.skill)),
        .int2s(skills.map(\.level)),
      ])
  }

  private static func conversations(_ plan: OwnershipPlan, on db: isolated PostgresConnection) throws(PostgresFault) {
    let changed = plan.changedConversations.sorted().compactMap { key in
      plan.conversations[key].map { (key: key, conversation: $0) }
    }
    guard !changed.isEmpty else { return }
    try db.send(
      Queries.named("route_conversations_write"),
      [
        .texts(changed.map(\.key.tenant)), .ids(changed.map(\.key.value)), .texts(changed.map(\.conversation.status.rawValue)),
        .texts(changed.map(\.conversation.owner.kind)), .texts(changed.map(\.conversation.owner.id)),
        .int8s(changed.map(\.conversation.epoch)), .texts(changed.map(\.conversation.queue)),
        .int8s(changed.map(\.conversation.version)), .int8s(changed.map(\.conversation.eventSeq)),
        .int8s(changed.map(\.conversation.routingSeq)), .times(changed.map(\.conversation.queuedAt)),
        .times(changed.map(\.conversation.resolvedAt)), .times(changed.map(\.conversation.snoozedUntil)),
        .texts(changed.map { array($0.conversation.heldFor) }), .times(changed.map(\.conversation.heldUntil)),
        .times(changed.map(\.conversation.waitingSince)),
      ])
  }

  private static func assignments(_ plan: OwnershipPlan, on db: isolated PostgresConnection) throws(PostgresFault) {
    let started = Set(plan.started.map(\.assignment.id))
    // What began and ended in this very transaction never had a load.
    let shortLived = Dictionary(
      plan.ended.filter { started.contains($0.assignment.id) }.map { ($0.assignment.id, $0) }, uniquingKeysWith: { $1 })
    let ended = plan.ended.filter { !started.contains($0.assignment.id) }
    if !ended.isEmpty {
      try db.send(
        Queries.named("route_assignments_end"),
        [
          .texts(ended.map(\.conversation.tenant)), .ids(ended.map(\.assignment.id)), .timestamp(microseconds: plan.now.stored),
          .texts(ended.map(\.reason)), .times(ended.map(\.excludedUntil)),
        ])
    }
    let accepted = plan.accepted.compactMap { key in plan.assignments[key].map { (key.tenant, $0.id) } }.filter {
      !started.contains($0.1)
    }
    if !accepted.isEmpty {
      try db.send(
        Queries.named("route_assignments_accept"),
        [.texts(accepted.map(\.0)), .ids(accepted.map(\.1)), .timestamp(microseconds: plan.now.stored)])
    }
    guard !plan.started.isEmpty else { return }
    let rows = plan.started.map { key, assignment in
      // It may have been accepted since.
      (
        key: key, assignment: plan.assignments[key].flatMap { $0.id == assignment.id ? $0 : nil } ?? assignment,
        ended: shortLived[assignment.id]
      )
    }
    let now = plan.now
    try db.send(
      Queries.named("route_assignments_start"),
      [
        .texts(rows.map(\.key.tenant)), .ids(rows.map(\.assignment.id)), .timestamp(microseconds: now.stored),
        .ids(rows.map(\.key.value)), .texts(rows.map(\.assignment.agent)), .texts(rows.map(\.assignment.queue)),
        .texts(rows.map { $0.ended != nil ? "ended" : $0.assignment.isOffer ? "offered" : "active" }),
        .int8s(rows.map(\.assignment.epoch)), .texts(rows.map(\.assignment.channel.rawValue)),
        .int4s(rows.map(\.assignment.units)),
        .times(rows.map(\.assignment.acceptBy)), .times(rows.map { $0.assignment.isOffer ? nil : now }),
        .times(rows.map { $0.ended != nil ? now : nil }), .texts(rows.map { $0.ended?.reason }),
        .times(rows.map { $0.ended?.excludedUntil }),
      ])
  }

  private static func segments(_ plan: OwnershipPlan, on db: isolated PostgresConnection) throws(PostgresFault) {
    struct Key: Hashable {
      var conversation: InTenant<ID>
      var position: Int64
    }
    // One that begins and ends in this transaction is one row.
    var rows: [Key: OwnershipPlan.Segment] = [:]
    for segment in plan.segments {
      let key = Key(conversation: segment.conversation, position: segment.position)
      var row = rows[key] ?? segment
      row.endedAt = segment.endedAt
      row.endReason = segment.endReason
      row.queue = row.queue ?? segment.queue
      rows[key] = row
    }
    guard !rows.isEmpty else { return }
    let list = rows.values.sorted { ($0.conversation, $0.position) < ($1.conversation, $1.position) }
    try db.send(
      Queries.named("route_segments_write"),
      [
        .texts(list.map(\.conversation.tenant)), .ids(list.map(\.conversation.value)), .int8s(list.map(\.position)),
        .texts(list.map(\.owner.kind)), .texts(list.map(\.owner.id)), .texts(list.map(\.queue)), .times(list.map(\.startedAt)),
        .times(list.map(\.endedAt)), .texts(list.map(\.endReason)),
      ])
  }

  /// The queues of the policy, for readers and the audit.
  public static func queues(
    of policy: RoutingPolicy, tenant: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    try db.send(
      Queries.named("route_queues_write"),
      [
        .text(tenant), .int4(policy.version), .texts(policy.queues.map(\.id)), .texts(policy.queues.map(\.name)),
        .texts(policy.queues.map { array($0.teams.sorted()) }),
        .texts(
          policy.queues.map { queue in
            var skills = JSONObjectWriter()
            for (skill, level) in queue.skills.sorted(by: { $0.key < $1.key }) { skills.member(skill, Int64(level)) }
            return skills.finish().string
          }),
      ])
  }

  // MARK: - JSON

  private static func array(_ values: [String]) -> String {
    var object = JSONObjectWriter()
    object.member("a", values)
    return String(object.finish().string.dropFirst(#"{"a":"#.count).dropLast())
  }

  private static func candidates(_ decision: RoutingDecision) -> [UInt8] {
    let objects = decision.candidates.map { candidate in
      var object = JSONObjectWriter()
      object.member("agent_id", candidate.agent)
      object.member("idle_since", candidate.idleSince.iso8601)
      return object.finish().string
    }
    return Array("[\(objects.joined(separator: ","))]".utf8)
  }

  private static func excluded(_ decision: RoutingDecision) -> [UInt8] {
    var object = JSONObjectWriter()
    for (reason, count) in decision.excluded.sorted(by: { $0.key < $1.key }) { object.member(reason, Int64(count)) }
    return object.finish().utf8
  }
}
