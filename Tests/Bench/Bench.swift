import ArgumentParser
import Foundation

struct Options: ParsableArguments, Sendable {
  @Option(help: "Records of a run.") var messages = 100_000
  @Option(help: "Messages in the second, prefilled database of `ingest`; 10000000 for the whole benchmark, 0 for none.")
  var prefill = 1_000_000
  @Option(help: "How often each contender runs: the median counts.") var rounds = 3
  @Option(help: "Of the load.") var seed: UInt64 = 1
  @Option(help: "Of `ingest`, only contenders whose name contains one of these.") var only: [String] = []
  @Option(help: "Of `latency`: records a second; 0: a tenth of what one process reaches on this machine now.") var rate = 0
  @Option(help: "Of `latency` and `route`: how long.") var seconds = 30
  @Option(help: "Of `route`, how many agents there are; once for each.") var agents = [100, 1_000, 10_000]
  @Option(help: "Where databases, logs and the Python environment are.") var folder = ".bench"
  @Flag(
    help: """
      Before each run PostgreSQL reads all indexes, and the tables that are looked up, as a server has that has been running: what \
      is left of a full database's cost is not that of a cold one.
      """) var warm = false
  @Flag(help: "Prints JSON.") var json = false
}

/// The harness behind scripts/bench.
@main struct Bench: AsyncParsableCommand {
  enum Part: String, ExpressibleByArgument, CaseIterable { case ingest, latency, normalize, route, memory, profile }

  static let configuration = CommandConfiguration(
    commandName: "scripts/bench",
    abstract: "Measures the workers against what PostgreSQL can take and against hand-written Python.",
    discussion: "`profile` shows where the time of one ingest worker goes, by function and by statement; it needs perf.")

  @Argument(help: "What to measure; all but `profile` without it.") var part: Part?
  @OptionGroup var options: Options

  func run() async throws {
    try FileManager.default.createDirectory(atPath: options.folder + "/logs", withIntermediateDirectories: true)
    if part == .profile { return try await Profile(options: options).run() }
    let parts = part.map { [$0] } ?? Part.allCases
    var report = Report()
    if parts.contains(.normalize) {
      let normalize = Normalize(options: options)
      let result = try normalize.run()
      if !options.json { normalize.show(result) }
      report.normalize = result
    }
    if parts != [.normalize] { try await measure(parts, &report) }
    guard options.json else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    // A benchmark of `ingest` alone has its ratios at the top.
    let data = if part == .ingest, let ingest = report.ingest { try encoder.encode(ingest) } else { try encoder.encode(report) }
    show(String(decoding: data, as: UTF8.self))
  }

  private func measure(_ parts: [Part], _ report: inout Report) async throws {
    let database = try Database(folder: options.folder, isWarm: options.warm)
    defer { try? database.stop() }
    if !options.json { show("PostgreSQL: " + Database.settings.joined(separator: ", ") + ", fsync=on, synchronous_commit=on") }
    if parts.contains(.ingest) {
      let ingest = Ingest(options: options)
      let result = try await ingest.run(database)
      if !options.json { ingest.show(result) }
      report.ingest = result
    }
    if parts.contains(.latency) {
      let latency = Latency(options: options)
      let known = report.ingest?.stages.first?.rates(Ingest.ours)?.median
      let result = try await latency.run(database, maximumRate: known)
      if !options.json { latency.show(result) }
      report.latency = result
    }
    if parts.contains(.route) {
      let routing = Routing(options: options)
      let result = try await routing.run(database)
      if !options.json { routing.show(result) }
      report.route = result
    }
    if parts.contains(.memory) {
      let memory = Memory(options: options)
      let result = try await memory.run(database)
      if !options.json { memory.show(result) }
      report.memory = result
    }
  }
}
