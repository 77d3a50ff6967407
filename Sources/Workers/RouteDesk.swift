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
/// built anew; every decision is conditional on the row that it is about. Tenants take turns: what one cannot do in its turn it does in
/// the next, and what fails again and again waits aside.
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
    var batchDecisions = 200
    /// How long one tenant is worked for before it is the next one's turn.
    var turn = Duration.milliseconds(500)
    /// After a tenant is taken, and after the database was away, nobody counts as gone for this long: what agents have reported
    /// meanwhile is yet to be read.
    var presenceGrace = Duration.seconds(15)
    /// Called with the tenants, whenever these become others.
    var onTenants: @Sendable (Set<String>) -> Void = { _ in }
  }

  static let transactionSettings = [
    "statement_timeout = '30s'", "lock_timeout = '5s'", "idle_in_transaction_session_timeout = '5s'",
  ]
  private static let readCount = 1_000
  /// Lost races in a row, and batches in a row of which nothing could be written.
  private static let maximumAttempts = 8

  private enum Due: Hashable, Sendable {
    case conversation(ID)
    case agent(String)
  }

  private struct Tenant: Sendable {
    var engine: RoutingEngine
    /// Before that nobody is gone: what agents have reported meanwhile is still being read.
    var judgesLeasesAt: ContinuousClock.Instant
    var reconcileAt = ContinuousClock.now
    var tidyAt = ContinuousClock.now
    /// After a fault of its own.
    var restsUntil = ContinuousClock.now
    var failureCount = 0
    var unreadConversations: Set<ID> = []
    var unreadAgents: Set<String> = []
    /// What the last comparison has found is not all read yet.
    var isReading = false
    var decisions: Batches<RoutingDecision>
    var due = Batches<Due>(size: 200)
    var vainCount = 0

    init(policy: RoutingPolicy, judgesLeasesAt: ContinuousClock.Instant, batchDecisions: Int) {
      engine = RoutingEngine(policy: policy)
      self.judgesLeasesAt = judgesLeasesAt
      decisions = Batches(size: batchDecisions)
    }
  }

  private let settings: Settings
  private let db: PostgresConnection
  /// Writes a batch of decisions while another one is being written, and renews the leases, so that it is known when it is broken.
  private let second: PostgresConnection
  private let marks: RouteMarks
  private let logger: Logger
  private let leases: RouteLeases

  init(settings: Settings, db: PostgresConnection, second: PostgresConnection, marks: RouteMarks, logger: Logger) {
    self.settings = settings
    (self.db, self.second) = (db, second)
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
    /// Also those that others decide for.
    var known: Set<String> = []
    var gauges = RoutingGauges()
    var renewAt = ContinuousClock.now
    /// Before that, nobody asks about tenants that were never heard of.
    var askAt = ContinuousClock.now
    var attempt = 0
    for await _ in marks.bell {
      if Task.isCancelled { return }
      do throws(PostgresFault) {
        let marks = marks.take()
        let hearsOfNew = (marks.conversations.keys + Array(marks.agents.keys)).contains { !known.contains($0) }
        if hearsOfNew && .now >= askAt {
          askAt = .now + .milliseconds(100)
          renewAt = .now
        }
        try await renewIfDue(&renewAt, &tenants, &known)
        for name in tenants.keys.sorted() {
          // Before the leases of those whose turn comes late run out.
          try await renewIfDue(&renewAt, &tenants, &known)
          guard !Task.isCancelled else { return }
          // Taken out, so that nothing of it is copied; after a fault that is thrown, all are read anew.
          guard var tenant = tenants.removeValue(forKey: name) else { continue }
          tenant.unreadConversations.formUnion(marks.conversations[name] ?? [])
          tenant.unreadAgents.formUnion(marks.agents[name] ?? [])
          if marks.isFull { tenant.reconcileAt = .now }
          try await turn(&tenant, name, &gauges)
          tenants[name] = tenant
          settings.signals.progressed()
        }
        gauges.record(of: Set(tenants.keys), now: WallClock.now())
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
        // Whatever was under way is read again, and so is what agents reported meanwhile.
        if !error.isOfItsWork { tenants = [:] }
        renewAt = .now
        attempt += 1
        logger.warning(
          "routing waits for the database: \(error)",
          metadata: ["event.action": "route_retry", "error.type": "\(error.sqlState)", "attempt": "\(attempt)"])
        try await Task.sleep(for: Backoff.fullJitter(attempt, first: 20, limit: 2_000))
      }
    }
  }

  private func renewIfDue(
    _ renewAt: inout ContinuousClock.Instant, _ tenants: inout [String: Tenant], _ known: inout Set<String>
  ) async throws(PostgresFault) {
    guard .now >= renewAt else { return }
    // At a third of the lease, so that one slow round does not lose it.
    renewAt = .now + .seconds(settings.leaseSeconds / 3)
    let (held, all) = try await second.perform { [leases] db throws(PostgresFault) in try leases.renew(on: db) }
    known = all
    guard held != Set(tenants.keys) else { return }
    for name in tenants.keys where !held.contains(name) { tenants[name] = nil }
    for name in held where tenants[name] == nil {
      tenants[name] = try await tenant(name, judgesLeasesAt: .now + settings.presenceGrace)
    }
    logger.info("tenants leased", metadata: ["event.action": "leased", "tenants": "\(held.count)"])
    settings.onTenants(held)
  }

  /// One of which nothing is known yet.
  private func tenant(_ name: String, judgesLeasesAt: ContinuousClock.Instant) async throws(PostgresFault) -> Tenant {
    let policy = settings.policy()
    try await db.perform { db throws(PostgresFault) in try RouteWrites.queues(of: policy, tenant: name, on: db) }
    return Tenant(policy: policy, judgesLeasesAt: judgesLeasesAt, batchDecisions: settings.batchDecisions)
  }

  // MARK: - One tenant

  /// A step of one tenant; what is the matter with it is no other's trouble.
  private func turn(_ tenant: inout Tenant, _ name: String, _ gauges: inout RoutingGauges) async throws(PostgresFault) {
    guard .now >= tenant.restsUntil else { return }
    if tenant.engine.policy != settings.policy() {
      let due = tenant.due
      tenant = try await self.tenant(name, judgesLeasesAt: tenant.judgesLeasesAt)
      tenant.due = due
    }
    do throws(PostgresFault) {
      try await step(&tenant, name, &gauges)
      tenant.failureCount = 0
    } catch {
      guard error.isOfItsWork else { throw error }
      WorkerMetrics.retried(error.sqlState)
      let (due, failureCount) = (tenant.due, tenant.failureCount + 1)
      logger.warning(
        "a tenant is read again: \(error)",
        metadata: ["event.action": "route_retry", "error.type": "\(error.sqlState)", "attempt": "\(failureCount)"])
      tenant = try await self.tenant(name, judgesLeasesAt: tenant.judgesLeasesAt)
      tenant.due = due
      tenant.failureCount = failureCount
      tenant.restsUntil = .now + Backoff.fullJitter(failureCount, first: 100, limit: 5_000)
    }
  }

  /// Works for as long as a turn takes, and leaves the rest to the next one.
  private func step(_ tenant: inout Tenant, _ name: String, _ gauges: inout RoutingGauges) async throws(PostgresFault) {
    let end = ContinuousClock.now + settings.turn
    if .now >= tenant.tidyAt || !tenant.unreadConversations.isEmpty || !tenant.due.isIdle {
      tenant.tidyAt = .now + settings.tidyEvery
      try await tidy(&tenant, name, until: end)
    }
    // Not while a reading goes on over several turns: what the engine is yet to be told would be read again, and again.
    if .now >= tenant.reconcileAt, !tenant.isReading {
      tenant.reconcileAt = .now + settings.reconcileEvery
      try await reconcile(&tenant, name, &gauges)
      tenant.isReading = true
    }
    // Nothing is decided on the half of what there is.
    if try await read(&tenant, name, until: end) {
      tenant.decisions.add(tenant.engine.handle(.clock, at: WallClock.now()))
      tenant.isReading = false
      try await decide(&tenant, name, until: end)
    }
    if !tenant.decisions.isIdle || !tenant.due.isIdle || !tenant.unreadConversations.isEmpty || !tenant.unreadAgents.isEmpty {
      marks.ring()
    }
  }

  private func isOver(_ end: ContinuousClock.Instant) -> Bool { .now >= end || Task.isCancelled }

  /// Compares what is known with what is there: notes whom to read again, and who is gone.
  private func reconcile(_ tenant: inout Tenant, _ name: String, _ gauges: inout RoutingGauges) async throws(PostgresFault) {
    let now = WallClock.now()
    let policy = settings.policy()
    let (waiting, present, withoutBot) = try await db.perform { db throws(PostgresFault) in
      (
        try RouteReads.waitingVersions(tenant: name, on: db), try RouteReads.agentVersions(tenant: name, now: now, on: db),
        try RouteReads.withoutBot(tenant: name, policy: policy, limit: 1_000, on: db)
      )
    }
    let knownConversations = tenant.engine.conversationVersions
    for (id, version) in waiting where knownConversations[id] != version { tenant.unreadConversations.insert(id) }
    tenant.engine.take(knownConversations.keys.filter { waiting[$0] == nil }.map { .withdrawn($0) }, at: now)
    let knownAgents = tenant.engine.agentVersions
    for (id, agent) in present where knownAgents[id].map({ $0 != (agent.version, agent.isOnline) }) ?? true {
      tenant.unreadAgents.insert(id)
    }
    tenant.engine.take(knownAgents.keys.filter { present[$0] == nil }.map { .agentGone($0) }, at: now)
    add(withoutBot.map(Due.conversation), to: &tenant)
    gauges.set(name, waiting: tenant.engine.waitingByQueue, states: present.values.map(\.state))
  }

  /// Reads what may have changed; true when that is all.
  private func read(
    _ tenant: inout Tenant, _ name: String, until end: ContinuousClock.Instant
  ) async throws(PostgresFault) -> Bool {
    let now = WallClock.now()
    // Agents first: who is full is waited for.
    while !tenant.unreadAgents.isEmpty {
      let ids = Array(tenant.unreadAgents.prefix(Self.readCount))
      let agents = try await db.perform { db throws(PostgresFault) in
        try RouteReads.agents(ids, tenant: name, now: now, on: db)
      }
      tenant.engine.take(agents.map { .agent($0) }, at: now)
      tenant.unreadAgents.subtract(ids)
      // After a step at least: what came before may take the whole turn, each time.
      if isOver(end) { break }
    }
    while tenant.unreadAgents.isEmpty, !tenant.unreadConversations.isEmpty {
      let ids = Array(tenant.unreadConversations.prefix(Self.readCount))
      let waiting = try await db.perform { db throws(PostgresFault) in
        try RouteReads.waiting(ids, tenant: name, now: now, on: db)
      }
      tenant.unreadConversations.subtract(ids)
      let gone = Set(ids).subtracting(waiting.map(\.id))
      tenant.engine.take(waiting.map { .waiting($0) } + gone.map { .withdrawn($0) }, at: now)
      if isOver(end) { break }
    }
    return tenant.unreadConversations.isEmpty && tenant.unreadAgents.isEmpty
  }

  /// Commits what is decided, a batch on each connection, and what is decided because of it.
  private func decide(
    _ tenant: inout Tenant, _ name: String, until end: ContinuousClock.Instant
  ) async throws(PostgresFault) {
    let fault = await withTaskGroup(of: Commit.self) { group -> PostgresFault? in
      var idle = [second, db]
      var (hasBegun, fault) = (false, PostgresFault?.none)
      while true {
        // One at least: what came before may take the whole turn, each time. What was put aside comes alone: it waits for no
        // lock.
        while fault == nil, !Task.isCancelled, !hasBegun || .now < end, !idle.isEmpty,
          group.isEmpty || !tenant.decisions.isIdle,
          let batch = tenant.decisions.next(.now)
        {
          hasBegun = true
          let db = idle.removeLast()
          group.addTask { await self.commit(batch, name, on: db) }
        }
        guard let done = await group.next() else { return fault }
        idle.append(done.db)
        do throws(PostgresFault) {
          let (results, takenCount) = try done.result.get()
          tenant.decisions.add(tenant.engine.handle(results, at: WallClock.now()))
          tenant.vainCount = takenCount > 0 || tenant.decisions.isIdle ? 0 : tenant.vainCount + 1
          guard tenant.vainCount < Self.maximumAttempts else { throw .replan("nothing that is decided can be written") }
        } catch {
          if error.isOfItsWork, tenant.vainCount < Self.maximumAttempts {
            note(error, done.batch.items.count)
            tenant.decisions.failed(done.batch, .now)
          } else {
            fault = error
          }
        }
      }
    }
    if let fault { throw fault }
  }

  private struct Commit: Sendable {
    var batch: Batches<RoutingDecision>.Batch
    var db: PostgresConnection
    var result: Result<(events: [RoutingEvent], takenCount: Int), PostgresFault>
  }

  private func commit(_ batch: Batches<RoutingDecision>.Batch, _ name: String, on db: PostgresConnection) async -> Commit {
    do throws(PostgresFault) {
      let result = try await commit(batch.items, name, isRetry: batch.failureCount > 0, on: db)
      return Commit(batch: batch, db: db, result: .success(result))
    } catch {
      return Commit(batch: batch, db: db, result: .failure(error))
    }
  }

  /// Writes the decisions that still hold, and tells what became of each.
  private func commit(
    _ decisions: [RoutingDecision], _ name: String, isRetry: Bool, on db: PostgresConnection
  ) async throws(PostgresFault) -> (events: [RoutingEvent], takenCount: Int) {
    let started = ContinuousClock.now
    let result = try await retrying(on: db) { db throws(PostgresFault) -> (events: [RoutingEvent], takenCount: Int) in
      let conversations = Set(decisions.map { InTenant(name, $0.conversation) })
      let agents = Set(decisions.compactMap { $0.agent.map { InTenant(name, $0) } })
      let taken = try db.transaction(settings: Self.settings(isRetry: isRetry)) { () throws(PostgresFault) -> [Bool] in
        let locked = try RouteReads.lock(conversations: conversations, agents: agents, on: db)
        var plan = self.plan(locked)
        let taken = decisions.map { plan.carryOut($0, tenant: name) }
        try RouteWrites.write(plan, topicPrefix: self.settings.topicPrefix, on: db)
        return taken
      }
      for (decision, isTaken) in zip(decisions, taken) { WorkerMetrics.decided(decision, isTaken: isTaken) }
      let now = WallClock.now()
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

  private func add(_ due: [Due], to tenant: inout Tenant) {
    let underWay = Set(tenant.due.items)
    tenant.due.add(due.filter { !underWay.contains($0) })
  }

  /// Applies what is due, and notes that it is to be read again.
  private func tidy(_ tenant: inout Tenant, _ name: String, until end: ContinuousClock.Instant) async throws(PostgresFault) {
    let policy = settings.policy()
    let judgesLeases = .now >= tenant.judgesLeasesAt
    let due = try await db.perform { db throws(PostgresFault) in
      try RouteReads.due(
        tenant: name, policy: policy, judgesLeases: judgesLeases, now: WallClock.now(), limit: 200, on: db)
    }
    add(due.agents.map(Due.agent) + due.conversations.map(Due.conversation), to: &tenant)
    while !Task.isCancelled, let batch = tenant.due.next(.now) {
      do throws(PostgresFault) {
        let (conversations, agents) = try await tidy(batch, name, judgesLeases)
        tenant.unreadConversations.formUnion(conversations)
        tenant.unreadAgents.formUnion(agents)
      } catch {
        guard error.isOfItsWork else { throw error }
        note(error, batch.items.count)
        tenant.due.failed(batch, .now)
      }
      if isOver(end) { return }
    }
  }

  private func tidy(
    _ batch: Batches<Due>.Batch, _ name: String, _ judgesLeases: Bool
  ) async throws(PostgresFault) -> (conversations: [ID], agents: [String]) {
    var conversations: Set<InTenant<ID>> = []
    var agents: Set<InTenant<String>> = []
    for due in batch.items {
      switch due {
      case .conversation(let id): conversations.insert(InTenant(name, id))
      case .agent(let id): agents.insert(InTenant(name, id))
      }
    }
    let due = (conversations: conversations, agents: agents)
    return try await retrying(on: db) { db throws(PostgresFault) in
      try db.transaction(settings: Self.settings(isRetry: batch.failureCount > 0)) {
        () throws(PostgresFault) -> (conversations: [ID], agents: [String]) in
        let locked = try RouteReads.lock(conversations: due.conversations, agents: due.agents, on: db)
        var plan = self.plan(locked)
        if judgesLeases { for key in locked.agents.keys.sorted() { plan.tidy(agent: key) } }
        for key in locked.conversations.keys.sorted() { plan.tidy(key, judgesLeases: judgesLeases) }
        try RouteWrites.write(plan, topicPrefix: self.settings.topicPrefix, on: db)
        return (due.conversations.map(\.value), locked.agents.keys.map(\.value))
      }
    }
  }

  /// Whoever stands still with a lock in its hand holds up one row, and not the others behind it.
  private static func settings(isRetry: Bool) -> [String] {
    transactionSettings + ["lock_timeout = '\(isRetry ? 100 : 1_000)ms'"]
  }

  private func note(_ fault: PostgresFault, _ count: Int) {
    WorkerMetrics.retried(fault.sqlState)
    logger.warning(
      "decisions not committed: \(fault)",
      metadata: ["event.action": "route_retry", "error.type": "\(fault.sqlState)", "decisions": "\(count)"])
  }

  private func plan(_ locked: RouteReads.Locked) -> OwnershipPlan {
    // After the wait for the locks: what happens later is later.
    let now = WallClock.now()
    return OwnershipPlan(
      policy: settings.policy(), conversations: locked.conversations, assignments: locked.assignments, agents: locked.agents,
      now: now,
      ids: IDGenerator(milliseconds: UInt64(max(0, now.microseconds / 1_000)), seed: UInt64.random(in: 0 ... .max)))
  }

  /// Lost races are run again on fresh reads.
  private func retrying<R: Sendable>(
    on db: PostgresConnection, _ body: @Sendable (isolated PostgresConnection) throws(PostgresFault) -> R
  ) async throws(PostgresFault) -> R {
    var attempt = 0
    while true {
      do throws(PostgresFault) {
        return try await db.perform(body)
      } catch {
        attempt += 1
        guard error.disposition == .replan, attempt < Self.maximumAttempts, !Task.isCancelled else { throw error }
        try? await Task.sleep(for: Backoff.fullJitter(attempt, first: 5, limit: 100))
      }
    }
  }
}

extension PostgresFault {
  /// Says something about the work, of one tenant, that failed; otherwise about the server or about us.
  fileprivate var isOfItsWork: Bool {
    switch disposition {
    case .replan, .halve, .bisect: true
    case .reconnect, .backOff, .stop: false
    }
  }
}
