import ArgumentParser
import Canonical
import Foundation
import Rig
import Synchronization

/// Two ingest workers and a router under load while faults strike at random; then everything is counted.
@main struct Chaos: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Strikes workers under load with faults at random, then counts what became of every record; exits with 1 when anything is wrong."
  )

  @Option(help: "How long faults strike.") var minutes = 10.0
  @Option(help: "Decides on the traffic and the order of faults.") var seed = UInt64.random(in: 0..<1_000_000)
  @Option(help: "Keeps the workers' logs in this folder; otherwise only those of a run that failed, in /tmp.") var logs: String?
  @Flag(help: "Prints the result as JSON.") var json = false

  private static let recordsPerSecond = 100

  func run() async throws {
    tell("seed \(seed)")
    let plant = try await Plant(ingest: 2, routers: 1)
    let plan = Fault.plan(plant, lasting: .seconds(minutes * 60))
    tell("faults: \((plan.first + plan.others).map(\.name).joined(separator: ", "))")
    for (name, why) in plan.leftOut { tell("left out: \(name) (\(why))") }
    let trial = try await Trial(
      plant, seed: seed, records: Int(minutes * 60) * Self.recordsPerSecond, recordsPerSecond: Self.recordsPerSecond)
    let struck = Mutex((recoveries: [Trial.Recovery](), problems: [String](), missing: [String]()))
    let verdict = try await trial.run { trial in
      var order = FaultOrder(plan, seed: seed)
      let end = ContinuousClock.now + .seconds(minutes * 60)
      // Ten minutes are enough for each; a slow machine takes longer.
      while .now < end || minutes >= 10 && !order.missing.isEmpty {
        let faults = order.next()
        do {
          let recovery = try await trial.survive(faults)
          tell("\(recovery.name): \(recovery.duration.inSeconds), nothing stored for \(recovery.pause.inSeconds)")
          struck.withLock { $0.recoveries.append(recovery) }
        } catch {
          tell("\(error)")
          struck.withLock { $0.problems.append("\(error)") }
        }
        try await Task.sleep(for: .milliseconds(order.rest()))
      }
      let missing = order.missing
      struck.withLock { $0.missing = missing }
    }
    let (recoveries, problems, missing) = struck.withLock { $0 }
    let report = Report(seed: seed, recoveries, problems, verdict)
    if !missing.isEmpty { tell("no time for: \(missing.joined(separator: ", "))") }
    print(json ? try report.json() : report.table())
    if let folder = logs ?? (report.problems.isEmpty ? nil : "/tmp/throughline-chaos-\(seed)") {
      try plant.saveLogs(in: URL(fileURLWithPath: folder))
      tell("logs: \(folder)")
    }
    if !report.problems.isEmpty { throw ExitCode.failure }
  }

  /// Progress, for people.
  private func tell(_ line: String) { if !json { FileHandle.standardOutput.write(Data((line + "\n").utf8)) } }
}

/// Which fault is next: all of them in an order of their own, then all again; some together with another one.
private struct FaultOrder {
  private let faults: [Fault]
  private var random: SplitMix64
  private var bag: [Fault]
  /// Those that have not come yet.
  private(set) var missing: [String]

  init(_ plan: Fault.Plan, seed: UInt64) {
    random = SplitMix64(seed: seed)
    faults = plan.first + plan.others
    missing = faults.map(\.name)
    // The last is the next.
    bag = plan.others.shuffled(using: &random) + plan.first.shuffled(using: &random)
  }

  mutating func next() -> [(fault: Fault, choice: Int)] {
    if bag.isEmpty { bag = faults.shuffled(using: &random) }
    var chosen = [bag.removeLast()]
    if chosen[0].isShared, Int.random(in: 0..<3, using: &random) == 0,
      let other = faults.filter({ $0.kind != chosen[0].kind && $0.kind != .process }).randomElement(using: &random)
    {
      chosen.append(other)
    }
    missing.removeAll { name in chosen.contains { $0.name == name } }
    return chosen.map { ($0, Int.random(in: 0..<1_000, using: &random)) }
  }

  /// How long nothing strikes, in milliseconds.
  mutating func rest() -> Int { Int.random(in: 200...3_000, using: &random) }
}

private struct Report {
  private struct Kind: Codable {
    var fault: String
    var count: Int
    var medianRecoverySeconds: Double
    var longestRecoverySeconds: Double
    var longestPauseSeconds: Double
  }
  private struct Output: Codable {
    var seed: UInt64
    var figures: Audit.Figures
    var faults: [Kind]
    var longestPauseSeconds: Double
    var problems: [String]
  }

  private let output: Output
  var problems: [String] { output.problems }

  init(seed: UInt64, _ recoveries: [Trial.Recovery], _ problems: [String], _ verdict: Trial.Verdict) {
    let kinds = Dictionary(grouping: recoveries, by: \.name).map { name, recoveries in
      let durations = recoveries.map(\.duration).sorted()
      return Kind(
        fault: name, count: durations.count, medianRecoverySeconds: durations[durations.count / 2].seconds,
        longestRecoverySeconds: durations.last?.seconds ?? 0, longestPauseSeconds: recoveries.map(\.pause.seconds).max() ?? 0)
    }
    output = Output(
      seed: seed, figures: verdict.figures, faults: kinds.sorted { $0.fault < $1.fault },
      longestPauseSeconds: verdict.longestPause.seconds, problems: problems + verdict.problems)
  }

  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    return String(decoding: try encoder.encode(output), as: UTF8.self)
  }

  func table() -> String {
    let figures = output.figures
    var lines = [
      "", "produced       \(figures.producedRecords) records, \(figures.producedMessages) messages",
      "stored         \(figures.stored)",
      "duplicates     \(figures.duplicates)", "dead-lettered  \(figures.deadLettered)", "doubled        \(figures.doubled)",
      "lost           \(figures.lost)",
      "out of order   \(figures.outOfOrder) of \(figures.events) events, \(figures.eventsRepeated) repeated",
      "agents' acts   \(figures.actions), \(figures.refused) refused",
      "", "fault".padded(64) + "times  recovery: median  longest  longest pause",
    ]
    for kind in output.faults {
      lines.append(
        kind.fault.padded(64) + "\(kind.count)".padded(-5) + kind.medianRecoverySeconds.text.padded(-18)
          + kind.longestRecoverySeconds.text.padded(-9) + kind.longestPauseSeconds.text.padded(-15))
    }
    lines += ["", "longest pause  \(output.longestPauseSeconds.text)", ""]
    lines += output.problems.isEmpty ? ["✔ as it must be"] : output.problems.map { "✘ \($0)" }
    return lines.joined(separator: "\n")
  }
}

extension Duration {
  fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
  fileprivate var inSeconds: String { seconds.text }
}

extension Double {
  fileprivate var text: String { String(format: "%.1f s", self) }
}

extension String {
  /// To so many columns; negative: from the right.
  fileprivate func padded(_ columns: Int) -> String {
    let space = String(repeating: " ", count: max(0, abs(columns) - count))
    return columns < 0 ? space + self : self + space
  }
}
