import Foundation
import Kafka
import Postgres
import Rig
import TestSupport
import Testing

/// One fault after the other strikes two ingest workers and a router under load, and nothing is lost, doubled or out of order.
///
/// Each fault proves that it struck. The oracle is `Audit`'s: one outcome for everything that was produced, customers and conversations
/// as the truth has them (P2), events without gaps, nobody over capacity, logs that parse and tell of nobody.
@Suite(.serialized) struct FaultTests {
  /// Lets the fault strike, in the middle of the load, `times` times.
  private func survive(_ faults: Fault..., routers: Int = 1, times: Int = 1, seed: UInt64) async throws {
    let plant = try await Plant(ingest: 2, routers: routers)
    let trial = try await Trial(plant, seed: seed, records: 4_000)
    let verdict = try await trial.run { trial in
      for choice in 0..<times {
        for fault in faults { _ = try await trial.survive([(fault, choice)]) }
      }
      try await plant.cluster.wait("SELECT count(*) FROM throughline.message", for: 300)
    }
    if !verdict.problems.isEmpty { try plant.saveLogs(in: URL(filePath: "/tmp/faultlogs/\(getpid())")) }
    #expect(verdict.problems == [])
    #expect(verdict.figures.stored > 100 && verdict.figures.duplicates > 10 && verdict.figures.deadLettered > 0)
    #expect(verdict.figures.actions > verdict.figures.refused)
  }

  private func chat(_ id: String, text: String, to partition: TopicPartition) -> ProducerRecord {
    ProducerRecord(
      topic: partition.topic, partition: partition.partition, key: nil,
      value: Array(
        #"{"event":"message.created","event_id":"\#(id)","visitor":{"id":"v"},"message":{"id":"\#(id)","text":"\#(text)"}}"#
          .utf8), headers: Poison.envelope)
  }

  @Test func `workers that are killed, stand still past their session, or lose their connections, cost nothing`() async throws {
    try await survive(.killedIngest, .terminatedBackends, .stoppedIngest, .killedIngest, seed: 117)
  }

  @Test func `a router that stands still past its leases goes on as one of two, and alone`() async throws {
    try await survive(.stoppedRouter, routers: 2, seed: 118)
    try await survive(.stoppedRouter, seed: 119)
  }

  @Test func `a PostgreSQL that is stopped at once, twice, costs nothing`() async throws {
    try await survive(.crashedServer, times: 2, seed: 101)
  }

  @Test func `a database that has gone read-only is waited for`() async throws {
    try await survive(.readOnly, times: 2, seed: 102)
  }

  @Test func `a lost reply to COMMIT is found out, also while the COMMIT is under way`() async throws {
    try await survive(.lostReply, .lostConnectionAtCommit, times: 2, seed: 103)
  }

  @Test func `workers without a free connection wait for one`() async throws {
    try await survive(.exhaustedConnections, seed: 105)
  }

  @Test(.enabled(if: SmallDisk.isPermitted, "this user may not mount a file system of its own"))
  func `a full disk is waited for`() async throws {
    try await survive(.fullDisk, times: 2, seed: 106)
  }

  @Test func `a deadlock with somebody who locks in another order is planned again`() async throws {
    try await survive(.deadlock, seed: 107)
  }

  @Test func `a database that says nothing, one that refuses and one that is slow are waited for`() async throws {
    try await survive(.silent, .refused, .slow, seed: 108)
  }

  @Test func `brokers that go down and come up, one and all, cost nothing`() async throws {
    try await survive(.oneBrokerDown, .brokersDown, times: 2, seed: 109)
  }

  @Test func `leaders that move are followed, and requests answered late or with errors are made again`() async throws {
    try await survive(.movedLeaders, .slowBroker, .injectedErrors, .movedLeaders, seed: 110)
  }

  @Test func `a router that is killed, and a worker told to stop under load, cost nothing`() async throws {
    let plant = try await Plant(ingest: 2, routers: 1)
    let trial = try await Trial(plant, seed: 112, records: 4_000)
    let verdict = try await trial.run { trial in
      _ = try await trial.survive([(.killedRouter, 0)])
      // The third of the units is the router.
      for choice in 1...2 { _ = try await trial.survive([(.orderedStop, choice)]) }
    }
    #expect(verdict.problems == [])
  }

  @Test(.enabled(if: WorkerProcess.knowsFaultHeader, "this build has no records that crash"))
  func `a record that crashes whoever reads it is put aside, alone`() async throws {
    try await survive(.crashingRecord, seed: 114)
  }

  @Test(.enabled(if: WorkerProcess.knowsFaultHeader, "this build has no records that hang"))
  func `a record that hangs whoever reads it is put aside, alone`() async throws {
    try await survive(.hangingRecord, seed: 115)
  }

  @Test func `offsets trimmed away under load, and batches that do not unpack, cost nobody else anything`() async throws {
    try await survive(.trimmedOffsets, .unreadableBatch, times: 2, seed: 116)
  }

  @Test func `a batch of records that does not unpack is stepped over, a letter for each, and what follows is stored`()
    async throws
  {
    let cluster = try await Cluster()
    let partition = TopicPartition("channel.chat", 0)
    let worker = try cluster.startWorker()
    _ = try await cluster.producer.send([chat("before", text: "short", to: partition)])[0].get()
    var broken: [Int64] = []
    for codec in BrokenBatch.Codec.allCases {
      let first = try BrokenBatch.write(codec, records: 3, to: partition, of: cluster.broker.bootstrapServers)
      broken += first..<first + 3
    }
    _ = try await cluster.producer.send([chat("after", text: "short", to: partition)])[0].get()
    try await cluster.wait("SELECT count(*) FROM throughline.message WHERE external_id = 'after'", for: 1, seconds: 120)
    #expect(
      try await cluster.rows("SELECT record_offset, reason FROM throughline.dead_letter ORDER BY record_offset")
        == broken.map { ["\($0)", "unreadable"] })
    #expect(try await cluster.number("SELECT count(*) FROM throughline.message") == 2)
    try await cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1)
    #expect(try await cluster.consume("dlq.channel.chat").count == broken.count)
    #expect(worker.stop() == 0)
    await cluster.close()
  }

  @Test func `offsets that were trimmed away are an alarm and a letter that names them, and reading goes on`() async throws {
    let cluster = try await Cluster()
    let partition = TopicPartition("channel.chat", 0)
    func chat(_ id: String, text: String) -> ProducerRecord { self.chat(id, text: text, to: partition) }
    var worker = try cluster.startWorker()
    for number in 0..<3 { _ = try await cluster.producer.send([chat("before-\(number)", text: "short")])[0].get() }
    try await cluster.wait("SELECT count(*) FROM throughline.message", for: 3)
    #expect(worker.stop() == 0)

    // The broker keeps 5 MiB of a partition.
    let long = String(repeating: "long ", count: 20_000)
    for number in 0..<80 { _ = try await cluster.producer.send([chat("long-\(number)", text: long)])[0].get() }
    let probe = try KafkaConsumer(
      configuration: KafkaConfiguration(bootstrapServers: cluster.broker.bootstrapServers, logger: .silent), group: "probe")
    let (low, high) = try await (probe.watermarks(partition).low, probe.watermarks(partition).high)
    await probe.close()
    #expect(3 < low && low < high && high == 83)

    worker = try cluster.startWorker()
    try await cluster.wait(
      "SELECT next_offset FROM throughline.ingest_offset WHERE topic = 'channel.chat' AND partition = 0", for: 83)
    #expect(worker.log.contains(#""event.action":"offset_out_of_range""#))
    #expect(worker.log.contains(#""log.level":"error""#))
    #expect(
      try await cluster.rows("SELECT topic, partition, record_offset, reason, detail FROM throughline.dead_letter")
        == [["channel.chat", "0", "3", "offsets_trimmed", "offsets 3 to \(low - 1) were deleted before they were read"]])
    // What is still there is stored, and so is what comes.
    #expect(
      try await cluster.number("SELECT count(*) FROM throughline.message WHERE external_id LIKE 'long-%'") == Int(high - low))
    _ = try await cluster.producer.send([chat("after", text: "short")])[0].get()
    try await cluster.wait("SELECT count(*) FROM throughline.message WHERE external_id = 'after'", for: 1)
    try await cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1)
    #expect(try await cluster.consume("dlq.channel.chat").count == 1)
    #expect(worker.stop() == 0)
    await cluster.close()
  }

  @Test func `the oracle finds what was lost, doubled, swapped, unlettered, said by nobody, aborted and hung`() async throws {
    let plant = try await Plant(ingest: 1, routers: 1, watchdog: .seconds(6))
    let trial = try await Trial(plant, seed: 113, records: 1_000)
    let verdict = try await trial.run { trial in
      try await plant.cluster.wait("SELECT count(*) FROM throughline.message WHERE external_id LIKE 'chat-%'", for: 20)
      try await plant.cluster.wait("SELECT count(*) FROM throughline.message WHERE external_id LIKE 'desk-%'", for: 20)
      try await plant.cluster.wait("SELECT count(*) FROM throughline.dead_letter", for: 2)
      try await plant.cluster.wait("SELECT count(*) FROM throughline.message WHERE author_kind = 'agent'", for: 3)
      // A worker that aborts, and one that does nothing any more: past the unit, which would know.
      let (ingest, router) = (plant.ingest[0], plant.routers[0])
      let starts = ingest.starts
      ingest.current?.signal(SIGABRT)
      try await ingest.waitForStart(after: starts)
      router.current?.signal(SIGSTOP)
      try await plant.wait("the watchdog of a router that stands still") { router.barks > 0 }
      router.current?.signal(SIGCONT)
      // What nobody did, and an answer that is sent again as another event.
      let answer = try await plant.cluster.rows("SELECT max(text) FROM throughline.message WHERE author_kind = 'agent'")
      for (topic, type, data) in [
        ("conversation.events", "conversation.resolved", #""reason":"agent""#),
        ("outbound.chat", "outbound.message", #""text":"\#(answer[0][0] ?? "")""#),
        ("routing.events", "action.refused", #""action_id":"nobody's""#),
      ] {
        let subject = UUID().uuidString
        let event = #"{"id":"1","type":"\#(type)","subject":"\#(subject)","data":{"seq":1,"conversation_id":"none",\#(data)}}"#
        let record = ProducerRecord(topic: topic, partition: 0, key: Array(subject.utf8), value: Array(event.utf8))
        _ = try await plant.cluster.producer.send([record])[0].get()
      }
      // What workers that are not exact would leave behind.
      try await plant.sql(
        """
        SET session_replication_role = replica;
        DELETE FROM throughline.message WHERE external_id = 'desk-1';
        DELETE FROM throughline.message WHERE text = (SELECT min(text) FROM throughline.message WHERE author_kind = 'agent');
        INSERT INTO throughline.message SELECT (jsonb_populate_record(m, jsonb_build_object('id', gen_random_uuid()))).*
          FROM throughline.message m WHERE text = (SELECT min(text) FROM throughline.message WHERE author_kind = 'agent');
        UPDATE throughline.message SET text = 'nobody''s'
          WHERE text = (SELECT max(text) FROM throughline.message WHERE author_kind = 'agent');
        UPDATE throughline.message SET external_id = 'nobody' WHERE external_id = 'desk-2';
        INSERT INTO throughline.message SELECT (jsonb_populate_record(m, jsonb_build_object('id', gen_random_uuid()))).*
          FROM throughline.message m WHERE external_id = 'desk-3';
        UPDATE throughline.message m SET customer_id = (SELECT customer_id FROM throughline.message WHERE external_id = 'desk-4')
          WHERE external_id = (SELECT min(external_id) FROM throughline.message WHERE external_id LIKE 'chat-%');
        UPDATE throughline.conversation SET event_seq = event_seq + 1
          WHERE id = (SELECT conversation_id FROM throughline.message WHERE external_id = 'desk-5');
        DELETE FROM throughline.dead_letter WHERE id = (SELECT id FROM throughline.dead_letter ORDER BY id LIMIT 1);
        INSERT INTO throughline.dead_letter SELECT (jsonb_populate_record(l, jsonb_build_object('id', gen_random_uuid()))).*
          FROM throughline.dead_letter l LIMIT 1;
        SET session_replication_role = origin
        """)
    }
    let found = verdict.problems.joined(separator: "\n")
    for sentence in [
      "messages lost, such as [\"desk-1\"", "messages that nobody produced, such as [\"nobody\"]",
      "messages stored more than once, such as [\"desk-3\"]", "groups of messages by customer_id", "dead letters missing",
      "dead letters stored more than once", "were not published to their end",
      "a message of another customer than its conversation", "ingest 1 ended with signal(6)",
      "route 1 made no progress and was killed by its watchdog", "answers lost", "answers stored more than once",
      "answers stored that were not sent", "actions without an end, or with two", "refusals of what nobody did",
      "answers not sent once, or refused and sent",
    ] {
      #expect(found.contains(sentence), "\(sentence) in \(found)")
    }
  }
}
