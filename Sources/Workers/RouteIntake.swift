import Canonical
import Channels
import Engine
import Postgres
import Store

/// What agents report and do, from normalised records to committed rows: one transaction a batch, without business rules of its own.
struct RouteIntake: Sendable {
  let policy: RoutingPolicy
  let topicPrefix: String

  /// What a committed batch was about.
  struct Commit: Sendable {
    var conversations: Set<InTenant<ID>> = []
    var agents: Set<InTenant<String>> = []
    /// Kind of the action and why it was refused; nil: applied.
    var actions: [(kind: String, refusal: String?)] = []
    var reports = 0
  }

  /// Ingest reads the actions, too, and remembers them under their own keys.
  private static func key(_ key: MessageKey) -> MessageKey {
    MessageKey(Bytes16(high: key.raw.high ^ 0x726f_7574_6572_0000, low: key.raw.low))
  }

  /// Applied at most once: actions by their key, reports by their time (of two with the same, the later one counts).
  func commit(
    _ records: [NormalisedRecord], seed: UInt64, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> Commit {
    try db.transaction(settings: RouteDesk.transactionSettings) { () throws(PostgresFault) -> Commit in
      var commit = Commit()
      var reports: [InTenant<String>: (presence: Presence, at: Timestamp)] = [:]
      var actions: [(key: InTenant<MessageKey>, action: Action)] = []
      let latest = WallClock.now()
      for (record, element) in records.lazy.flatMap({ record in record.elements.map { (record.record, $0) } }) {
        guard case .event(let event) = element else { continue }
        switch event.body {
        case .presence(let presence):
          let key = InTenant(event.tenant, presence.agent)
          // The broker's word before the desktop's, and nobody's before ours.
          let at = max(min(record.timestamp ?? event.receivedAt, latest), Timestamp.storable.lowerBound)
          if reports[key].map({ $0.at <= at }) ?? true { reports[key] = (presence, at) }
        case .action(let action) where action.kind.isRouting:
          actions.append((InTenant(event.tenant, Self.key(event.key)), action))
        default: continue
        }
      }
      guard !reports.isEmpty || !actions.isEmpty else { return commit }
      var new = try RouteWrites.newKeys(Set(actions.map(\.key)), on: db)
      actions = actions.filter { new.remove($0.key) != nil }
      commit.conversations = Set(actions.map { InTenant($0.key.tenant, $0.action.conversation) })
      commit.agents = Set(reports.keys)
      for (key, action) in actions {
        commit.agents.insert(InTenant(key.tenant, action.agent))
        if let other = action.toAgent { commit.agents.insert(InTenant(key.tenant, other)) }
      }
      try RouteWrites.register(tenants: Set(reports.keys.map(\.tenant)), on: db)
      let locked = try RouteReads.lock(conversations: commit.conversations, agents: commit.agents, on: db)
      commit.agents.formUnion(locked.agents.keys)
      // After the wait for the locks: what happens later is later.
      let now = WallClock.now()
      var plan = OwnershipPlan(
        policy: policy, conversations: locked.conversations, assignments: locked.assignments, agents: locked.agents, now: now,
        ids: IDGenerator(milliseconds: UInt64(max(0, now.microseconds / 1_000)), seed: seed))
      for (key, report) in reports.sorted(by: { $0.key < $1.key }) {
        plan.apply(report.presence, tenant: key.tenant, reportedAt: report.at)
        commit.reports += 1
      }
      for (key, action) in actions {
        commit.actions.append((action.kind.rawValue, plan.apply(action, tenant: key.tenant)))
      }
      try RouteWrites.write(plan, topicPrefix: topicPrefix, on: db)
      return commit
    }
  }
}
