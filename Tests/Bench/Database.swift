import Foundation
import Postgres
import Store

/// A PostgreSQL of the benchmark's own, with the settings of a real one; its databases are copies of templates.
///
/// Its folder stays, so that a prefilled template is made once.
final class Database: Sendable {
  /// What differs from PostgreSQL's defaults: fsync and synchronous_commit are on.
  static let settings = [
    // A quarter of the memory, as PostgreSQL's manual has it.
    "shared_buffers=\(ProcessInfo.processInfo.physicalMemory >> 22)MB",
    "max_wal_size=8GB", "checkpoint_timeout=15min", "effective_cache_size=8GB", "random_page_cost=1.1",
    "track_commit_timestamp=on", "max_connections=100",
  ]
  /// While a template is filled: nothing of it has to outlive a crash.
  private static let filling = [
    "fsync=off", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=32GB", "checkpoint_timeout=1h", "autovacuum=off",
    "maintenance_work_mem=512MB",
  ]

  private let folder: String
  private let extra: [String]
  private let isWarm: Bool

  /// - Parameters:
  ///   - extra: more settings, for profiles.
  ///   - isWarm: see `Options.warm`.
  init(folder: String, extra: [String] = [], isWarm: Bool = false) throws {
    self.folder = URL(fileURLWithPath: folder).standardizedFileURL.path + "/postgres"
    self.extra = extra
    self.isWarm = isWarm
    if !FileManager.default.fileExists(atPath: self.folder + "/data/PG_VERSION") {
      try run(["mkdir", "-p", self.folder])
      if Self.isRoot { try run(["chown", "postgres:", self.folder]) }
      try command(
        "initdb", "-D", self.folder + "/data", "-U", "throughline", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
        "--no-instructions")
    }
    try start(extra)
  }

  private static var isRoot: Bool { geteuid() == 0 }

  private func command(_ name: String, _ arguments: String...) throws {
    let versions = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql").compactMap { Int($0) }
    let user = Self.isRoot ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : []
    try runQuietly(["env", "--chdir=/"] + user + ["/usr/lib/postgresql/\(versions.max() ?? 15)/bin/\(name)"] + arguments)
  }

  private func start(_ more: [String]) throws {
    // One that outlived its owner.
    if pid > 0 { try? stop() }
    let options = ["listen_addresses=", "unix_socket_directories=\(folder)"] + Self.settings + more
    try command(
      "pg_ctl", "-D", folder + "/data", "-w", "-t", "300", "-l", folder + "/log", "-o",
      options.map { "-c '\($0)'" }.joined(separator: " "), "start")
  }

  func stop() throws { try command("pg_ctl", "-D", folder + "/data", "-m", "fast", "-w", "-t", "300", "stop") }

  var pid: Int32 {
    let text = (try? String(contentsOfFile: folder + "/data/postmaster.pid", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").first.flatMap { Int32($0) } ?? 0
  }

  func url(_ name: String) -> String {
    "postgresql://throughline@" + folder.replacingOccurrences(of: "/", with: "%2F") + "/" + name
  }

  /// For what is asked again and again: a connection costs PostgreSQL more than most questions.
  func connection(to name: String) -> PostgresConnection { PostgresConnection(url: url(name), applicationName: "bench") }

  @discardableResult
  func sql(_ text: String, in name: String = "postgres") async throws -> [[String?]] {
    let db = connection(to: name)
    let rows = try await db.rows(text)
    await db.close()
    return rows
  }

  func number(_ text: String, in name: String) async throws -> Int { try await sql(text, in: name).number }

  /// The template with so many messages in it, made where it is missing.
  func template(messages: Int) async throws -> String {
    // Another schema is another template.
    let schema = Migrations.all.reduce(into: 0xcbf2_9ce4_8422_2325 as UInt64) { hash, migration in
      hash = migration.sql.utf8.reduce(hash) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
    let name = "template_\(messages)_\(String(schema, radix: 36))"
    if try await number("SELECT count(*) FROM pg_database WHERE datname = '\(name)'", in: "postgres") == 1 { return name }
    let unfinished = "unfinished"
    try await sql("DROP DATABASE IF EXISTS \(unfinished)")
    try await sql("CREATE DATABASE \(unfinished) TEMPLATE template0")
    let db = connection(to: unfinished)
    _ = try await db.perform({ db throws(Migrations.Fault) in try Migrations.apply(on: db) }, mapping: { .postgres($0) })
    await db.close()
    if messages > 0 {
      try stop()
      try start(Self.filling)
      try await Prefill(messages: messages).run(self, in: unfinished)
      try stop()
      try start(extra)
    }
    try await sql("ALTER DATABASE \(unfinished) RENAME TO \(name)")
    return name
  }

  /// A database for one run: a copy of the template, on disk.
  func make(_ name: String, from template: String) async throws {
    try await drop(name)
    try await sql("CREATE DATABASE \(name) TEMPLATE \(template) STRATEGY FILE_COPY")
    try await sql("CHECKPOINT")
    // What earlier runs left to be written is nobody's cost but theirs.
    sync()
    guard isWarm else { return }
    try await sql("CREATE EXTENSION IF NOT EXISTS pg_prewarm", in: name)
    try await sql(
      """
      SELECT sum(pg_prewarm(c.oid)) FROM pg_class c
      WHERE c.relnamespace = 'throughline'::regnamespace
        AND (c.relkind = 'i' OR c.relname IN ('conversation', 'customer', 'identity', 'message_ref'))
      """, in: name)
  }

  func drop(_ name: String) async throws { try await sql("DROP DATABASE IF EXISTS \(name) WITH (FORCE)") }
}

extension PostgresConnection {
  func rows(_ text: String) throws -> [[String?]] { try perform { db throws(PostgresFault) in try db.textRows(text) } }
  func number(_ text: String) throws -> Int { try rows(text).number }
}

extension [[String?]] {
  /// The only field of the only row.
  fileprivate var number: Int { first?.first.flatMap { $0 }.flatMap(Int.init) ?? 0 }
}
