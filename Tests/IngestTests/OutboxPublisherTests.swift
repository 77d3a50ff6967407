import CRdKafka
import Canonical
import Logging
import Postgres
import Rig
import TestSupport
import Testing

@testable import Kafka
@testable import Store
@testable import Workers

/// What is under way, and what became of it: `OutboxFlight`, and the publisher around it with a real broker.
@Suite struct OutboxPublisherTests {
  private func row(_ id: Int64, _ subject: String, topic: String = "conversation.events", bytes: Int = 10) -> OutboxRecord {
    OutboxRecord(
      shard: 0, id: id, topic: topic, subject: subject, key: Array(subject.utf8), value: [UInt8](repeating: 0, count: bytes),
      headers: [])
  }
  private func fault(_ code: rd_kafka_resp_err_t) -> Result<Int64, KafkaFault> { .failure(KafkaFault(code)) }

  @Test func `of a subject and topic one flight is under way, and nothing is sent twice meanwhile`() {
    var flight = OutboxFlight()
    #expect(flight.admit([row(1, "a"), row(2, "b"), row(3, "a")]).map(\.id) == [1, 2, 3])
    #expect(flight.admit([row(4, "a"), row(5, "c"), row(6, "a", topic: "outbound.chat")]).map(\.id) == [5, 6])
    flight.land([row(1, "a"), row(2, "b"), row(3, "a")])
    #expect(flight.subjects.map(\.subject).sorted() == ["a", "c"])
    #expect(flight.admit([row(4, "a")]).map(\.id) == [4])
  }

  @Test func `a topic that takes nothing fills its own share, in records or in bytes, and no other's`() {
    var flight = OutboxFlight()
    let share = OutboxFlight.topicLimit.records
    let many = (0..<share + 200).map { row(Int64($0), "s\($0)") }
    #expect(flight.admit(many).count == share)
    #expect(flight.fullTopics == ["conversation.events"] && !flight.isFull)
    #expect(flight.admit([row(20_000, "x"), row(20_001, "y", topic: "routing.events")]).map(\.id) == [20_001])
    let long = (0..<20).map { row(Int64(30_000 + $0), "s\($0 % 3)", topic: "dlq.channel.chat", bytes: 900_000) }
    // What is left behind is left behind in its order.
    #expect(flight.admit(long).map(\.id) == [30_000, 30_001, 30_002, 30_003, 30_004])
    flight.land(many)
    #expect(flight.fullTopics == ["dlq.channel.chat"])
  }

  @Test func `what a broker refuses with its whole batch is sent again alone, with all of its subject that follows`() {
    let records = [row(1, "a"), row(2, "b"), row(3, "a"), row(4, "c")]
    let refused = fault(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    #expect(OutboxFlight.suspects(records, [refused, .success(1), .success(2), refused]) == [0, 2, 3])
    #expect(OutboxFlight.suspects([records[0]], [refused]) == [], "it was alone")
    #expect(OutboxFlight.suspects(records, records.map { _ in .success(0) }) == [])
  }

  @Test func `what follows a failure of the same subject stays, what can never be published goes`() {
    let records = [row(1, "a"), row(2, "b"), row(3, "a"), row(4, "c"), row(5, "c")]
    let (done, faults) = OutboxFlight.settle(
      records,
      [fault(RD_KAFKA_RESP_ERR__TRANSPORT), .success(0), .success(1), fault(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), .success(2)])
    #expect(done.map(\.id) == [2, 4, 5])
    #expect(faults.map(\.record.id) == [1, 4])
  }

  @Test func `a partition that nobody leads holds up no other topic, and is caught up with in order`() async throws {
    let logger = Logger(label: "outbox") { _ in SwiftLogNoOpLogHandler() }
    let broker = try EmbeddedBroker(brokers: 3, logger: logger)
    for topic in ["conversation.events", "routing.events"] {
      try await broker.createTopic(topic, partitions: 1)
      try await broker.moveLeader(TopicPartition(topic, 0), to: topic == "routing.events" ? 2 : 1)
    }
    let url = try await TestDatabase.make()
    let db = PostgresConnection(url: url, applicationName: "outbox-test")
    func insert(_ topic: String, _ count: Int, from first: Int = 1) async throws {
      try await db.perform { db throws(PostgresFault) in
        try db.execute(
          """
          INSERT INTO throughline.outbox (shard, tenant_id, event_id, topic, subject, seq, value)
          SELECT 3, 'default', gen_random_uuid(), '\(topic)', 'subject', n, convert_to(n::text, 'UTF8')
          FROM generate_series(\(first), \(first + count - 1)) n
          """)
      }
    }
    func left(_ topic: String) async throws -> Int {
      let rows = try await db.perform { db throws(PostgresFault) in
        try db.textRows("SELECT count(*) FROM throughline.outbox WHERE topic = '\(topic)'")
      }
      return Int(rows[0][0] ?? "") ?? -1
    }
    func wait(_ topic: String) async throws {
      for _ in 0..<600 where try await left(topic) > 0 { try await Task.sleep(for: .milliseconds(50)) }
      #expect(try await left(topic) == 0, "\(topic)")
    }
    try await broker.takeDown(2)
    // More than a round reads of a shard.
    try await insert("routing.events", 600)
    let publisher = Task {
      try await WorkerParts.publish(
        KafkaConfiguration(bootstrapServers: broker.bootstrapServers, logger: logger), databaseURL: url, owner: "test",
        leaseSeconds: 6, topicPrefix: "", logger: logger)
    }
    try await insert("conversation.events", 50)
    try await wait("conversation.events")
    #expect(try await left("routing.events") == 600)
    try await insert("conversation.events", 50, from: 51)
    try await wait("conversation.events")
    try await broker.bringUp(2)
    try await wait("routing.events")
    publisher.cancel()
    _ = await publisher.result
    for (topic, count) in [("conversation.events", 100), ("routing.events", 600)] {
      let consumer = try KafkaConsumer(
        configuration: KafkaConfiguration(bootstrapServers: broker.bootstrapServers, logger: logger), group: "reader")
      try await consumer.assign([PartitionStart(TopicPartition(topic, 0), .beginning)])
      var last = 0
      for _ in 0..<300 where last < count {
        guard case .records(let records) = try await consumer.poll(maximumRecords: 1_000, maximumBytes: 1 << 20, linger: .zero)
        else { continue }
        for record in records {
          let seq = Int(String(decoding: record.value ?? [], as: UTF8.self)) ?? 0
          // Repeats are dropped by their seq.
          if seq > last { #expect(seq == last + 1, "\(topic)") }
          last = max(last, seq)
        }
      }
      #expect(last == count, "\(topic)")
      await consumer.close()
    }
    await db.close()
    await broker.close()
  }
}
