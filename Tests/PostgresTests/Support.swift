import Postgres
import Store
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

  /// Ad-hoc SQL in a hop of its own; the rows of the last statement.
  @discardableResult
  nonisolated func sql(_ text: String) async throws(PostgresFault) -> [[String?]] {
    try await perform { db throws(PostgresFault) in try db.textRows(text) }
  }

  /// The first value of `sql`.
  nonisolated func value(_ text: String) async throws(PostgresFault) -> String? {
    try await sql(text).first?.first ?? nil
  }

  nonisolated func backend() async throws(PostgresFault) -> String? { try await value("SELECT pg_backend_pid()") }

  /// What a call fails with; nil where it does not.
  nonisolated func fault<R: Sendable>(
    in body: @Sendable (isolated PostgresConnection) throws(PostgresFault) -> R
  ) async -> PostgresFault? {
    do throws(PostgresFault) {
      _ = try await perform(body)
      return nil
    } catch {
      return error
    }
  }

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

  /// Waits until a query gives true; a condition that never comes fails the test.
  nonisolated func wait(until what: Comment, _ condition: String, within limit: Duration = .seconds(30)) async throws {
    let deadline = ContinuousClock.now + limit
    while try await value("SELECT \(condition)") != "t" {
      guard ContinuousClock.now < deadline else { throw Late(what: what.rawValue) }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Waits until the connection of that name to the same database waits for a lock; other tests have their own of that name.
  nonisolated func wait(untilLocked name: String) async throws {
    try await wait(
      until: "\(name) waits for a lock",
      """
      EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = '\(name)' AND wait_event_type = 'Lock')
      """)
  }
}

struct Late: Error { let what: String }
