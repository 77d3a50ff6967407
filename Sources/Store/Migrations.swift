import Postgres

/// The forward-only migrations of `schemas/migrations`: each in a transaction, checksummed, safe when many processes start at once.
public enum Migrations {
  /// Number, name and text, in order.
  public static let all: [(version: Int32, name: String, sql: String)] = Queries.files.compactMap { path, text in
    guard path.hasPrefix("migrations/") else { return nil }
    let name = String(path.dropFirst("migrations/".count).dropLast(".sql".count))
    guard let version = Int32(name.prefix(4)) else { preconditionFailure("migration without a number: \(name)") }
    return (version, name, text)
  }

  public enum Fault: Error, Sendable, Equatable, CustomStringConvertible {
    case postgres(PostgresFault)
    /// An applied migration is not the one that this binary carries.
    case changed(name: String)
    /// The database is of a newer version than this binary.
    case newer(version: Int32)
    /// The database lacks migrations (`pending` only).
    case missing(name: String)

    public var description: String {
      switch self {
      case .postgres(let fault): fault.description
      case .changed(let name): "migration \(name) was applied with other contents than this binary has"
      case .newer(let version): "the database has schema version \(version); this binary knows \(all.last?.version ?? 0)"
      case .missing(let name): "the database lacks migration \(name): run `throughline migrate`"
      }
    }
  }

  /// Brings the schema up to date; returns the names of what was applied.
  public static func apply(on db: isolated PostgresConnection) throws(Fault) -> [String] {
    try db.transaction {
      () throws(Fault) -> [String] in
      try mapped { () throws(PostgresFault) in
        try db.send(Queries.named("migrate_lock"))
        try db.execute(
          """
          CREATE SCHEMA IF NOT EXISTS throughline;
          CREATE TABLE IF NOT EXISTS throughline.schema_migration (
            version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
          """)
      }
      let pending = try pending(on: db)
      // The first lock of every batch: none is half way while other tables are locked.
      if pending.first?.version ?? 1 > 1 {
        try mapped { () throws(PostgresFault) in try db.execute("LOCK TABLE throughline.ingest_offset IN EXCLUSIVE MODE") }
      }
      for migration in pending {
        try mapped { () throws(PostgresFault) in
          try db.execute(migration.sql)
          try db.send(
            Queries.named("migration_record"),
            [.int4(migration.version), .text(migration.name), .bytea(Array(migration.sql.utf8))])
        }
      }
      return pending.map(\.name)
    } mapping: {
      .postgres($0)
    }
  }

  /// Fails unless the schema is exactly the one that this binary knows: what a worker demands before it starts.
  public static func verify(on db: isolated PostgresConnection) throws(Fault) {
    do throws(Fault) {
      if let first = try pending(on: db).first { throw .missing(name: first.name) }
    } catch {
      // Neither the table nor the schema is there yet.
      if case .postgres(let fault) = error, ["42P01", "3F000"].contains(fault.sqlState) {
        throw .missing(name: all.first?.name ?? "")
      }
      throw error
    }
  }

  private static func pending(
    on db: isolated PostgresConnection
  ) throws(Fault) -> [(version: Int32, name: String, sql: String)] {
    let applied = try mapped { () throws(PostgresFault) -> [(version: Int32, isUnchanged: Bool)] in
      let rows = try db.query(Queries.named("migrations_applied"))
      var applied: [(version: Int32, isUnchanged: Bool)] = []
      for row in 0..<rows.count {
        let version = rows.int4(row, 0)
        let sql = all.first { $0.version == version }?.sql ?? ""
        let checksum = try db.query(Queries.named("checksum"), [.bytea(Array(sql.utf8))])
        applied.append((version, checksum.text(0, 0) == rows.text(row, 2)))
      }
      return applied
    }
    for (version, isUnchanged) in applied {
      guard let known = all.first(where: { $0.version == version }) else { throw .newer(version: version) }
      guard isUnchanged else { throw .changed(name: known.name) }
    }
    return all.filter { migration in !applied.contains { $0.version == migration.version } }
  }

  private static func mapped<R>(_ body: () throws(PostgresFault) -> R) throws(Fault) -> R {
    do throws(PostgresFault) { return try body() } catch { throw .postgres(error) }
  }
}
