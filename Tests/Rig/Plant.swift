import Foundation
import Kafka
import Logging
import Postgres
import Synchronization

/// A whole Throughline for faults to strike: brokers, a PostgreSQL of its own behind a proxy, and workers kept as systemd keeps them.
///
/// Workers reach the database through the proxy as a role of their own, which is no superuser; who looks from outside reaches it
/// directly.
public final class Plant: Sendable {
  public let server: ThrowawayServer
  public let proxy: DatabaseProxy
  public let cluster: Cluster
  /// Nil where mounting is not permitted: then the disk can not get full.
  public let disk: SmallDisk?
  public let ingest: [Unit]
  public let routers: [Unit]
  private let alarmed = Mutex(Set<String>())

  public static let brokers = 3
  /// What the units in deploy/ say.
  public static let watchdog = Duration.seconds(60)
  /// Written by faults alone, and not read by the audit: it may be trimmed.
  static let idlePartition = TopicPartition("channel.bot", 0)
  private static let maximumConnections = 60

  /// Starts it all, and waits until the workers have their partitions.
  ///
  /// - Parameters:
  ///   - environment: more variables for the workers.
  ///   - watchdog: how long a worker may go without progress.
  public init(
    ingest: Int, routers: Int, environment: [String: String] = [:], watchdog: Duration = Plant.watchdog
  ) async throws {
    server = try await ThrowawayServer(options: "-c fsync=off -c max_connections=\(Self.maximumConnections)")
    disk = SmallDisk()
    let owner = PostgresConnection(url: server.url, applicationName: "plant")
    try await owner.perform { [disk] db throws(PostgresFault) in
      try db.execute("CREATE ROLE worker LOGIN")
      if let disk { try db.execute("CREATE TABLESPACE small LOCATION '\(disk.path)'") }
      try db.execute("CREATE DATABASE desk OWNER worker \(disk == nil ? "" : "TABLESPACE small")")
    }
    await owner.close()
    proxy = try DatabaseProxy(upstream: server.directory + "/.s.PGSQL.5432")
    let workersURL = "postgresql://worker@127.0.0.1:\(proxy.port)/desk?sslmode=disable&gssencmode=disable"
    try await migrate(workersURL)
    let cluster = try await Cluster(
      databaseURL: server.url.dropLast("postgres".count) + "desk?target_session_attrs=any", brokers: Self.brokers,
      topics: ["agent.presence", "dlq.agent.presence", "routing.events", "outbound.chat", "rig.probe"])
    self.cluster = cluster
    @Sendable func unit(_ kind: String, _ number: Int) throws -> Unit {
      try Unit("\(kind) \(number)", watchdog: watchdog) { variables in
        try cluster.startWorker(
          kind,
          ["THROUGHLINE_DATABASE_URL": workersURL, "THROUGHLINE_TEST_FAULTS": "1"].merging(environment) { $1 }.merging(variables)
          { $1 })
      }
    }
    self.ingest = try (0..<ingest).map { try unit("ingest", $0 + 1) }
    self.routers = try (0..<routers).map { try unit("route", $0 + 1) }
    for unit in units { try await unit.waitForStart(after: 0) }
  }

  public var units: [Unit] { ingest + routers }

  /// `topic partition offset reason` of letters that no record asks for, because a fault took the records away.
  var alarms: Set<String> { alarmed.withLock { $0 } }
  func expectAlarm(_ letter: String) { _ = alarmed.withLock { $0.insert(letter) } }

  /// How often the words stand in the workers' logs.
  public func count(_ words: String) -> Int {
    units.flatMap(\.logs).reduce(0) { $0 + $1.components(separatedBy: words).count - 1 }
  }

  /// Waits until a condition holds; throws what it waited for when it does not.
  public func wait(_ what: String, seconds: Double = 40, until condition: () async throws -> Bool) async throws {
    for _ in 0..<Int(seconds * 20) {
      if try await condition() { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw RigFault("\(what): not seen within \(seconds) s")
  }

  /// Waits until one of these words is in the logs more often than `before` says.
  public func waitForLog(_ words: [String], beyond before: Int, seconds: Double = 40) async throws {
    try await wait("'\(words.joined(separator: "' or '"))' in a worker's log", seconds: seconds) { count(of: words) > before }
  }

  public func count(of words: [String]) -> Int { words.reduce(0) { $0 + count($1) } }

  /// Writes what the workers' processes have logged, a file each.
  public func saveLogs(in folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for unit in units {
      for (number, log) in unit.logs.enumerated() {
        try Data(log.utf8).write(to: folder.appending(path: "\(unit.name) \(number + 1).log".replacing(" ", with: "-")))
      }
    }
  }

  /// SQL of the superuser, past the proxy.
  public func sql(_ text: String) async throws { _ = try await cluster.rows(text) }

  /// Ends everything, however.
  public func close() async {
    for unit in units { unit.close() }
    await cluster.close()
    proxy.close()
    await server.stop()
    disk?.close()
  }
}
