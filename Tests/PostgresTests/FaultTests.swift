import TestSupport
import Testing

@testable import Postgres

@Suite struct FaultTests {
  @Test(
    arguments: [
      (.replan, ["40001", "40P01", "23505", "23503", "23514", "23P01"]),
      (.halve, ["57014", "55P03", "53200"]),
      (.reconnect, ["08000", "08001", "08003", "08006", "08P01", "57P01", "57P02", "57P03", "57P05", "25P03", "53300", "25006"]),
      (.bisect, ["22000", "22001", "22003", "22021", "22P02", "22P04", "22P05", "23502", "54000", "54001"]),
      (.backOff, ["53000", "53100", "53400", "58000", "58030"]),
      (.stop, ["", "0A000", "25P02", "26000", "28P01", "3D000", "42501", "42601", "42P01", "XX000", "XX002", "2", "nonsense"]),
    ] as [(PostgresFault.Disposition, [String])])
  func `every state has its disposition`(disposition: PostgresFault.Disposition, states: [String]) {
    for state in states {
      #expect(PostgresFault(sqlState: state, message: "").disposition == disposition, "\(state)")
    }
  }

  @Test func `what the server refuses is told by its state, and the connection stays usable`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    try await db.sql(
      """
      CREATE TABLE parent (id int PRIMARY KEY, name text NOT NULL, size int CHECK (size < 10));
      CREATE TABLE child (parent int REFERENCES parent);
      INSERT INTO parent VALUES (1, 'one', 1)
      """)
    let backend = try await db.backend()
    let cases: [(sql: String, state: String, disposition: PostgresFault.Disposition)] = [
      ("INSERT INTO parent VALUES (1, 'again', 1)", "23505", .replan),
      ("INSERT INTO child VALUES (2)", "23503", .replan),
      ("INSERT INTO parent VALUES (2, 'two', 10)", "23514", .replan),
      ("INSERT INTO parent VALUES (2, NULL, 1)", "23502", .bisect),
      ("SELECT 'x'::int", "22P02", .bisect),
      ("SELECT 2147483647::int + 1", "22003", .bisect),
      (#"SELECT '"\u0000"'::jsonb"#, "22P05", .bisect),
      ("SELECT repeat('x', 1 << 30)", "54000", .bisect),
      ("SELECT * FROM nowhere", "42P01", .stop),
      ("SELEKT", "42601", .stop),
      // Last: it leaves a transaction open, and such a connection is not kept.
      ("BEGIN READ ONLY; INSERT INTO child VALUES (1)", "25006", .reconnect),
    ]
    for (sql, state, disposition) in cases {
      let fault = await db.fault(of: sql)
      #expect(fault?.sqlState == state, "\(sql)")
      #expect(fault?.disposition == disposition, "\(sql)")
      #expect(try await db.backend() == backend || state == "25006", "\(sql)")
    }
    await db.close()
  }

  @Test func `a value that is no text is the record's own fault`() async throws {
    let db = try await PostgresConnection.shared()
    let echo = Statement(name: "echo", sql: "SELECT $1::text")
    for parameter in [PostgresParameter.text("a\u{0}b"), .bytea([0xff, 0xfe]), .bytea([0xed, 0xa0, 0x80])] {
      let fault = await db.fault { db throws(PostgresFault) in _ = try db.query(echo, [parameter]) }
      #expect(fault?.sqlState == "22021")
      #expect(fault?.disposition == .bisect)
    }
    await db.close()
  }

  @Test func `who waits for a lock longer than allowed tries half of it`() async throws {
    let url = try await TestDatabase.bounded(isEmpty: true)
    let db = PostgresConnection(url: url, applicationName: "waiter")
    let holder = PostgresConnection(url: url, applicationName: "holder")
    try await db.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    try await holder.begin("SELECT * FROM t FOR UPDATE")
    let fault = await db.fault { db throws(PostgresFault) in
      try db.transaction(settings: ["lock_timeout = '20ms'"]) { () throws(PostgresFault) in try db.execute("UPDATE t SET id = 2")
      }
    }
    #expect(fault?.sqlState == "55P03")
    #expect(fault?.disposition == .halve)
    await holder.close()
    await db.close()
  }

  @Test func `a statement that takes longer than allowed is halved`() async throws {
    let db = try await PostgresConnection.shared()
    let fault = await db.fault { db throws(PostgresFault) in
      try db.transaction(settings: ["statement_timeout = '20ms'"]) { () throws(PostgresFault) in
        try db.execute("SELECT pg_sleep(60)")
      }
    }
    #expect(fault?.sqlState == "57014")
    #expect(fault?.disposition == .halve)
    await db.close()
  }

  @Test func `of two that wait for each other exactly one plans again`() async throws {
    let url = try await TestDatabase.bounded(isEmpty: true)
    let a = PostgresConnection(url: url, applicationName: "a")
    let b = PostgresConnection(url: url, applicationName: "b")
    try await a.sql("CREATE TABLE t (id int, n int); INSERT INTO t VALUES (1, 0), (2, 0)")
    try await a.begin("SET LOCAL deadlock_timeout = '50ms'; UPDATE t SET n = 1 WHERE id = 1")
    try await b.begin("SET LOCAL deadlock_timeout = '50ms'; UPDATE t SET n = 1 WHERE id = 2")
    async let first = a.failure(of: "UPDATE t SET n = 2 WHERE id = 2")
    async let second = b.failure(of: "UPDATE t SET n = 2 WHERE id = 1")
    let faults = await [first, second].compactMap { $0 }
    #expect(faults.map(\.sqlState) == ["40P01"])
    #expect(faults.first?.disposition == .replan)
    await a.close()
    await b.close()
  }

  @Test func `who is overtaken in a repeatable read plans again`() async throws {
    let url = try await TestDatabase.bounded(isEmpty: true)
    let a = PostgresConnection(url: url, applicationName: "a")
    let b = PostgresConnection(url: url, applicationName: "b")
    try await a.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (0)")
    try await a.begin("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT * FROM t")
    try await b.sql("UPDATE t SET n = 1")
    let fault = await a.failure(of: "UPDATE t SET n = 2")
    #expect(fault?.sqlState == "40001")
    #expect(fault?.disposition == .replan)
    await a.close()
    await b.close()
  }

  @Test func `a backend that is ended in the middle of a statement means to connect again`() async throws {
    let url = try await TestDatabase.bounded(isEmpty: true)
    let victim = PostgresConnection(url: url, applicationName: "victim")
    let other = PostgresConnection(url: url, applicationName: "other")
    async let fault = victim.fault(of: "SELECT pg_sleep(60)")
    let here = "FROM pg_stat_activity WHERE application_name = 'victim' AND datname = current_database()"
    try await other.wait(until: "the victim sleeps", "EXISTS (SELECT \(here) AND wait_event = 'PgSleep')")
    try await other.sql("SELECT pg_terminate_backend(pid) \(here)")
    let ended = await fault
    // The server says 57P01 and hangs up; PQexec answers with the latter.
    #expect(["57P01", "08006"].contains(ended?.sqlState))
    #expect(ended?.disposition == .reconnect)
    await victim.close()
    await other.close()
  }

  @Test(arguments: ["host=/nowhere dbname=x", "host=127.0.0.1 port=1 dbname=x", "not a connection string"])
  func `a server that does not answer means to connect again`(url: String) async throws {
    let db = PostgresConnection(url: url, applicationName: "refused")
    let fault = await db.fault(of: "SELECT 1")
    #expect(fault?.sqlState == "08001")
    #expect(fault?.disposition == .reconnect)
  }

  @Test func `a call outside perform that never connected says so`() async throws {
    let db = try await PostgresConnection.shared()
    #expect(await db.failure(of: "SELECT 1")?.sqlState == "08003")
  }
}
