import Foundation
import Kafka

/// One worker and two against what PostgreSQL can take and against what one would write by hand in Python.
struct Ingest {
  struct Result: Codable, Sendable {
    var stages: [Stage] = []
    /// One process against COPY over one connection, on the empty database.
    var ratio_to_limit: Double?
    var ratio_to_set_based_python: Double?
    var ratio_to_set_based_python_in_two: Double?
    var ratio_to_plain_sink: Double?
    /// Two processes against one.
    var ratio_of_two_to_one: Double?
    /// What a message costs in a full database against an empty one.
    var ratio_of_full_to_empty: Double?
  }
  struct Stage: Codable, Sendable {
    var prefilled: Int
    /// The median of the rounds of each contender.
    var measured: [Measured]
    /// What set-based Python left otherwise than the worker.
    var differences: [String: [Int]] = [:]

    func rates(_ contender: Contender) -> [Double]? {
      measured.first { $0.name == contender.name && $0.processes == contender.count }?.rates
    }
  }

  /// The median of what each round says: what a machine does meanwhile slows those down who run side by side.
  private static func ratio(_ a: [Double]?, _ b: [Double]?) -> Double? {
    if let a, let b { zip(a, b).map { $0 / $1 }.median } else { nil }
  }

  static let ours = Contender.throughline(processes: 1, publishes: true)
  let options: Options

  func run(_ database: Database) async throws -> Result {
    var load = Load(seed: options.seed, total: options.messages)
    let records = (0..<options.messages).map { _ in load.next() }
    say("ingest: \(records.count) records, \(records.reduce(0) { $0 + Feed.size(of: $1) } / records.count) bytes each on average")
    var result = Result()
    for prefilled in options.prefill > 0 ? [0, options.prefill] : [0] {
      let track = Track(
        database: database, template: try await database.template(messages: prefilled), records: records, folder: options.folder)
      result.stages.append(try await stage(track, prefilled))
    }
    func ratio(_ a: Contender, _ b: Contender) -> Double? {
      Self.ratio(result.stages[0].rates(a), result.stages[0].rates(b))
    }
    result.ratio_to_limit = ratio(Self.ours, .limit(connections: 1))
    result.ratio_to_set_based_python = ratio(Self.ours, .setBased(processes: 1))
    result.ratio_to_set_based_python_in_two = ratio(Self.ours, .setBased(processes: 2))
    result.ratio_to_plain_sink = ratio(Self.ours, .plainSink(processes: 1))
    result.ratio_of_two_to_one = ratio(.throughline(processes: 2, publishes: true), Self.ours)
    if result.stages.count > 1 {
      result.ratio_of_full_to_empty = Self.ratio(result.stages[0].rates(Self.ours), result.stages[1].rates(Self.ours))
    }
    return result
  }

  private func stage(_ track: Track, _ prefilled: Int) async throws -> Stage {
    let recorded = Contender.throughline(processes: 1, publishes: false)
    var contenders: [Contender] = [
      Self.ours, .throughline(processes: 2, publishes: true), recorded, .limit(connections: 1), .limit(connections: 2),
      .setBased(processes: 1), .setBased(processes: 2), .plainSink(processes: 1), .plainSink(processes: 2), .rowByRow,
    ]
    if !options.only.isEmpty {
      contenders = contenders.filter { contender in options.only.contains { "\(contender)".contains($0) } }
    }
    var all: [Contender: [Measured]] = [:]
    for round in 1...options.rounds {
      for contender in contenders {
        let measured: Measured
        switch contender {
        case recorded where round == 1:
          measured = try await track.run(
            contender,
            recording: { url, firstXID, firstID in
              try bench.run(["sh", "-c", "rm -rf \(options.folder)/rows && mkdir -p \(options.folder)/rows"])
              try bench.run([
                Paths.python, Paths.scripts + "copy_limit.py", "dump", url, options.folder + "/rows", firstXID, firstID,
              ])
            })
        // The slowest is measured on fewer.
        case .rowByRow: measured = try await track.run(contender, first: max(2_000, track.records.count / 50))
        default: measured = try await track.run(contender)
        }
        say(
          "  \(round)/\(options.rounds) \(contender.name) × \(contender.count): \(measured.recordsPerSecond.rounded(0)) records/s"
        )
        all[contender, default: []].append(measured)
      }
    }
    var stage = Stage(
      prefilled: prefilled,
      measured: contenders.compactMap { contender in
        guard let rounds = all[contender] else { return nil }
        var median = rounds.sorted { $0.recordsPerSecond < $1.recordsPerSecond }[(rounds.count - 1) / 2]
        median.rates = rounds.map(\.recordsPerSecond)
        return median
      })
    // Ours in two processes and theirs must agree with ours in one, where both have left everything.
    let reference = stage.measured.first { $0.name == recorded.name }
    for other in stage.measured where other.name == Contender.setBased(processes: 1).name || other.name == Self.ours.name {
      guard let reference else { continue }
      for (what, count) in reference.left
      where other.left[what] != count && !(what == "events in the outbox" && other.name == Self.ours.name) {
        stage.differences["\(what), \(other.name) × \(other.processes)"] = [count, other.left[what] ?? -1]
      }
    }
    return stage
  }

  func show(_ result: Result) {
    for stage in result.stages {
      bench.show(
        "\nIngest, \(stage.prefilled == 0 ? "on an empty database" : "with \(stage.prefilled) messages in the database"): "
          + "\(options.messages) records, median of \(options.rounds)")
      var table = Table(
        "", "processes", "records/s", "ours against it", "worker µs", "PostgreSQL µs", "worker CPU s", "PostgreSQL CPU s",
        "broker CPU s", "peak MiB")
      for m in stage.measured {
        let ratio = Self.ratio(stage.rates(Self.ours), m.rates)?.rounded(2) ?? ""
        table.add(
          m.name, "\(m.processes)", m.recordsPerSecond.rounded(0), ratio, m.workerMicrosecondsPerRecord.rounded(1),
          m.postgresMicrosecondsPerRecord.rounded(1), m.workerCPUSeconds.rounded(2), m.postgresCPUSeconds.rounded(2),
          m.brokerCPUSeconds.rounded(2), m.peakMemoryMiB.rounded(0))
      }
      bench.show(table.text)
      if let left = stage.measured.first(where: { $0.name == Self.ours.name })?.left {
        bench.show("left behind: " + left.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
      }
      bench.show(
        stage.differences.isEmpty
          ? "set-based Python left the same"
          : "differences: "
            + stage.differences.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value[0]) and \($0.value[1])" }
            .joined(separator: "; "))
    }
    var table = Table("", "ratio", "asked for")
    func line(_ what: String, _ value: Double?, _ asked: String) { if let value { table.add(what, value.rounded(2), asked) } }
    line("one process to the limit on one connection", result.ratio_to_limit, "≥ 0.50")
    line("one process to set-based Python in one", result.ratio_to_set_based_python, "≥ 1.50")
    line("one process to set-based Python in two", result.ratio_to_set_based_python_in_two, "> 1.00")
    line("one process to a plain Python sink", result.ratio_to_plain_sink, "≥ 1.00")
    line("two processes to one", result.ratio_of_two_to_one, "≥ 0.90")
    line("cost of a message, full database to empty", result.ratio_of_full_to_empty, "≤ 1.30")
    bench.show("\n" + table.text)
  }
}
