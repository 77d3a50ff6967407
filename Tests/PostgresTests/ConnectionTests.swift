import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Postgres

@Suite struct ConnectionTests {
  private struct Boom: Error, Equatable {}
  private let one = Statement(name: "one", sql: "SELECT $1::int4")

  // MARK: - Statements

  @Test func `a statement is prepared once and used again`() async throws {
    let db = try await PostgresConnection.shared()
    let uses = try await db.perform { db throws(PostgresFault) in
      for number in 0..<3 as Range<Int32> { #expect(try db.query(one, [.int4(number)]).int4(0, 0) == number) }
      return try db.textRows("SELECT name, generic_plans + custom_plans FROM pg_prepared_statements")
    }
    #expect(uses == [["one", "3"]])
    await db.close()
  }

  @Test func `several statements in one text are one transaction`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    #expect(try await db.value("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2); SELECT sum(n) FROM t") == "3")
    #expect(await db.fault(of: "INSERT INTO t VALUES (3); SELECT 1 / 0; INSERT INTO t VALUES (4)")?.sqlState == "22012")
    #expect(try await db.value("SELECT count(*) FROM t") == "2")
    await db.close()
  }

  @Test func `affected counts what a statement changed`() async throws {
    let db = try await PostgresConnection.shared()
    try await db.perform { db throws(PostgresFault) in
      try db.execute("CREATE TEMP TABLE t (n int)")
      #expect(try db.query(Statement(name: "i", sql: "INSERT INTO t SELECT generate_series(1, 7)")).affected == 7)
      #expect(try db.query(Statement(name: "u", sql: "UPDATE t SET n = 0 WHERE n > 4")).affected == 3)
      #expect(try db.query(Statement(name: "d", sql: "DELETE FROM t WHERE false")).affected == 0)
    }
    await db.close()
  }

  @Test func `notices do not reach stderr, where every line has to be one of ours`() async throws {
    let url = try await TestServer.running().url
    let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) { [url = url as String] in
      let db = PostgresConnection(url: url, applicationName: "noisy")
      try await db.sql("DO $$ BEGIN RAISE NOTICE 'hear ye'; RAISE WARNING 'hear ye'; END $$; COMMIT")
      await db.close()
    }
    let stderr = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(!stderr.contains("hear ye"))
    #expect(!stderr.contains("no transaction"))
  }

  // MARK: - What is sent and not waited for

  @Test func `a statement that was sent fails with the next call, or with the end of its transaction`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    try await db.sql("CREATE TABLE t (n int4 PRIMARY KEY)")
    let insert = Statement(name: "insert", sql: "INSERT INTO t VALUES ($1)")
    let backend = try await db.backend()
    let fault = await db.fault { db throws(PostgresFault) in
      try db.transaction { () throws(PostgresFault) in
        try db.send(insert, [.int4(1)])
        try db.send(insert, [.int4(1)])
      }
    }
    #expect(fault?.sqlState == "23505")
    // Outside of a transaction, with the call that it was sent in.
    #expect(await db.fault { db throws(PostgresFault) in try db.send(insert, [.int4(nil)]) }?.sqlState == "23502")
    let seen = try await db.perform { db throws(PostgresFault) in
      try db.send(insert, [.int4(2)])
      try db.send(insert, [.int4(3)])
      return try db.query(Statement(name: "count", sql: "SELECT count(*)::int4 FROM t")).int4(0, 0)
    }
    #expect(seen == 2)
    #expect(try await db.backend() == backend, "the connection has served throughout")
    await db.close()
  }

  @Test func `a statement that writes other rows than it must ends its transaction as a lost race`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    try await db.sql("CREATE TABLE t (n int4); INSERT INTO t VALUES (1), (2)")
    let delete = Statement(name: "delete", sql: "DELETE FROM t WHERE n <= $1")
    for (count, state) in [(1, "40001"), (3, "40001"), (2, nil)] {
      let fault = await db.fault { db throws(PostgresFault) in
        try db.transaction { () throws(PostgresFault) in
          try db.send(delete, [.int4(2)], affecting: count)
          // Nothing is expected of what comes after it.
          try db.send(delete, [.int4(0)])
        }
      }
      #expect(fault?.sqlState == state)
      #expect(try await db.value("SELECT count(*) FROM t") == (state == nil ? "0" : "2"))
    }
    await db.close()
  }

  // MARK: - COPY

  @Test func `a COPY that is refused leaves nothing behind and the connection usable`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    try await db.sql("CREATE TABLE t (n int4 PRIMARY KEY, t text NOT NULL)")
    let backend = try await db.backend()
    func copy(_ columns: Int, _ target: String, _ rows: [@Sendable (inout PostgresEncoder) -> Void]) async -> String? {
      var copy = CopyRows(columns: columns)
      for row in rows { copy.row(row) }
      return await db.fault { [copy] db throws(PostgresFault) in try db.copy(copy, into: target) }?.sqlState
    }
    func row(_ number: Int32, _ text: String?) -> @Sendable (inout PostgresEncoder) -> Void {
      { row in
        row.int4(number)
        row.text(text)
      }
    }
    #expect(await copy(2, "t (n, t)", [row(1, "a"), row(1, "b")]) == "23505")
    #expect(await copy(2, "t (n, t)", [row(1, "a"), row(2, nil)]) == "23502")
    #expect(await copy(2, "t (n, t)", [row(1, "a"), row(2, "nul \u{0}")]) == "22021")
    #expect(await copy(2, "t (n)", [row(1, "a")]) == "22P04")
    #expect(await copy(2, "nowhere (n, t)", [row(1, "a")]) == "42P01")
    // Refused after the first of many pieces.
    let long = String(repeating: "x", count: 1 << 20)
    #expect(await copy(2, "t (n, t)", [row(1, "a"), row(1, "b")] + (2..<10).map { row($0, long) }) == "23505")
    #expect(try await db.value("SELECT count(*) FROM t") == "0")
    #expect(try await db.backend() == backend)
    await db.close()
  }

  // MARK: - Transactions

  @Test func `a transaction that throws rolls back and passes its error on`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    try await db.sql("CREATE TABLE t (n int)")
    let backend = try await db.backend()
    await #expect(throws: Boom()) {
      try await db.perform(
        { db throws(Boom) in
          try db.transaction(
            { () throws(Boom) in
              #expect(db.failure(of: "INSERT INTO t VALUES (1)") == nil)
              throw Boom()
            }, mapping: { _ in Boom() })
        }, mapping: { _ in Boom() })
    }
    let fault = await db.fault { db throws(PostgresFault) in
      try db.transaction { () throws(PostgresFault) in
        try db.execute("INSERT INTO t VALUES (2)")
        try db.execute("SELECT 1 / 0")
      }
    }
    #expect(fault?.sqlState == "22012")
    #expect(try await db.value("SELECT count(*) FROM t") == "0")
    #expect(try await db.backend() == backend)
    await db.close()
  }

  @Test func `a transaction commits what it did and returns its result`() async throws {
    let url = try await TestDatabase.bounded(isEmpty: true)
    let db = PostgresConnection(url: url, applicationName: "writer")
    let result = try await db.perform { db throws(PostgresFault) in
      try db.transaction { () throws(PostgresFault) in
        try db.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)")
        return 42
      }
    }
    #expect(result == 42)
    let other = PostgresConnection(url: url, applicationName: "reader")
    #expect(try await other.value("SELECT n FROM t") == "7")
    await db.close()
    await other.close()
  }

  @Test func `a COMMIT that is refused is a fault, and what it would have stored is gone`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    try await db.sql("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED)")
    let backend = try await db.backend()
    let ran = Mutex(false)
    let fault = await db.fault { db throws(PostgresFault) in
      try db.transaction { () throws(PostgresFault) in
        try db.execute("INSERT INTO c VALUES (1)")
      } meanwhile: { _ in
        ran.withLock { $0 = true }
      }
    }
    #expect(fault?.sqlState == "23503")
    #expect(ran.withLock { $0 })
    #expect(try await db.value("SELECT count(*) FROM c") == "0")
    #expect(try await db.backend() == backend)
    await db.close()
  }

  @Test func `what runs during COMMIT runs while it is under way, and may add to the result`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    // Either waits for a file of the other: neither before nor behind COMMIT would this end well.
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o777])
    defer { try? FileManager.default.removeItem(at: folder) }
    let (begun, told) = (folder.path + "/begun", folder.path + "/told")
    try await db.sql(
      """
      CREATE TABLE p (id int PRIMARY KEY);
      CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        COPY (SELECT 1) TO '\(begun)';
        FOR i IN 1..10000 LOOP
          IF (pg_stat_file('\(told)', true)).size IS NOT NULL THEN RETURN NULL; END IF;
          PERFORM pg_sleep(0.001);
        END LOOP;
        RAISE 'nothing ran meanwhile';
      END $$;
      CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON p DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()
      """)
    let added = try await db.perform { db throws(PostgresFault) in
      try db.transaction { () throws(PostgresFault) -> [String] in
        try db.execute("INSERT INTO p VALUES (1)")
        return FileManager.default.fileExists(atPath: begun) ? ["COMMIT", "body"] : ["body"]
      } meanwhile: {
        let deadline = ContinuousClock.now + .seconds(10)
        while !FileManager.default.fileExists(atPath: begun), .now < deadline { usleep(1_000) }
        if FileManager.default.fileExists(atPath: begun) { $0.append("meanwhile") }
        _ = FileManager.default.createFile(atPath: told, contents: Data())
      }
    }
    #expect(added == ["body", "meanwhile"])
    #expect(try await db.value("SELECT count(*) FROM p") == "1")
    await db.close()
  }

  @Test func `settings of a transaction end with it`() async throws {
    let db = try await PostgresConnection.shared()
    let before = try await db.value("SHOW lock_timeout")
    let inside = try await db.perform { db throws(PostgresFault) in
      try db.transaction(settings: ["lock_timeout = '1234ms'", "synchronous_commit = off"]) { () throws(PostgresFault) in
        try db.textRows("SELECT current_setting('lock_timeout'), current_setting('synchronous_commit')")
      }
    }
    #expect(inside == [["1234ms", "off"]])
    #expect(try await db.value("SHOW lock_timeout") == before)
    await db.close()
  }

  // MARK: - Connections

  @Test func `a broken connection is opened again by the next call, and statements are prepared anew`() async throws {
    let db = try await PostgresConnection.shared()
    let before = try await db.backend()
    try await db.perform { db throws(PostgresFault) in _ = try db.query(one, [.int4(1)]) }
    let fault = await db.fault(of: "SELECT pg_terminate_backend(pg_backend_pid())")
    #expect(fault?.disposition == .reconnect)
    try await db.perform { db throws(PostgresFault) in #expect(try db.query(one, [.int4(2)]).int4(0, 0) == 2) }
    #expect(try await db.backend() != before)
    await db.close()
  }

  @Test func `a connection that was lost between two calls costs one fault`() async throws {
    let url = try await TestDatabase.bounded(isEmpty: true)
    let db = PostgresConnection(url: url, applicationName: "lost")
    let other = PostgresConnection(url: url, applicationName: "other")
    let before = try #require(try await db.backend())
    try await other.sql("SELECT pg_terminate_backend(\(before))")
    try await other.wait(until: "the backend is gone", "NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = \(before))")
    let fault = await db.fault(of: "SELECT 1")
    #expect(fault?.disposition == .reconnect)
    #expect(try await db.value("SELECT 1") == "1")
    await db.close()
    await other.close()
  }

  @Test func `a transaction that a body leaves open ends with its connection`() async throws {
    let url = try await TestDatabase.bounded(isEmpty: true)
    let db = PostgresConnection(url: url, applicationName: "careless")
    try await db.sql("CREATE TABLE t (n int)")
    let before = try await db.backend()
    try await db.sql("BEGIN; INSERT INTO t VALUES (1)")
    #expect(try await db.backend() != before)
    #expect(try await db.value("SELECT count(*) FROM t") == "0")
    await db.close()
  }

  @Test func `a call that can not connect fails with the caller's own error`() async {
    let db = PostgresConnection(url: "host=/nowhere", applicationName: "refused")
    await #expect(throws: Boom()) {
      try await db.perform({ _ throws(Boom) in Issue.record("it ran without a connection") }, mapping: { _ in Boom() })
    }
  }

  @Test func `calls run one after the other`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    try await db.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (0)")
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<100 {
        group.addTask {
          // Two that read before either has written would count once.
          try await db.perform { db throws(PostgresFault) in
            let number = Int(try db.textRows("SELECT n FROM t")[0][0] ?? "") ?? 0
            try db.execute("UPDATE t SET n = \(number + 1)")
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(try await db.value("SELECT n FROM t") == "100")
    await db.close()
  }

  @Test func `calls block a thread of the connection's own`() async throws {
    let db = try await PostgresConnection.shared(name: "its-own-thread")
    let thread = try await db.perform { _ throws(PostgresFault) in
      try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
    }
    #expect(thread == "its-own-thread\n")
    await db.close()
  }

  @Test func `the server sees who is connected`() async throws {
    let db = try await PostgresConnection.shared(name: "throughline-ingest-7")
    #expect(try await db.value("SHOW application_name") == "throughline-ingest-7")
    #expect(try await db.value("SHOW client_encoding") == "UTF8")
    await db.close()
  }
}
