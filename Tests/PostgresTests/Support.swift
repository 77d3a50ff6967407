import Postgres
import Store
import TestSupport
import Testing

extension TestDatabase {
  /// A database where a statement that waits for ever fails instead.
  static func bounded(isEmpty: Bool = false) async throws -> String {
    try await make(isEmpty: isEmpty) + "?options=-cstatement_timeout%3D20s"
  }
}

extension PostgresConnection {
  /// On a database of its own.
  static func fresh(isEmpty: Bool = false) async throws -> PostgresConnection {
    PostgresConnection(url: try await TestDatabase.bounded(isEmpty: isEmpty), applicationName: "test", settings: Queries.settings)
  }

  /// On the database that everybody shares: for tests that leave nothing behind.
  static func shared(name: String = "test") async throws -> PostgresConnection {
    PostgresConnection(url: try await TestServer.running().url, applicationName: name)
  }

  nonisolated func backend() async throws(PostgresFault) -> String? { try await value("SELECT pg_backend_pid()") }

  nonisolated func fault(of sql: String) async -> PostgresFault? {
    await fault { db throws(PostgresFault) in try db.execute(sql) }
  }

  /// Connected, with a transaction open: `perform` would end it.
  func begin(_ settings: String = "") throws(PostgresFault) {
    try connect()
    try execute("BEGIN; \(settings)")
  }

  /// What `sql` fails with, in the transaction that is open; nil where it does not.
  func failure(of sql: String) -> PostgresFault? {
    do throws(PostgresFault) {
      try execute(sql)
      return nil
    } catch {
      return error
    }
  }
}
