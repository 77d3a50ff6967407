import Canonical
import Glibc
import Testing

@testable import Engine

/// Nothing lost, nothing doubled, whatever breaks: the workers' state machines in a world of accidents (`Simulation`).
///
/// A failure names its seed; `THROUGHLINE_TEST_SEED=<seed> scripts/test --filter SimulationTests` replays that seed alone, and
/// `THROUGHLINE_TEST_SEEDS=<count>` runs so many.
@Suite struct SimulationTests {
  /// In portions that run side by side.
  static let seeds = portions(2_000)

  private static func portions(_ standardCount: UInt64) -> [Range<UInt64>] {
    func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }
    if let seed = number("THROUGHLINE_TEST_SEED") { return [seed..<(seed &+ 1)] }
    let count = number("THROUGHLINE_TEST_SEEDS") ?? standardCount
    return stride(from: 0, to: count, by: 250).map { $0..<min($0 + 250, count) }
  }

  @Test("Every element has one outcome, threads are those of some order, events have no gaps, whatever breaks", arguments: seeds)
  func everything(_ seeds: Range<UInt64>) {
    var struck: Set<String> = []
    for seed in seeds {
      let simulation = Simulation(seed: seed)
      let flaw = simulation.run()
      struck.formUnion(simulation.struck)
      guard let flaw else { continue }
      let again = Simulation(seed: seed, isLogging: true)
      _ = again.run()
      Issue.record(
        "THROUGHLINE_TEST_SEED=\(seed): \(flaw)\n\(again.log.suffix(getenv("THROUGHLINE_TEST_SEED") == nil ? 150 : .max).joined(separator: "\n"))"
      )
      return
    }
    guard seeds.count > 100 else { return }
    #expect(
      struck == [
        "kill", "freeze", "stop", "scale", "database away", "backend terminated", "trimmed", "lifecycle", "race", "timeout",
        "holder terminated", "lost reply", "probe", "quarantine", "kill after commit", "broker away", "kill before delete",
        "delete fails", "refusal",
      ])
  }

  @Test(
    "Nobody is over capacity, nothing has two owners, and at rest nobody waits for whom is free, whatever breaks",
    arguments: seeds)
  func routers(_ seeds: Range<UInt64>) {
    var struck: Set<String> = []
    var takenCount = 0
    for seed in seeds {
      let simulation = RouterSimulation(seed: seed)
      if let flaw = simulation.run() {
        Issue.record("THROUGHLINE_TEST_SEED=\(seed): \(flaw)")
        return
      }
      struck.formUnion(simulation.struck)
      takenCount += simulation.takenCount
    }
    guard seeds.count > 100 else { return }
    #expect(takenCount > seeds.count * 10)
    #expect(
      struck.isSuperset(of: [
        "crash", "freeze", "not committed", "lost reply", "lost to somebody else", "stale_epoch", "not_owner", "over_capacity",
        "not_live", "not_online",
      ]))
  }
}
