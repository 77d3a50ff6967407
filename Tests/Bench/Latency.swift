import Foundation
import Kafka

/// From produce to committed row, at a tenth of the rate that one process reaches.
struct Latency {
  typealias Result = [Line]
  struct Line: Codable, Sendable {
    /// librdkafka properties that differ from the worker's own.
    var properties: String
    var recordsPerSecond: Double
    var milliseconds: Latencies
    var workerCPUSeconds: Double
    var postgresCPUSeconds: Double
    var peakMemoryMiB: Double
  }

  /// The embedded broker answers a fetch that found nothing when its wait is over, whatever has come meanwhile; others answer at once.
  static let waits = ["", "fetch.wait.max.ms=5"]

  let options: Options

  /// - Parameter maximumRate: records a second, if it was measured.
  func run(_ database: Database, maximumRate: Double?) async throws -> Result {
    let template = try await database.template(messages: 0)
    let rate = options.rate > 0 ? Double(options.rate) : try await self.maximumRate(database, template, maximumRate) / 10
    var result: Result = []
    for properties in Self.waits { result.append(try await run(database, template, rate, properties)) }
    return result
  }

  private func run(_ database: Database, _ template: String, _ rate: Double, _ properties: String) async throws -> Line {
    let name = "run"
    try await database.make(name, from: template)
    let feed = try await Feed(partitions: 12, linger: "0")
    let worker = try Competitor(
      [Paths.throughline, "ingest"],
      environment: [
        "THROUGHLINE_DATABASE_URL": database.url(name), "THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS": feed.broker.bootstrapServers,
        "THROUGHLINE_HTTP_LISTEN": "off", "THROUGHLINE_LOG_LEVEL": "warning", "THROUGHLINE_KAFKA_PROPERTIES": properties,
      ], log: options.folder + "/logs/latency.log")
    let reader = Reader(url: database.url(name), table: "throughline.message", column: "external_id")
    let total = Int(rate * Double(options.seconds))
    // Two seconds of it warm everything up.
    let warm = Int(rate * 2)
    var load = Load(seed: options.seed, total: total + warm)
    var produced: [String: Double] = [:]
    func send(_ count: Int, isMeasured: Bool) async throws {
      var records: [ProducerRecord] = []
      let now = Reader.now()
      for _ in 0..<count {
        records.append(load.next())
        if isMeasured, let id = load.newMessageID { produced[id] = now }
      }
      try await feed.send(records)
    }
    let result = try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await reader.run() }
      try await send(1, isMeasured: false)
      while reader.times.isEmpty {
        guard worker.isRunning else { throw Failure(worker.tail) }
        try await Task.sleep(for: .milliseconds(50))
      }
      try await atRate(rate, total: warm) { try await send($0.count, isMeasured: false) }
      let watched = try await reader.watch(worker, database, rate, total: total, produced: { produced }) {
        try await send($0.count, isMeasured: true)
      }
      group.cancelAll()
      return Line(
        properties: properties, recordsPerSecond: watched.perSecond, milliseconds: watched.milliseconds,
        workerCPUSeconds: watched.workerCPUSeconds, postgresCPUSeconds: watched.postgresCPUSeconds,
        peakMemoryMiB: Machine.memory(of: worker.pid, "VmHWM"))
    }
    try await worker.stop()
    await feed.close()
    try await database.drop(name)
    return result
  }

  private func maximumRate(_ database: Database, _ template: String, _ known: Double?) async throws -> Double {
    if let known { return known }
    var load = Load(seed: options.seed, total: options.messages)
    let records = (0..<options.messages).map { _ in load.next() }
    return try await Track(database: database, template: template, records: records, folder: options.folder)
      .run(Ingest.ours).recordsPerSecond
  }

  func show(_ result: Result) {
    var table = Table(
      "latency, produce to row visible", "records/s", "p50 ms", "p99 ms", "p99.9 ms", "max ms", "worker CPU s",
      "PostgreSQL CPU s", "peak MiB")
    for line in result {
      let times = line.milliseconds
      table.add(
        "throughline ingest, \(line.properties.isEmpty ? "its own settings" : line.properties), \(options.seconds) s",
        line.recordsPerSecond.rounded(0), times.p50.rounded(1), times.p99.rounded(1), times.p999.rounded(1),
        times.maximum.rounded(1),
        line.workerCPUSeconds.rounded(1), line.postgresCPUSeconds.rounded(1), line.peakMemoryMiB.rounded(0))
    }
    bench.show("\n" + table.text)
  }
}
