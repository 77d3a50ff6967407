import Canonical
import Engine
import Foundation
import Kafka
import Postgres
import Store
import Synchronization
import TestSupport

/// A plant under steady load, which faults strike; at the end everything is counted.
public final class Trial: Sendable {
  /// What a fault cost.
  public struct Recovery: Sendable {
    public var name: String
    /// From the strike until all is stored that had been produced when it ended.
    public var duration: Duration
    /// The longest time in it in which nothing was stored.
    public var pause: Duration
  }

  public struct Verdict: Sendable {
    /// Empty when all is as it must be.
    public var problems: [String]
    public var figures: Audit.Figures
    /// The longest time of the whole run in which nothing was stored.
    public var longestPause: Duration
  }

  private struct Progress {
    var offsets: [TopicPartition: Int64] = [:]
    /// When the stored offsets were seen to have grown.
    var moments: [ContinuousClock.Instant] = []
    var broken: Set<String> = []
  }

  public let plant: Plant
  public let feeder: Feeder
  private let audit: Audit
  private let progress = Mutex(Progress())
  private let isFeeding = Mutex(true)
  private let recordsPerSecond: Int

  /// - Parameters:
  ///   - records: at most so many of `Traffic` are published, of people in proportion.
  ///   - recordsPerSecond: of all kinds, roughly; fewer when the workers can not follow.
  public init(_ plant: Plant, seed: UInt64, records: Int, recordsPerSecond: Int = 100) async throws {
    self.plant = plant
    self.recordsPerSecond = recordsPerSecond
    feeder = Feeder(
      plant.cluster, traffic: Traffic(seed: seed, records: records, people: max(100, records / 16)), seed: seed ^ 0xfeed)
    audit = try await Audit(plant.cluster)
  }

  /// Runs `body` under load, then ends the load, waits until all is at rest, and judges; the plant is stopped afterwards.
  public func run(_ body: @Sendable (Trial) async throws -> Void) async throws -> Verdict {
    do {
      let verdict = try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await self.audit.run() }
        group.addTask { await self.measure() }
        group.addTask { await self.watch() }
        defer { group.cancelAll() }
        async let feeding: Void = feed()
        try await waitForProgress()
        try await body(self)
        let end = ContinuousClock.now
        isFeeding.withLock { $0 = false }
        try await feeding
        return await conclude(end)
      }
      await audit.close()
      await plant.close()
      return verdict
    } catch {
      await audit.close()
      await plant.close()
      throw error
    }
  }

  // MARK: - Faults

  /// Lets the faults strike, one after the other, ends them, and waits until all that was produced by then is stored.
  public func survive(_ faults: [(fault: Fault, choice: Int)]) async throws -> Recovery {
    let name = faults.map(\.fault.name).joined(separator: " + ")
    let start = ContinuousClock.now
    var heals: [Fault.Heal] = []
    var failure: (any Error)?
    for (fault, choice) in faults where failure == nil {
      do { heals.append(try await fault.strike(plant, choice)) } catch { failure = error }
    }
    for heal in heals.reversed() {
      do { try await heal() } catch { failure = failure ?? error }
    }
    if let failure { throw RigFault("\(name): \(failure)") }
    let ends = await feeder.ends
    let catchingUp = ContinuousClock.now
    while progress.withLock({ progress in ends.contains { progress.offsets[$0.key] ?? 0 < $0.value } }) {
      guard .now < catchingUp + .seconds(120) else { throw RigFault("\(name): not recovered after 120 s") }
      try await Task.sleep(for: .milliseconds(50))
    }
    return Recovery(name: name, duration: .now - start, pause: longestPause(from: start, to: .now))
  }

  private func longestPause(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) -> Duration {
    let moments = progress.withLock { $0.moments }
    let inside = [start] + moments.filter { start < $0 && $0 <= end } + [end]
    return zip(inside, inside.dropFirst()).map { $1 - $0 }.max() ?? .zero
  }

  // MARK: - Around the run

  private func feed() async throws {
    while isFeeding.withLock({ $0 }), await feeder.hasMore {
      // A step is about 25 records.
      async let pace: Void = Task.sleep(for: .milliseconds(25_000 / recordsPerSecond))
      try await feeder.step(stored: Int(progress.withLock { $0.offsets.values.reduce(0, +) }))
      try await pace
    }
    // Until the body has come to its end.
    while isFeeding.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(50)) }
    try await feeder.finish()
  }

  /// Looks ten times a second what is stored.
  private func measure() async {
    while (try? await Task.sleep(for: .milliseconds(100))) != nil {
      let rows = try? await plant.cluster.rows(
        "SELECT topic, partition, next_offset FROM throughline.ingest_offset WHERE next_offset IS NOT NULL")
      guard let rows else { continue }
      let offsets = Dictionary(
        rows.map { (TopicPartition($0[0] ?? "", Int32($0[1] ?? "") ?? 0), Int64($0[2] ?? "") ?? 0) }
      ) { $1 }
      progress.withLock { progress in
        if offsets != progress.offsets { progress.moments.append(.now) }
        progress.offsets = offsets
      }
    }
  }

  /// Nobody is ever over capacity, nothing ever has two owners.
  private func watch() async {
    while (try? await Task.sleep(for: .seconds(1))) != nil {
      let broken = (try? await plant.cluster.routingViolations()) ?? []
      progress.withLock { $0.broken.formUnion(broken) }
    }
  }

  private func waitForProgress() async throws {
    try await plant.wait("the first records are stored") { progress.withLock { $0.moments.count > 2 } }
  }

  // MARK: - The end

  private func conclude(_ end: ContinuousClock.Instant) async -> Verdict {
    var verdict = Verdict(
      problems: [], figures: Audit.Figures(),
      longestPause: longestPause(from: progress.withLock { $0.moments.first } ?? end, to: end))
    // What does not come to its end is a problem, and no reason not to look at the rest.
    func attempt(_ step: () async throws -> Void) async {
      do { try await step() } catch { verdict.problems.append("\(error)") }
    }
    await attempt { try await plant.cluster.drain(seconds: 180) }
    await attempt { try await waitForAgents() }
    await audit.waitForActions(seconds: 30)
    // Routers first: what they say to their last moment is published by those who stay.
    for unit in plant.routers { await attempt { try await unit.stop() } }
    await attempt {
      try await plant.cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1, seconds: 60)
    }
    await attempt { try await audit.waitForEvents(seconds: 10) }
    for unit in plant.ingest { await attempt { try await unit.stop() } }
    await attempt {
      let (problems, figures) = try await audit.judge(truth: await feeder.truth, alarms: plant.alarms)
      verdict.problems += problems
      verdict.figures = figures
    }
    verdict.problems += progress.withLock { $0.broken.sorted().map { "during the run: \($0)" } }
    for unit in plant.units {
      verdict.problems += unit.surprises.map { "\(unit.name) \($0), and nobody had asked for it" }
      verdict.problems += Set(unit.logs.flatMap { LogAudit.problems($0, of: unit.name) })
    }
    return verdict
  }

  /// Nobody waits for an agent who is free.
  private func waitForAgents() async throws {
    let db = PostgresConnection(url: plant.cluster.databaseURL, applicationName: "audit", settings: Queries.settings)
    try await plant.wait("nobody waits for an agent who is free") {
      try await db.perform { db throws(PostgresFault) in
        try RouteReads.idlePairs(tenant: Feeder.tenant, policy: RoutingPolicy(), on: db).isEmpty
      }
    }
    await db.close()
  }
}
