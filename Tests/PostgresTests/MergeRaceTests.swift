import Canonical
import Engine
import Postgres
import TestSupport
import Testing

@testable import Store

/// What a merge moves while somebody else writes to it.
@Suite struct MergeRaceTests {
  @Test func `an ended conversation that somebody is just writing moves all the same`() async throws {
    let url = try await TestDatabase.make()
    let db = PostgresConnection(url: url, applicationName: "merge", settings: Queries.settings)
    let other = PostgresConnection(url: url, applicationName: "other")
    var ids = IDGenerator(milliseconds: 1, seed: 1)
    let (loser, survivor, ended, merged, live) = (ids.next(), ids.next(), ids.next(), ids.next(), ids.next())
    try await db.perform { db throws(PostgresFault) in
      try db.execute(
        """
        INSERT INTO throughline.tenant VALUES ('t');
        INSERT INTO throughline.customer (tenant_id, id, verified, created_at) VALUES ('t', '\(loser)', true, now()), ('t', '\(survivor)', true, now());
        INSERT INTO throughline.conversation (tenant_id, id, customer_id, lane, status, version, event_seq, last_channel, opened_at, resolved_at, last_message_at)
        VALUES ('t', '\(ended)', '\(loser)', '', 'resolved', 1, 1, 'chat', now(), now(), now()),
          ('t', '\(merged)', '\(survivor)', '', 'closed', 1, 1, 'chat', now(), now(), now()),
          ('t', '\(live)', '\(survivor)', '', 'open', 1, 1, 'chat', now(), NULL, now());
        UPDATE throughline.conversation SET merged_into = '\(ended)' WHERE id = '\(merged)'
        """)
    }
    let watcher = PostgresConnection(url: url, applicationName: "watcher")
    try await watcher.perform { db throws(PostgresFault) in try db.execute("SELECT pg_advisory_lock(1)") }
    // The router closes it, and commits when it is told to.
    async let closed: Void = other.perform { db throws(PostgresFault) in
      try db.execute(
        """
        BEGIN; UPDATE throughline.conversation SET status = 'closed', version = version + 1 WHERE status <> 'open';
        SELECT pg_advisory_xact_lock(1); COMMIT
        """)
    }
    try await watcher.wait(untilLocked: "other")
    async let moved = db.perform { db throws(PostgresFault) -> Int in
      let key: [PostgresParameter] = [.texts(["t"]), .ids([loser]), .ids([survivor])]
      try db.execute("BEGIN")
      let found = try db.query(Queries.named("conversations_to_move"), key)
      let rows: [PostgresParameter] = [.texts([found.text(0, 0)]), .uuids([found.uuid(0, 1)]), .uuids([found.uuid(0, 2)])]
      let count = try db.query(Queries.named("conversations_move"), rows).affected
      _ = try db.query(Queries.named("conversations_flatten"), [.texts(["t"]), .ids([ended]), .ids([live])])
      try db.execute("COMMIT")
      return count
    }
    try await watcher.wait(untilLocked: "merge")
    try await watcher.perform { db throws(PostgresFault) in try db.execute("SELECT pg_advisory_unlock(1)") }
    try await closed
    #expect(try await moved == 1)
    let left = try await watcher.perform { db throws(PostgresFault) in
      try db.textRows(
        "SELECT count(*) FILTER (WHERE customer_id = '\(loser)'), count(*) FILTER (WHERE merged_into = '\(live)') FROM throughline.conversation"
      )
    }
    #expect(left == [["0", "1"]])
    for connection in [db, other, watcher] { await connection.close() }
  }
}
