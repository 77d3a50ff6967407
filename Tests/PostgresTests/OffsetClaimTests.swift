import Postgres
import TestSupport
import Testing

@testable import Store

/// The fence: of all who think that a partition is theirs, one can commit.
@Suite struct OffsetClaimTests {
  private static let topic = "channel.chat"

  /// A worker: its connection, and its claims.
  private struct Worker {
    let db: PostgresConnection
    let claims: OffsetClaims

    init(_ url: String, _ name: String, group: String = "g") {
      db = PostgresConnection(url: url, applicationName: name, settings: Queries.settings)
      claims = OffsetClaims(group: group, owner: name)
    }

    func claim(_ partitions: [Int32] = [0], patience milliseconds: Int = 30_000) async throws(PostgresFault) -> [OffsetClaim] {
      let names = partitions.map { (topic, $0) }
      return try await db.perform { db throws(PostgresFault) in
        try claims.claim(names, patienceMilliseconds: milliseconds, on: db)
      }
    }

    /// A claim with hardly any patience. That is also how long its own transaction may stand still, so a machine that does ends it:
    /// then it is tried again, as workers do, until it ends with what `isAnswer` waits for.
    func claimImpatiently(
      until isAnswer: (PostgresFault) -> Bool = { _ in false }
    ) async throws(PostgresFault) -> [OffsetClaim] {
      for _ in 0..<200 {
        do throws(PostgresFault) {
          return try await claim(patience: 50)
        } catch  where !isAnswer(error) && ["25P03", "55P03", "08006"].contains(error.sqlState) {}
      }
      return []
    }

    /// A whole batch: the fence, the offsets, the commit.
    func commit(_ next: Int64, under held: [OffsetClaim]) async throws(PostgresFault) -> [OffsetClaim] {
      try await db.perform { db throws(PostgresFault) in
        try db.transaction { () throws(PostgresFault) in
          let locked = try claims.lock(held, on: db)
          try claims.advance(locked.map { ($0.topic, $0.partition, next) }, on: db)
          return locked
        }
      }
    }

    /// A batch that has taken its locks and is stopped there.
    func stopMidway(_ next: Int64, under held: [OffsetClaim]) async throws(PostgresFault) {
      try await db.begin()
      let locked = try await claims.lock(held, on: db)
      try await claims.advance(locked.map { ($0.topic, $0.partition, next) }, on: db)
    }
  }

  @Test func `epochs grow with every claim, whoever claims`() async throws {
    let url = try await TestDatabase.bounded()
    let workers = [Worker(url, "a"), Worker(url, "b"), Worker(url, "a")]
    var epochs: [Int64] = []
    for worker in workers {
      let claims = try await worker.claim([2, 0])
      #expect(claims.map(\.topic) == [Self.topic, Self.topic])
      #expect(Set(claims.map(\.partition)) == [0, 2])
      #expect(Set(claims.map(\.epoch)).count == 1)
      #expect(claims.allSatisfy { $0.nextOffset == nil })
      epochs.append(claims[0].epoch)
    }
    #expect(epochs == [1, 2, 3])
    // Another group reads the same topic on its own.
    #expect(try await Worker(url, "c", group: "other").claim().map(\.epoch) == [1])
  }

  @Test func `who is claimed from can not commit`() async throws {
    let url = try await TestDatabase.bounded()
    let (old, new) = (Worker(url, "old"), Worker(url, "new"))
    let held = try await old.claim([0, 1])
    #expect(try await old.commit(10, under: held).count == 2)
    let taken = try await new.claim([1])
    #expect(taken.map(\.nextOffset) == [10])
    // The answer names what is left, with where it stands.
    #expect(try await old.commit(20, under: held) == [OffsetClaim(topic: Self.topic, partition: 0, epoch: 1, nextOffset: 10)])
    #expect(try await new.commit(11, under: taken) == taken)
    #expect(try await new.claim([0, 1]).sorted { $0.partition < $1.partition }.map(\.nextOffset) == [20, 11])
    #expect(try await old.commit(99, under: held) == [])
    #expect(try await new.db.value("SELECT max(next_offset) FROM throughline.ingest_offset") == "20")
  }

  @Test func `a claimant waits for the commit under way and goes on where it ended`() async throws {
    let url = try await TestDatabase.bounded()
    let (old, new) = (Worker(url, "old"), Worker(url, "new"))
    let watch = PostgresConnection(url: url, applicationName: "watch")
    let held = try await old.claim()
    try await old.stopMidway(42, under: held)
    async let claiming = new.claim()
    try await watch.wait(untilLocked: "new")
    try await old.db.execute("COMMIT")
    #expect(try await claiming == [OffsetClaim(topic: Self.topic, partition: 0, epoch: 2, nextOffset: 42, crashCount: 1)])
    #expect(try await old.commit(43, under: held) == [])
  }

  @Test func `a claimant whose patience ends takes the partition from a worker that stands still`() async throws {
    let url = try await TestDatabase.bounded()
    let (stopped, new) = (Worker(url, "stopped"), Worker(url, "new"))
    let held = try await stopped.claim()
    #expect(try await stopped.commit(7, under: held) == held)
    try await stopped.stopMidway(42, under: held)
    // What was not committed is not there.
    #expect(
      try await new.claimImpatiently() == [OffsetClaim(topic: Self.topic, partition: 0, epoch: 2, nextOffset: 7, crashCount: 1)])
    #expect(await stopped.db.failure(of: "COMMIT")?.disposition == .reconnect)
  }

  @Test func `a claimant ends nobody that the row does not name`() async throws {
    let url = try await TestDatabase.bounded()
    let (owner, new) = (Worker(url, "owner"), Worker(url, "new"))
    let stranger = PostgresConnection(url: url, applicationName: "stranger")
    _ = try await owner.claim()
    // The row's backend is gone; what has its number now is somebody else.
    try await stranger.begin("SELECT * FROM throughline.ingest_offset FOR UPDATE")
    let pid = try await #require(stranger.textRows("SELECT pg_backend_pid()")[0][0])
    await owner.db.close()
    try await stranger.execute("UPDATE throughline.ingest_offset SET backend_pid = \(pid); COMMIT")
    try await stranger.begin("SELECT * FROM throughline.ingest_offset FOR UPDATE")
    let fault = await #expect(throws: PostgresFault.self) { try await new.claimImpatiently { $0.sqlState == "55P03" } }
    #expect(fault?.sqlState == "55P03")
    #expect(fault?.disposition == .halve)
    #expect(await stranger.failure(of: "COMMIT") == nil)
    #expect(try await new.claim().map(\.epoch) == [2])
  }

  @Test func `claims of the same partitions in any order never wait for each other in a circle`() async throws {
    let url = try await TestDatabase.bounded()
    let partitions = Array(0..<8 as Range<Int32>)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<4 {
        group.addTask {
          let worker = Worker(url, "worker-\(number)")
          for _ in 0..<20 {
            let held = try await worker.claim(partitions.shuffled())
            _ = try await worker.commit(1, under: held.shuffled())
          }
          await worker.db.close()
        }
      }
      try await group.waitForAll()
    }
    let db = PostgresConnection(url: url, applicationName: "count")
    #expect(try await db.sql("SELECT DISTINCT epoch FROM throughline.ingest_offset") == [["80"]])
  }

  @Test func `what is handed back belongs to nobody`() async throws {
    let url = try await TestDatabase.bounded()
    let (a, b) = (Worker(url, "a"), Worker(url, "b"))
    let held = try await a.claim([0, 1])
    let row = "SELECT owner, backend_pid, backend_start FROM throughline.ingest_offset ORDER BY partition"
    #expect(try await a.db.sql(row).map(\.[0]) == ["a", "a"])
    let taken = try await b.claim([1])
    try await a.db.perform { db throws(PostgresFault) in try a.claims.release(held, on: db) }
    let rows = try await a.db.sql(row)
    #expect(rows[0] == [nil, nil, nil])
    // Not ours any more: left alone.
    #expect(rows[1][0] == "b")
    #expect(try await b.commit(5, under: taken) == taken)
  }

  @Test func `after a reconnection the rows name the new backend`() async throws {
    let url = try await TestDatabase.bounded()
    let (a, b) = (Worker(url, "a"), Worker(url, "b"))
    _ = try await a.claim([0, 1])
    _ = try await b.claim([1])
    await a.db.close()
    let backend = try await a.db.backend()
    let named = """
      SELECT pid IS NOT NULL FROM throughline.ingest_offset o
      LEFT JOIN pg_stat_activity s ON s.pid = o.backend_pid AND s.backend_start = o.backend_start AND s.pid = pg_backend_pid()
      ORDER BY partition
      """
    #expect(try await a.db.sql(named) == [["f"], ["f"]])
    try await a.db.perform { db throws(PostgresFault) in try a.claims.adopt(on: db) }
    #expect(try await a.db.backend() == backend)
    #expect(try await a.db.sql(named) == [["t"], ["f"]])
  }

  @Test func `owners who end at one offset are counted until it advances, or somebody says that they have ended by chance`()
    async throws
  {
    let url = try await TestDatabase.bounded()
    let workers = (0..<6).map { Worker(url, "worker-\($0)") }
    func crashes(_ worker: Int) async throws -> [Int32] { try await workers[worker].claim().map(\.crashCount) }
    #expect(try await crashes(0) == [0])
    #expect(try await crashes(1) == [1])
    // Who claims its own again has not ended.
    #expect(try await crashes(1) == [1])
    // Nor who hands back; what was counted before stays.
    let held = try await workers[1].claim()
    try await workers[1].db.perform { db throws(PostgresFault) in try workers[1].claims.release(held, on: db) }
    #expect(try await crashes(2) == [1])
    #expect(try await crashes(3) == [2])
    let progressing = try await workers[4].claim()
    #expect(progressing.map(\.crashCount) == [3])
    _ = try await workers[4].commit(9, under: progressing)
    #expect(try await crashes(5) == [1])
    let acquitted = try await workers[0].claim()
    #expect(acquitted.map(\.crashCount) == [2])
    try await workers[0].db.perform { db throws(PostgresFault) in try workers[0].claims.acquit(acquitted, on: db) }
    #expect(try await crashes(1) == [1])
  }

  @Test func `readings of a record that nobody came back from are counted; those that were given up in order are not`()
    async throws
  {
    let url = try await TestDatabase.bounded()
    let (a, b) = (Worker(url, "a"), Worker(url, "b"))
    func probe(_ worker: Worker, _ offset: Int64, under claim: OffsetClaim) async throws -> Int32? {
      try await worker.db.perform { db throws(PostgresFault) in try worker.claims.probe(claim, offset: offset, on: db) }
    }
    let first = try #require(try await a.claim().first)
    #expect(try await probe(a, 7, under: first) == 0)
    let second = try #require(try await b.claim().first)
    #expect(try await probe(a, 7, under: first) == nil, "fenced")
    #expect(try await probe(b, 7, under: second) == 1)
    try await b.db.perform { db throws(PostgresFault) in try b.claims.release([second], on: db) }
    let third = try #require(try await a.claim().first)
    // Handed back before it has read anything alone: that does not speak for the record.
    try await a.db.perform { db throws(PostgresFault) in try a.claims.release([third], on: db) }
    let fourth = try #require(try await a.claim().first)
    #expect(try await probe(a, 7, under: fourth) == 1)
    #expect(try await probe(a, 8, under: fourth) == 0, "another record")
  }
}
