import Canonical
import Foundation
import Kafka
import Postgres
import Rig
import TestSupport
import Testing

/// The effect of every record exactly once, with real worker processes, through whatever happens to them.
@Suite(.serialized) struct ExactlyOnceTests {
  @Test(arguments: [1, 3])
  func `workers and redelivery leave the same customers and threads as the truth, merges in play (P2)`(
    _ count: Int
  ) async throws {
    let cluster = try await Cluster()
    let traffic = Traffic(seed: 3, records: count == 1 ? 4_000 : 10_000, people: 600)
    let workers = try (0..<count).map { _ in try cluster.startWorker() }
    var random = SplitMix64(seed: 5)
    for batch in traffic.items.chunks(of: 500) {
      try await cluster.publish(batch)
      // One third again, on any partition: a redelivery need not come where the record came.
      try await cluster.publish(batch.filter { _ in Int.random(in: 0..<3, using: &random) == 0 }, spreading: true)
    }
    try await cluster.drain()
    #expect(workers.filter { $0.log.contains("partitions assigned") }.count == count)
    #expect(try await cluster.number("SELECT count(*) FROM throughline.merge_event") > 20)

    let truth = Set(Dictionary(grouping: traffic.truth.keys, by: { traffic.truth[$0] ?? "" }).values.map { Set($0) })
    for column in ["customer_id", "conversation_id"] {
      let partition = try await DeskState.partition(cluster.databaseURL, by: column)
      #expect(Array(partition.symmetricDifference(truth).prefix(3)) == [], "by \(column)")
    }
    #expect(try await cluster.number("SELECT count(*) FROM throughline.message") == traffic.truth.count)
    #expect(try await cluster.number("SELECT count(*) FROM throughline.dead_letter") == 0)
    #expect(try await cluster.violations() == [])
    try await cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1)
    #expect(try EventCheck.problems(try await cluster.consume("conversation.events").compactMap(\.value)) == "")
    for worker in workers { #expect(worker.stop() == 0) }
    await cluster.close()
  }

  @Test func `twenty kills under load lose and double nothing`() async throws {
    let cluster = try await Cluster()
    let traffic = Traffic(seed: 11, records: 8_000, people: 500)
    var workers = try (0..<2).map { _ in try cluster.startWorker("ingest", ["THROUGHLINE_BATCH_RECORDS": "50"]) }
    try await workers[0].waitForLog("partitions assigned")
    var kills = 0
    for batch in traffic.items.chunks(of: 400) {
      try await cluster.publish(batch)
      // In the middle of whatever it does, but never before it has done something.
      let stored = try await cluster.number("SELECT count(*) FROM throughline.message")
      try await cluster.wait("SELECT count(*) FROM throughline.message", for: stored + 20, seconds: 30)
      let victim = kills % 2
      workers[victim].crash()
      workers[victim] = try cluster.startWorker("ingest", ["THROUGHLINE_BATCH_RECORDS": "50"])
      kills += 1
    }
    #expect(kills >= 20)
    try await cluster.drain()
    #expect(try await cluster.number("SELECT count(*) FROM throughline.message") == traffic.truth.count)
    let truth = Set(Dictionary(grouping: traffic.truth.keys, by: { traffic.truth[$0] ?? "" }).values.map { Set($0) })
    #expect(try await DeskState.partition(cluster.databaseURL, by: "conversation_id") == truth)
    #expect(try await cluster.violations() == [])
    try await cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1)
    try await expectGaplessEvents(cluster)
    for worker in workers { #expect(worker.stop() == 0) }
    await cluster.close()
  }

  @Test func `a worker that was stopped and goes on is fenced`() async throws {
    let cluster = try await Cluster()
    let traffic = Traffic(seed: 13, records: 3_000, people: 200)
    let zombie = try cluster.startWorker("ingest", ["THROUGHLINE_BATCH_RECORDS": "20"])
    try await cluster.publish(traffic.items.prefix(1_500))
    try await cluster.wait("SELECT count(*) FROM throughline.message", for: 100)
    zombie.signal(SIGSTOP)
    let stored = try await cluster.number("SELECT count(*) FROM throughline.message")
    // The other one takes everything over, although the zombie may have stopped with locks in its hand.
    let successor = try cluster.startWorker()
    try await cluster.publish(traffic.items.dropFirst(1_500))
    try await cluster.drain()
    #expect(try await cluster.number("SELECT count(*) FROM throughline.message") > stored)
    zombie.signal(SIGCONT)
    // It comes back into the group: both work on.
    try await cluster.publish(traffic.items.prefix(300), spreading: true)
    try await cluster.drain()
    #expect(try await cluster.number("SELECT count(*) FROM throughline.message") == traffic.truth.count)
    #expect(try await cluster.violations() == [])
    #expect(zombie.process.isRunning)
    #expect(zombie.log.contains(#""event.action":"fenced""#) || zombie.log.contains("assignment_lost"))
    #expect(zombie.stop() == 0)
    #expect(successor.stop() == 0)
    await cluster.close()
  }

  @Test func `SIGTERM under load drains, exits 0 and the next worker goes on`() async throws {
    let cluster = try await Cluster()
    let traffic = Traffic(seed: 17, records: 3_000, people: 200)
    let first = try cluster.startWorker("ingest", ["THROUGHLINE_BATCH_RECORDS": "100"])
    try await cluster.publish(traffic.items)
    try await cluster.wait("SELECT count(*) FROM throughline.message", for: 300)
    #expect(first.stop() == 0)
    #expect(first.log.contains("ingest stopped"))
    #expect(try await cluster.number("SELECT count(*) FROM throughline.ingest_offset WHERE owner IS NOT NULL") == 0)
    #expect(try await cluster.number("SELECT count(*) FROM throughline.outbox_shard WHERE owner IS NOT NULL") == 0)
    let second = try cluster.startWorker()
    try await cluster.drain()
    #expect(try await cluster.number("SELECT count(*) FROM throughline.message") == traffic.truth.count)
    #expect(second.stop() == 0)
    await cluster.close()
  }

  @Test func `a database that goes away and comes back costs no record and no membership`() async throws {
    let server = try await ThrowawayServer(options: "-c fsync=off")
    let cluster = try await Cluster(databaseURL: server.url)
    try await migrate(server.url)
    let traffic = Traffic(seed: 19, records: 3_000, people: 200)
    let worker = try cluster.startWorker("ingest", ["THROUGHLINE_BATCH_RECORDS": "50"])
    try await cluster.publish(traffic.items.prefix(1_500))
    try await cluster.wait("SELECT count(*) FROM throughline.message", for: 100)
    // As a failover or a restart of every backend: connections die in the middle of transactions.
    for _ in 0..<5 {
      _ = try? await cluster.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'throughline-%' AND pid <> pg_backend_pid()"
      )
      let stored = try await cluster.number("SELECT count(*) FROM throughline.message")
      try await cluster.wait("SELECT count(*) FROM throughline.message", for: min(stored + 50, 1_400))
    }
    // Refuses everybody for longer than a write may take before the partitions are paused.
    let postmaster = try #require(server.pid())
    kill(postmaster, SIGSTOP)
    _ = try await cluster.rows(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'throughline-%'")
    try await cluster.publish(traffic.items.dropFirst(1_500))
    try await worker.waitForLog("partitions paused")
    kill(postmaster, SIGCONT)
    try await cluster.drain()
    #expect(try await cluster.number("SELECT count(*) FROM throughline.message") == traffic.truth.count)
    #expect(worker.log.components(separatedBy: "partitions assigned").count == 2, "assigned once")
    #expect(worker.stop() == 0)
    await cluster.close()
    await server.stop()
  }

  /// Every conversation's and customer's events on the topic: each seq at least once, in order, none missing.
  private func expectGaplessEvents(_ cluster: Cluster) async throws {
    let expected = Dictionary(
      uniqueKeysWithValues: try await cluster.rows(
        """
        SELECT id::text, event_seq::text FROM throughline.conversation
        UNION ALL SELECT id::text, event_seq::text FROM throughline.customer WHERE event_seq > 0
        """
      ).map { ($0[0] ?? "", Int($0[1] ?? "") ?? 0) })
    let seen = try await cluster.consumeEvents()
    #expect(seen.count == expected.count)
    for (subject, sequences) in seen {
      // At least once: what was published again after a crash is dropped by whoever knows the last seq.
      var last = 0
      for sequence in sequences where sequence > last {
        #expect(sequence == last + 1, "a gap in \(subject)")
        last = sequence
      }
      #expect(last == expected[subject], "\(subject)")
    }
  }
}

extension Array {
  func chunks(of size: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
  }
}
