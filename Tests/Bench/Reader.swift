import Foundation
import Postgres
import Synchronization

/// Sees rows when they become visible: looks every two milliseconds for ids after the last one, with a prepared statement. Twice as often,
/// and planned each time, it took a twenty-fifth of the machine from those whom it measured.
///
/// What it adds to a latency is its own period and query, about two milliseconds: it makes figures worse, never better.
final class Reader: Sendable {
  private let seen = Mutex<[String: Double]>([:])
  private let db: PostgresConnection
  private let look: Statement

  /// - Parameter column: what the rows are known by.
  init(url: String, table: String, column: String) {
    let settings = ["enable_seqscan = off", "jit = off", "plan_cache_mode = force_generic_plan"]
    db = PostgresConnection(url: url, applicationName: "reader", settings: settings)
    look = Statement(
      name: "look",
      sql: "SELECT id, \(column)::text FROM \(table) WHERE tenant_id = 'default' AND id > $1::uuid ORDER BY tenant_id, id")
  }

  /// Microseconds since 1970.
  static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
  }

  /// Until its task is cancelled.
  func run() async throws {
    var last = PostgresUUID(high: 0, low: 0)
    while !Task.isCancelled {
      let (look, from) = (look, last)
      let rows = try await db.perform { db throws(PostgresFault) in
        let rows = try db.query(look, [.uuid(from)])
        return (0..<rows.count).map { (id: rows.uuid($0, 0), name: rows.optionalText($0, 1)) }
      }
      let now = Self.now()
      seen.withLock { seen in
        for row in rows { if let name = row.name { seen[name] = now } }
      }
      last = rows.last?.id ?? last
      try? await Task.sleep(for: .milliseconds(2))
    }
  }

  var times: [String: Double] { seen.withLock { $0 } }
  func time(of name: String) -> Double? { seen.withLock { $0[name] } }

  /// What a worker took while so many were sent at a rate, until all of them were seen.
  struct Watched: Sendable {
    var perSecond: Double
    var milliseconds: Latencies
    var workerCPUSeconds: Double
    var postgresCPUSeconds: Double
  }

  /// - Parameters:
  ///   - send: sends some more of them.
  ///   - produced: when each was sent, by what it is known by.
  func watch(
    _ worker: Competitor, _ database: Database, _ rate: Double, total: Int, produced: () -> [String: Double],
    send: (Range<Int>) async throws -> Void
  ) async throws -> Watched {
    let (cpu, server) = (Machine.cpuSeconds(of: worker.pid) ?? 0, Machine.cpuSeconds(ofServer: database.pid))
    let start = ContinuousClock.now
    try await atRate(rate, total: total, send)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let produced = produced()
    let deadline = ContinuousClock.now + .seconds(20)
    while !produced.keys.allSatisfy({ time(of: $0) != nil }) && .now < deadline {
      try await Task.sleep(for: .milliseconds(50))
    }
    let times = times
    guard produced.keys.allSatisfy({ times[$0] != nil }) else { throw Failure("some never came: \(worker.tail)") }
    return Watched(
      perSecond: Double(total) / seconds,
      milliseconds: Latencies(produced.map { ((times[$0.key] ?? .infinity) - $0.value) / 1_000 }),
      workerCPUSeconds: (Machine.cpuSeconds(of: worker.pid) ?? 0) - cpu,
      postgresCPUSeconds: Machine.cpuSeconds(ofServer: database.pid) - server)
  }
}

/// Percentiles of a latency in milliseconds.
struct Latencies: Codable, Sendable {
  var count: Int
  var p50: Double
  var p99: Double
  var p999: Double
  var maximum: Double

  init(_ milliseconds: [Double]) {
    count = milliseconds.count
    (p50, p99, p999) = (milliseconds.percentile(0.5), milliseconds.percentile(0.99), milliseconds.percentile(0.999))
    maximum = milliseconds.max() ?? 0
  }
}

/// Calls `body` with how many are due, about every five milliseconds, until `total` were.
func atRate(_ perSecond: Double, total: Int, _ body: (Range<Int>) async throws -> Void) async throws {
  let start = ContinuousClock.now
  var done = 0
  while done < total {
    let due = min(total, Int((ContinuousClock.now - start) / .seconds(1) * perSecond))
    if due > done {
      try await body(done..<due)
      done = due
    }
    try await Task.sleep(for: .milliseconds(5))
  }
}
