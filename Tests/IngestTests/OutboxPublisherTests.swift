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
  private func record(
    _ id: Int64, _ subject: String, position: Int = 0, topic: String = "conversation.events", bytes: Int = 10,
    isLetter: Bool = false
  ) -> OutboxRecord {
    OutboxRecord(
      row: OutboxRow(shard: Int16(id % 2), id: id), position: position, topic: topic, subject: subject, key: Array(subject.utf8),
      value: [UInt8](repeating: 0, count: bytes), headers: [], isLetter: isLetter)
  }
  /// A row with an event for each subject.
  private func row(_ id: Int64, _ subjects: String..., topic: String = "conversation.events", bytes: Int = 10) -> [OutboxRecord] {
    subjects.enumerated().map { record(id, $1, position: $0, topic: topic, bytes: bytes) }
  }
  private func names(_ records: [OutboxRecord]) -> [String] { records.map { "\($0.row.id)\($0.subject)" } }
  private func depart(_ flight: inout OutboxFlight) -> [OutboxRecord] {
    flight.depart().joined().sorted { ($0.row.id, $0.position) < ($1.row.id, $1.position) }
  }
  private func fault(_ code: rd_kafka_resp_err_t) -> Result<Int64, KafkaFault> { .failure(KafkaFault(code)) }

  @Test func `of a subject and topic one flight is under way, and nothing is sent twice meanwhile`() {
    var flight = OutboxFlight()
    flight.take([row(1, "a", "b"), row(3, "a")])
    let first = depart(&flight)
    #expect(names(first) == ["1a", "1b", "3a"])
    flight.take([row(3, "a"), row(4, "a", "c"), row(6, "a", topic: "outbound.chat")])
    #expect(names(depart(&flight)) == ["4c", "6a"])
    #expect(flight.isWaiting && Set(flight.rows.map(\.id)) == [1, 3, 4, 6])
    #expect(flight.land(first, done: first) == [OutboxRow(shard: 1, id: 1), OutboxRow(shard: 1, id: 3)])
    #expect(names(depart(&flight)) == ["4a"])
    #expect(!flight.isWaiting && depart(&flight).isEmpty)
  }

  @Test func `a row ends with the last of its events, and what failed of it is sent again, before what follows`() {
    var flight = OutboxFlight()
    flight.take([row(1, "a", "b"), row(2, "b", "c")])
    let first = depart(&flight)
    flight.take([row(3, "b", "d")])
    let second = depart(&flight)
    #expect(names(second) == ["3d"])
    // The broker has taken a and c.
    #expect(flight.land(first, done: [first[0], first[3]]).isEmpty)
    // Alone, since what follows must not be there before it, and the broker refuses what comes with it.
    flight.take([row(7, "e")])
    let departing = flight.depart()
    #expect(departing.map(names).sorted { $0[0] < $1[0] } == [["1b"], ["7e"]])
    let again = departing.flatMap { $0 }.filter { $0.row.id == 1 }
    #expect(flight.land(second, done: second).isEmpty)
    #expect(flight.land(again, done: []).isEmpty)
    #expect(names(depart(&flight)) == ["1b"] && depart(&flight).isEmpty)
    #expect(flight.land(again, done: again).map(\.id) == [1])
    let last = depart(&flight)
    #expect(names(last) == ["2b", "3b"])
    let finished = flight.land(last, done: last).union([OutboxRow(shard: 1, id: 1)])
    #expect(Set(finished.map(\.id)) == [1, 2, 3])
    // Until they are deleted they are not read again.
    flight.take([row(1, "a", "b")])
    #expect(depart(&flight).isEmpty)
    flight.close(finished)
    flight.take([row(1, "a", "b")])
    #expect(names(depart(&flight)) == ["1a", "1b"])
  }

  @Test func `what waits for a shard that another publisher has now is let go, and its room with it`() {
    var flight = OutboxFlight()
    flight.take([row(1, "a", "b"), row(2, "x")])
    let first = depart(&flight)
    flight.take([row(3, "a"), row(4, "x", bytes: OutboxFlight.topicLimit.bytes)])
    #expect(depart(&flight).isEmpty && flight.fullTopics == ["conversation.events"])
    flight.keep([1])
    #expect(flight.fullTopics.isEmpty && Set(flight.rows.map(\.id)) == [1, 3])
    // The shard comes back: what is under way of it is waited for, and counts where it arrives.
    flight.take([row(2, "x")])
    #expect(depart(&flight).isEmpty)
    #expect(Set(flight.land(first, done: first).map(\.id)) == [1, 2])
    #expect(names(depart(&flight)).sorted() == ["2x", "3a"])
  }

  @Test func `a topic that takes nothing fills its own share, in records or in bytes, and no other's`() {
    var flight = OutboxFlight()
    let share = OutboxFlight.topicLimit.records
    flight.take((0..<share + 200).map { row(Int64($0), "s\($0)") })
    let many = depart(&flight)
    #expect(many.count == share)
    #expect(flight.fullTopics == ["conversation.events"] && !flight.isFull)
    flight.take([row(20_000, "x"), row(20_001, "y", topic: "routing.events")])
    #expect(names(depart(&flight)) == ["20001y"])
    flight.take((0..<20).map { row(Int64(30_000 + $0), "s\($0 % 3)", topic: "dlq.channel.chat", bytes: 900_000) })
    // What is left behind is left behind in its order.
    #expect(depart(&flight).map(\.row.id) == [30_000, 30_001, 30_002, 30_003, 30_004])
    _ = flight.land(many, done: many)
    #expect(flight.fullTopics == ["dlq.channel.chat"])
  }

  @Test func `what a broker refuses with its whole batch is sent again alone, with all of its subject that follows`() {
    let records = [record(1, "a"), record(2, "b"), record(3, "a"), record(4, "c")]
    let refused = fault(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    #expect(OutboxFlight.suspects(records, [refused, .success(1), .success(2), refused]) == [0, 2, 3])
    #expect(OutboxFlight.suspects([records[0]], [refused]) == [], "it was alone")
    #expect(OutboxFlight.suspects(records, records.map { _ in .success(0) }) == [])
  }

  @Test func `what follows a failure of the same subject stays, and what the broker refuses, unless it is a letter`() {
    let records = [
      record(1, "a"), record(2, "b"), record(3, "a"), record(4, "c"), record(5, "c"), record(6, "d", isLetter: true),
      record(7, "d"),
    ]
    let refused = fault(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    let (done, faults) = OutboxFlight.settle(
      records,
      [fault(RD_KAFKA_RESP_ERR__TRANSPORT), .success(0), .success(1), refused, .success(2), refused, .success(3)])
    #expect(done.map(\.row.id) == [2, 6, 7])
    #expect(faults.map(\.record.row.id) == [1, 4, 6])
  }

  @Test func `what the broker refuses is sent until it is taken, and what follows it waits`() async throws {
    let logger = Logger(label: "outbox") { _ in SwiftLogNoOpLogHandler() }
    let broker = try EmbeddedBroker(logger: logger)
    for topic in ["conversation.events", "routing.events"] { try await broker.createTopic(topic, partitions: 1) }
    let url = try await TestDatabase.make()
    let db = PostgresConnection(url: url, applicationName: "outbox-test")
    try await db.perform { db throws(PostgresFault) in
      try db.execute(
        """
        INSERT INTO throughline.outbox (shard, topic, subjects, events)
        SELECT 3, 'conversation.events', ARRAY['a', 'b', 'a'],
          ARRAY[convert_to((2 * n - 1)::text, 'UTF8'), convert_to(n::text, 'UTF8'), convert_to((2 * n)::text, 'UTF8')]
        FROM generate_series(1, 10) n
        """)
    }
    // The batch, and the first of it alone.
    try await broker.pushErrors(0, [10, 10])
    let publisher = Task {
      try await WorkerParts.publish(
        KafkaConfiguration(bootstrapServers: broker.bootstrapServers, logger: logger), databaseURL: url, owner: "test",
        leaseSeconds: 6, topicPrefix: "", logger: logger)
    }
    let consumer = try KafkaConsumer(
      configuration: KafkaConfiguration(bootstrapServers: broker.bootstrapServers, logger: logger), group: "reader")
    try await consumer.assign([PartitionStart(TopicPartition("conversation.events", 0), .beginning)])
    var seen: [String: Int] = [:]
    for _ in 0..<600 where seen != ["a": 20, "b": 10] {
      guard case .records(let records) = try await consumer.poll(maximumRecords: 1_000, maximumBytes: 1 << 20, linger: .zero)
      else { continue }
      for record in records {
        let subject = String(decoding: record.key ?? [], as: UTF8.self)
        let seq = Int(String(decoding: record.value ?? [], as: UTF8.self)) ?? 0
        let last = seen[subject] ?? 0
        #expect(seq <= last + 1, "\(subject)")
        seen[subject] = max(last, seq)
      }
    }
    #expect(seen == ["a": 20, "b": 10])
    for _ in 0..<200 {
      let left = try await db.perform { db throws(PostgresFault) in try db.textRows("SELECT 1 FROM throughline.outbox") }
      if left.isEmpty { break }
      try await Task.sleep(for: .milliseconds(50))
    }
    let left = try await db.perform { db throws(PostgresFault) in try db.textRows("SELECT count(*) FROM throughline.outbox") }
    #expect(left == [["0"]])
    publisher.cancel()
    _ = await publisher.result
    await consumer.close()
    await db.close()
    await broker.close()
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
          INSERT INTO throughline.outbox (shard, topic, subjects, events)
          SELECT 3, '\(topic)', '{subject}', ARRAY[convert_to(n::text, 'UTF8')]
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
