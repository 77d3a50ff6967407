import Canonical
import Engine
import Glibc
import Logging
import Postgres
import Store
import Synchronization

/// Decides for the tenants whose lease it holds: reads what has changed, feeds their engines, commits what these decide.
///
/// An engine is a copy of what PostgreSQL holds. Whenever that is in doubt (a lost lease, a fault, a new start) it is thrown away and
/// built anew; every decision is conditional on the row that it is about.
final class RouteDesk: Sendable {
  struct Settings: Sendable {
    var instance: String
    var topicPrefix: String
    /// Asked whenever it matters: it may become another one.
    var policy: @Sendable () -> RoutingPolicy
    var signals = WorkerSignals()
    var leaseSeconds = 6.0
    /// What a missed event costs at most.
    var reconcileEvery = Duration.seconds(2)
    var tidyEvery = Duration.milliseconds(250)
    /// Decisions in one transaction.
    var batchDecisions = 100
    /// Called with the tenants, whenever these become others.
    var onTenants: @Sendable (Set<String>) -> Void = { _ in }
  }

  static let transactionSettings = [
    "statement_timeout = '30s'", "lock_timeout = '10s'", "idle_in_transaction_session_timeout = '30s'",
  ]
  private static let readCount = 1_000
  private static let maximumAttempts = 8

  private struct Tenant: Sendable {
    var engine: RoutingEngine
    var reconcileAt = ContinuousClock.now
    var tidyAt = ContinuousClock.now
  }

  private let settings: Settings
  private let db: PostgresConnection
  private let marks: RouteMarks
  private let logger: Logger
  private let leases: RouteLeases

  init(settings: Settings, db: PostgresConnection, marks: RouteMarks, logger: Logger) {
    self.settings = settings
    self.db = db
    self.marks = marks
    self.logger = logger
    leases = RouteLeases(owner: settings.instance, seconds: settings.leaseSeconds)
  }

  /// Runs until its task is cancelled, or until a fault that no retry cures; then gives the leases back.
  func run() async throws {
    do {
      try await work()
    } catch {
      await release()
      throw error
    }
    await release()
  }

  private func release() async {
    try? await db.perform { [leases] db throws(PostgresFault) in try leases.release(on: db) }
  }

  private func work() async throws {
    var tenants: [String: Tenant] = [:]
    var renewAt = ContinuousClock.now
    /// Before that, tenants of whom something is heard are somebody else's.
    var askAt = ContinuousClock.now
    var attempt = 0
    for await _ in marks.bell {
      if Task.isCancelled { return }
      do throws(PostgresFault) {
        let marks = marks.take()
        let hearsOfNew = (marks.conversations.keys + Array(marks.agents.keys)).contains { tenants[$0] == nil }
        if .now >= renewAt || hearsOfNew && .now >= askAt {
          // At a third of the lease, so that one slow round does not lose it.
          askAt = .now + .milliseconds(100)
          renewAt = .now + .seconds(settings.leaseSeconds / 3)
          try await renew(&tenants)
        }
        let policy = settings.policy()
        for name in tenants.keys.sorted() {
          guard var tenant = tenants[name] else { continue }
          if marks.isFull { tenant.reconcileAt = .now }
          if tenant.engine.policy != policy {
            try await db.perform { db throws(PostgresFault) in try RouteWrites.queues(of: policy, tenant: name, on: db) }
            tenant = Tenant(engine: RoutingEngine(policy: policy))
          }
          try await step(&tenant, name, marks.conversations[name] ?? [], marks.agents[name] ?? [])
          tenants[name] = tenant
        }
        attempt = 0
        settings.signals.progressed()
        settings.signals.isReady(.database, true)
        settings.signals.status("\(tenants.count) tenants, \(tenants.values.reduce(0) { $0 + $1.engine.waitingCount }) waiting")
      } catch {
        settings.signals.progressed()
        settings.signals.isReady(.database, false)
        settings.signals.status("database: SQLSTATE \(error.sqlState), trying again")
        WorkerMetrics.retried(error.sqlState)
        guard error.disposition != .stop else { throw error }
        // Whatever was under way is read again.
        tenants = [:]
        renewAt = .now
        attempt += 1
        logger.warning(
          "routing waits for the database: \(error)",
          metadata: ["event.action": "route_retry", "error.type": "\(error.sqlState)", "attempt": "\(attempt)"])
        try await Task.sleep(for: Backoff.fullJitter(attempt, first: 20, limit: 2_000))
      }
    }
  }

  private func renew(_ tenants: inout [String: Tenant]) async throws(PostgresFault) {
    let held = try await db.perform { [leases] db throws(PostgresFault) in try leases.renew(on: db) }
    guard held != Set(tenants.keys) else { return }
    for name in tenants.keys where !held.contains(name) { tenants[name] = nil }
    for name in held where tenants[name] == nil {
      let policy = settings.policy()
      try await db.perform { db throws(PostgresFault) in try RouteWrites.queues(of: policy, tenant: name, on: db) }
      tenants[name] = Tenant(engine: RoutingEngine(policy: policy))
    }
    logger.info("tenants leased", metadata: ["event.action": "leased", "tenants": "\(held.count)"])
    settings.onTenants(held)
  }

  // MARK: - One tenant

  private func step(
    _ tenant: inout Tenant, _ name: String, _ conversations: Set<ID>, _ agents: Set<String>
  ) async throws(PostgresFault) {
    let now = RouteClock.now()
    var (conversations, agents) = (conversations, agents)
    if .now >= tenant.tidyAt || !conversations.isEmpty {
      tenant.tidyAt = .now + settings.tidyEvery
      let tidied = try await tidy(name, now)
      conversations.formUnion(tidied.conversations)
      agents.formUnion(tidied.agents)
    }
    var events: [RoutingEvent] = [.clock]
    if .now >= tenant.reconcileAt {
      tenant.reconcileAt = .now + settings.reconcileEvery
      try await reconcile(tenant.engine, name, &conversations, &agents, &events)
    }
    events += try await read(Array(conversations), Array(agents), name, now)
    var decisions = tenant.engine.handle(events, at: now)
    var roundsInVain = 0
    while !decisions.isEmpty {
      let batch = Array(decisions.prefix(settings.batchDecisions))
      decisions.removeFirst(batch.count)
      let (results, takenCount) = try await commit(batch, name)
      decisions += tenant.engine.handle(results, at: RouteClock.now())
      roundsInVain = takenCount > 0 ? 0 : roundsInVain + 1
      guard roundsInVain < Self.maximumAttempts else { throw .replan("nothing that is decided can be written") }
    }
  }

  /// Compares what is known with what is there: adds whom to read again, and the events of who is gone.
  private func reconcile(
    _ engine: RoutingEngine, _ name: String, _ conversations: inout Set<ID>, _ agents: inout Set<String>,
    _ events: inout [RoutingEvent]
  ) async throws(PostgresFault) {
    let (waiting, present) = try await db.perform { db throws(PostgresFault) in
      (try RouteReads.waitingVersions(tenant: name, on: db), try RouteReads.agentVersions(tenant: name, on: db))
    }
    let knownConversations = engine.conversationVersions
    for (id, version) in waiting where knownConversations[id] != version { conversations.insert(id) }
    for id in knownConversations.keys where waiting[id] == nil { events.append(.withdrawn(id)) }
    let knownAgents = engine.agentVersions
    for (id, agent) in present where knownAgents[id] != agent.version { agents.insert(id) }
    WorkerMetrics.routing(engine.waitingByQueue, states: present.values.map(\.state), now: RouteClock.now())
    for id in knownAgents.keys where present[id] == nil { events.append(.agentGone(id)) }
  }

  private func read(
    _ conversations: [ID], _ agents: [String], _ name: String, _ now: Timestamp
  ) async throws(PostgresFault) -> [RoutingEvent] {
    var events: [RoutingEvent] = []
    for start in stride(from: 0, to: conversations.count, by: Self.readCount) {
      let ids = Array(conversations[start..<min(start + Self.readCount, conversations.count)])
      let waiting = try await db.perform { db throws(PostgresFault) in
        try RouteReads.waiting(ids, tenant: name, now: now, on: db)
      }
      events += waiting.map { .waiting($0) }
      events += Set(ids).subtracting(waiting.map(\.id)).map { .withdrawn($0) }
    }
    for start in stride(from: 0, to: agents.count, by: Self.readCount) {
      let ids = Array(agents[start..<min(start + Self.readCount, agents.count)])
      events += try await db.perform { db throws(PostgresFault) in
        try RouteReads.agents(ids, tenant: name, now: now, on: db).map { .agent($0) }
      }
    }
    return events
  }

  /// Writes the decisions that still hold, and tells what became of each.
  private func commit(
    _ decisions: [RoutingDecision], _ name: String
  ) async throws(PostgresFault) -> (events: [RoutingEvent], takenCount: Int) {
    let started = ContinuousClock.now
    let result = try await retrying { db throws(PostgresFault) -> (events: [RoutingEvent], takenCount: Int) in
      let conversations = Set(decisions.map { InTenant(name, $0.conversation) })
      let agents = Set(decisions.compactMap { $0.agent.map { InTenant(name, $0) } })
      let taken = try db.transaction(settings: Self.transactionSettings) { () throws(PostgresFault) -> [Bool] in
        let locked = try RouteReads.lock(conversations: conversations, agents: agents, on: db)
        var plan = self.plan(locked)
        let taken = decisions.map { plan.carryOut($0, tenant: name) }
        try RouteWrites.write(plan, topicPrefix: self.settings.topicPrefix, on: db)
        return taken
      }
      for (decision, isTaken) in zip(decisions, taken) { WorkerMetrics.decided(decision, isTaken: isTaken) }
      let now = RouteClock.now()
      // Agents first, so that a reservation becomes a load and not room.
      var events = try RouteReads.agents(agents.map(\.value).sorted(), tenant: name, now: now, on: db).map {
        RoutingEvent.agent($0)
      }
      var again: [ID] = []
      for (decision, isTaken) in zip(decisions, taken) {
        if case .place = decision.outcome {
          again.append(decision.conversation)
        } else {
          events.append(isTaken ? .committed(decision.conversation) : .refused(decision.conversation))
          if !isTaken { again.append(decision.conversation) }
        }
      }
      let waiting = try RouteReads.waiting(again, tenant: name, now: now, on: db)
      events += waiting.map { .waiting($0) }
      events += Set(again).subtracting(waiting.map(\.id)).map { .withdrawn($0) }
      return (events, taken.count { $0 })
    }
    logger.debug(
      "decisions committed",
      metadata: [
        "event.action": "routed", "decisions": "\(decisions.count)",
        "duration_ms": "\((ContinuousClock.now - started).milliseconds)",
      ])
    return result
  }

  /// Applies what is due, and returns what it was about.
  private func tidy(_ name: String, _ now: Timestamp) async throws(PostgresFault) -> (conversations: Set<ID>, agents: Set<String>)
  {
    let policy = settings.policy()
    let due = try await db.perform { db throws(PostgresFault) in
      try RouteReads.due(tenant: name, policy: policy, now: now, limit: 200, on: db)
    }
    guard !due.conversations.isEmpty || !due.agents.isEmpty else { return ([], []) }
    return try await retrying { db throws(PostgresFault) in
      try db.transaction(settings: Self.transactionSettings) {
        () throws(PostgresFault) -> (conversations: Set<ID>, agents: Set<String>) in
        let locked = try RouteReads.lock(
          conversations: Set(due.conversations.map { InTenant(name, $0) }), agents: Set(due.agents.map { InTenant(name, $0) }),
          on: db)
        var plan = self.plan(locked)
        for key in locked.agents.keys.sorted() { plan.tidy(agent: key) }
        for key in locked.conversations.keys.sorted() { plan.tidy(key) }
        try RouteWrites.write(plan, topicPrefix: self.settings.topicPrefix, on: db)
        return (Set(due.conversations), Set(locked.agents.keys.map(\.value)))
      }
    }
  }

  private func plan(_ locked: RouteReads.Locked) -> OwnershipPlan {
    // After the wait for the locks: what happens later is later.
    let now = RouteClock.now()
    return OwnershipPlan(
      policy: settings.policy(), conversations: locked.conversations, assignments: locked.assignments, agents: locked.agents,
      now: now,
      ids: IDGenerator(milliseconds: UInt64(max(0, now.microseconds / 1_000)), seed: UInt64.random(in: 0 ... .max)))
  }

  /// Lost races are run again on fresh reads.
  private func retrying<R: Sendable>(
    _ body: @Sendable (isolated PostgresConnection) throws(PostgresFault) -> R
  ) async throws(PostgresFault) -> R {
    var attempt = 0
    while true {
      do throws(PostgresFault) {
        return try await db.perform(body)
      } catch {
        attempt += 1
        guard error.disposition == .replan || error.disposition == .halve, attempt < Self.maximumAttempts else { throw error }
        logger.warning(
          "decisions not committed: \(error)", metadata: ["event.action": "route_retry", "error.type": "\(error.sqlState)"])
        try? await Task.sleep(for: Backoff.fullJitter(attempt, first: 5, limit: 500))
      }
    }
  }
}

/// The wall clock, which all timers and leases of agents are measured by.
enum RouteClock {
  static func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
  }
}
