import Postgres

/// What tests ask a connection for.
extension PostgresConnection {
  /// Ad-hoc SQL in a hop of its own; the rows of the last statement.
  @discardableResult
  public nonisolated func sql(_ text: String) async throws(PostgresFault) -> [[String?]] {
    try await perform { db throws(PostgresFault) in try db.textRows(text) }
  }

  /// The first value of `sql`.
  public nonisolated func value(_ text: String) async throws(PostgresFault) -> String? {
    try await sql(text).first?.first ?? nil
  }

  /// What a call fails with; nil where it does not.
  public nonisolated func fault<R: Sendable>(
    in body: @Sendable (isolated PostgresConnection) throws(PostgresFault) -> R
  ) async -> PostgresFault? {
    do throws(PostgresFault) {
      _ = try await perform(body)
      return nil
    } catch {
      return error
    }
  }

  /// Waits until a query gives true; a condition that never comes fails the test.
  public nonisolated func wait(until what: String, _ condition: String, within limit: Duration = .seconds(30)) async throws {
    let deadline = ContinuousClock.now + limit
    while try await value("SELECT \(condition)") != "t" {
      guard ContinuousClock.now < deadline else { throw Late(what: what) }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Waits until the connection of that name to the same database waits for a lock; other tests have their own of that name.
  public nonisolated func wait(untilLocked name: String) async throws {
    try await wait(
      until: "\(name) waits for a lock",
      """
      EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = '\(name)' AND wait_event_type = 'Lock')
      """)
  }
}

/// What a test waited for did not come.
public struct Late: Error {
  let what: String
  public init(what: String) { self.what = what }
}
