import Canonical
import Foundation
import Kafka

/// Who competes in `ingest`.
enum Contender: Sendable, Hashable {
  /// `throughline ingest`; without publishing its events stay in the outbox, as those of the Python workers do.
  case throughline(processes: Int, publishes: Bool)
  case setBased(processes: Int)
  case rowByRow
  case plainSink(processes: Int)
  case limit(connections: Int)

  var name: String {
    switch self {
    case .throughline(_, let publishes): publishes ? "throughline ingest" : "throughline ingest, events left in the outbox"
    case .setBased: "Python, set-based"
    case .rowByRow: "Python, row by row"
    case .plainSink: "Python, plain sink: messages only"
    case .limit: "limit: COPY of the run's rows"
    }
  }

  /// Processes, or connections of the limit.
  var count: Int {
    switch self {
    case .throughline(let count, _), .setBased(let count), .plainSink(let count), .limit(let count): count
    case .rowByRow: 1
    }
  }

  var command: [String] {
    switch self {
    case .throughline: [Paths.throughline, "ingest"]
    case .setBased: [Paths.python, Paths.scripts + "set_based.py"]
    case .rowByRow: [Paths.python, Paths.scripts + "row_by_row.py"]
    case .plainSink: [Paths.python, Paths.scripts + "plain_sink.py"]
    case .limit: [Paths.python, Paths.scripts + "copy_limit.py", "replay"]
    }
  }
}

/// Where things are, from the root of the package.
enum Paths {
  static let throughline = ".build/release/throughline"
  static let python = ".bench/venv/bin/python"
  static let scripts = "Tests/Bench/python/"
  static let logs = ".bench/logs/"
}

/// What one run of one contender gave.
struct Measured: Codable, Sendable {
  var name: String
  var processes: Int
  var records: Int
  /// From the first commit to the last; the records of the first are not counted in the rate.
  var seconds: Double
  var recordsPerSecond: Double
  /// Of every round, where this is the median of several.
  var rates: [Double] = []
  /// All processes of the worker, of PostgreSQL, and of broker and harness, over the same time.
  var workerCPUSeconds: Double
  var postgresCPUSeconds: Double
  var brokerCPUSeconds: Double
  var workerMicrosecondsPerRecord: Double
  var postgresMicrosecondsPerRecord: Double
  /// Of the process that had most.
  var peakMemoryMiB: Double
  /// What the run left behind, by table, and sums over contents.
  var left: [String: Int] = [:]
}

/// Runs contenders on a load, each on a database and a broker of its own.
struct Track: Sendable {
  let database: Database
  let template: String
  let records: [ProducerRecord]
  let folder: String

  /// - Parameters:
  ///   - first: only so many of the records.
  ///   - recording: is called with the finished run's database, and where its rows begin.
  ///   - profiling: is called when the run is under way, and gives what is to be called at its end.
  func run(
    _ contender: Contender, first count: Int? = nil,
    recording: ((_ url: String, _ firstXID: String, _ firstID: String) async throws -> Void)? = nil,
    profiling: ((_ pid: Int32) throws -> () async throws -> Void)? = nil
  ) async throws -> Measured {
    let name = "run"
    let records = count.map { Array(self.records.prefix($0)) } ?? self.records
    try await database.make(name, from: template)
    if case .throughline(_, false) = contender {
      try await database.sql("UPDATE throughline.outbox_shard SET owner = 'bench', expires_at = 'infinity'", in: name)
    }
    if case .plainSink = contender {
      try await database.sql(
        """
        CREATE SCHEMA bench;
        CREATE TABLE bench.message (LIKE throughline.message INCLUDING ALL);
        ALTER TABLE bench.message ALTER conversation_id DROP NOT NULL, ALTER customer_id DROP NOT NULL
        """, in: name)
    }
    let firstXID = try await database.sql("SELECT pg_current_xact_id()::text", in: name)[0][0] ?? ""
    let now = UInt64(Date().timeIntervalSince1970 * 1_000)
    var firstID = ID(Bytes16(high: now << 16 | 0x7000, low: 1 << 63)).description
    // The rows that are copied have the ids of the run that they come from.
    if case .limit = contender { firstID = try String(contentsOfFile: folder + "/rows/first-id", encoding: .utf8) }
    let feed: Feed?
    if case .limit = contender {
      feed = nil
    } else {
      feed = try await Feed(partitions: Feed.partitions(for: self.records))
      try await feed?.preload(records)
    }
    let usage = try await follow(contender, name, records.count, feed, profiling)
    await feed?.close()
    var measured = try await measure(contender, name, records.count, firstID, usage)
    measured.left = try await left(contender, name, firstID)
    try await recording?(database.url(name), firstXID, firstID)
    try await database.drop(name)
    return measured
  }

  private struct Usage {
    var worker = 0.0
    var postgres = 0.0
    var broker = 0.0
    var records = 0
    var peakMemory = 0.0
  }

  private func sample(_ competitors: [Competitor]) -> Usage {
    Usage(
      worker: competitors.reduce(0) { $0 + (Machine.cpuSeconds(of: $1.pid) ?? 0) },
      postgres: Machine.cpuSeconds(ofServer: database.pid), broker: Machine.cpuSeconds(of: getpid()) ?? 0)
  }

  /// Starts the processes and watches them until every record is done; what that took from the first commit on.
  private func follow(
    _ contender: Contender, _ name: String, _ total: Int, _ feed: Feed?,
    _ profiling: ((Int32) throws -> () async throws -> Void)?
  ) async throws -> Usage {
    var environment = [
      "THROUGHLINE_DATABASE_URL": database.url(name), "THROUGHLINE_HTTP_LISTEN": "off", "THROUGHLINE_LOG_LEVEL": "warning",
    ]
    environment["THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS"] = feed?.broker.bootstrapServers
    var command = contender.command
    if case .limit(let connections) = contender { command += [database.url(name), folder + "/rows", "\(connections)"] }
    let processes = if case .limit = contender { 1 } else { contender.count }
    let competitors = try (0..<processes).map { number in
      try Competitor(
        command, environment: environment, log: folder + "/logs/\(number)-\(command[1].split(separator: "/").last ?? "").log")
    }
    var begun: Usage?
    var lastOfLimit = Usage()
    var finishProfile: (() async throws -> Void)?
    var (done, changedAt) = (0, ContinuousClock.now)
    let watcher = database.connection(to: name)
    while done < total {
      try await Task.sleep(for: .milliseconds(begun == nil ? 20 : 100))
      let before = done
      if case .limit = contender {
        if begun == nil, competitors[0].tail.contains("ready") {
          competitors[0].writeLine()
          begun = sample(competitors)
        }
        // Its peak is the rows that it holds, which is no matter; its CPU is read as long as it is there.
        if var now = begun.map({ _ in sample(competitors) }), competitors[0].isRunning {
          now.peakMemory = Machine.memory(of: competitors[0].pid, "VmHWM")
          lastOfLimit = now
        }
        if !competitors[0].isRunning { done = total }
      } else if case .plainSink = contender {
        // Not a count, which would cost what it counts; up to some seconds late, which costs nobody anything.
        done = try await watcher.number(
          "SELECT n_tup_ins FROM pg_stat_user_tables WHERE schemaname = 'bench' AND relname = 'message'")
      } else {
        done = try await watcher.number(
          "SELECT coalesce(sum(next_offset), 0) FROM throughline.ingest_offset WHERE topic LIKE 'channel.%'")
      }
      if done > before { changedAt = .now }
      if begun == nil, done > 0 {
        begun = sample(competitors)
        begun?.records = done
        finishProfile = try profiling?(competitors[0].pid)
      }
      if ContinuousClock.now - changedAt > .seconds(120) || (done < total && !competitors.allSatisfy(\.isRunning)) {
        throw Failure("\(contender.name) stopped at \(done) of \(total): \(competitors.map(\.tail).joined(separator: "\n"))")
      }
    }
    var end = sample(competitors)
    await watcher.close()
    if case .limit = contender { end.worker = lastOfLimit.worker }
    end.peakMemory = competitors.map { Machine.memory(of: $0.pid, "VmHWM") }.max() ?? 0
    if case .limit = contender { end.peakMemory = lastOfLimit.peakMemory }
    try await finishProfile?()
    for competitor in competitors { try await competitor.stop() }
    guard let begun else { throw Failure("\(contender.name) did nothing: \(competitors[0].tail)") }
    return Usage(
      worker: end.worker - begun.worker, postgres: end.postgres - begun.postgres, broker: end.broker - begun.broker,
      records: total - begun.records, peakMemory: end.peakMemory)
  }

  /// The rate by the commits' own times, which nobody had to watch for.
  private func measure(
    _ contender: Contender, _ name: String, _ total: Int, _ firstID: String, _ usage: Usage
  ) async throws -> Measured {
    let table = if case .plainSink = contender { "bench.message" } else { "throughline.message" }
    let row = try await database.sql(
      """
      WITH m AS MATERIALIZED (SELECT pg_xact_commit_timestamp(xmin) AS at FROM \(table) WHERE id >= '\(firstID)'),
        e AS (SELECT min(at) AS first, max(at) AS last FROM m)
      SELECT extract(epoch FROM max(e.last) - max(e.first)), count(*) FILTER (WHERE m.at = e.first), count(*) FROM m, e
      """, in: name)[0].map { Double($0 ?? "") ?? 0 }
    let (seconds, inFirst, stored) = (row[0], row[1], row[2])
    return Measured(
      name: contender.name, processes: contender.count, records: total, seconds: seconds,
      recordsPerSecond: Double(total) * (stored - inFirst) / stored / seconds, workerCPUSeconds: usage.worker,
      postgresCPUSeconds: usage.postgres, brokerCPUSeconds: usage.broker,
      workerMicrosecondsPerRecord: usage.worker * 1e6 / Double(usage.records),
      postgresMicrosecondsPerRecord: usage.postgres * 1e6 / Double(usage.records), peakMemoryMiB: usage.peakMemory)
  }

  /// Counts and sums that two workers with the same semantics leave equal.
  private func left(_ contender: Contender, _ name: String, _ firstID: String) async throws -> [String: Int] {
    if case .plainSink = contender {
      return ["messages": try await database.number("SELECT count(*) FROM bench.message", in: name)]
    }
    let queries = [
      "customers": "SELECT count(*) FROM throughline.customer",
      "verified customers": "SELECT count(*) FROM throughline.customer WHERE verified",
      "identities": "SELECT count(*) FROM throughline.identity",
      "conversations": "SELECT count(*) FROM throughline.conversation",
      "messages": "SELECT count(*) FROM throughline.message WHERE id >= '\(firstID)'",
      "keys": "SELECT count(*) FROM throughline.message_ref WHERE seen",
      "references": "SELECT count(*) FROM throughline.message_ref WHERE conversation_id IS NOT NULL",
      "attachments": "SELECT count(*) FROM throughline.attachment",
      "originals": "SELECT count(*) FROM throughline.message_original",
      "claims": "SELECT count(*) FROM throughline.identity_claim",
      "dead letters": "SELECT count(*) FROM throughline.dead_letter",
      // Whether a message changes the channel depends on the order of arrival over topics, which is nobody's to choose.
      "events in the outbox": """
      SELECT count(*) FROM throughline.outbox_event WHERE position('conversation.channel_switched' IN convert_from(value, 'UTF8')) = 0
      """,
      "texts (sum of hashes)": """
      SELECT sum(hashtextextended(channel || ' ' || external_id || ' ' || coalesce(text, ''), 0)::numeric) % 1000000007
      FROM throughline.message WHERE id >= '\(firstID)'
      """,
      "threads (sum of hashes)": """
      SELECT sum(hashtextextended(m.external_id || m.count, 0)::numeric) % 1000000007
      FROM (
        SELECT external_id, count(*) OVER (PARTITION BY conversation_id) FROM throughline.message WHERE id >= '\(firstID)'
      ) m
      """,
    ]
    var left: [String: Int] = [:]
    for (what, query) in queries { left[what] = try await database.number(query, in: name) }
    return left
  }
}
