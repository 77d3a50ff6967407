import Canonical
import Engine
import TestSupport
import Testing

@testable import Postgres
@testable import Store

/// Leases: at any time one publisher has a shard, and every shard has one soon.
@Suite struct OutboxLeaseTests {
  private static let all = Array(0..<Int16(OutboxShard.count))

  private struct Publisher {
    let db: PostgresConnection
    let outbox: Outbox

    init(_ url: String, _ name: String) {
      db = PostgresConnection(url: url, applicationName: name, settings: Queries.settings)
      outbox = Outbox(owner: name, leaseSeconds: 60)
    }

    func lease() async throws(PostgresFault) -> [Int16] {
      try await db.perform { db throws(PostgresFault) in try outbox.lease(on: db) }
    }

    func release() async throws(PostgresFault) {
      try await db.perform { db throws(PostgresFault) in try outbox.release(on: db) }
    }
  }

  /// Who holds what when each has renewed `rounds` times.
  private func shares(_ publishers: [Publisher], rounds: Int) async throws -> [[Int16]] {
    var shares: [[Int16]] = []
    for _ in 0..<rounds {
      shares = []
      for publisher in publishers { shares.append(try await publisher.lease()) }
    }
    return shares
  }

  @Test func `what has waited in vain for thirty days goes, and with it the row that kept its name`() async throws {
    let a = Publisher(try await TestDatabase.bounded(), "a")
    // Ids of long ago and of now; names that nobody has, that somebody still waits for, and that is the key of a delivery.
    let (old, new) = ("00000000-0000-7000-8000-00000000000", "ffffffff-0000-7000-8000-00000000000")
    let (alone, shared) = ("00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b")
    let key = "00000000-0000-0000-0000-00000000000c"
    let rows = [
      (old + "1", "'\(alone)'"), (old + "2", "'\(shared)'"), (new + "3", "'\(shared)'"), (old + "4", "NULL"),
      (old + "5", "'\(key)'"),
    ].map { "('default', '\($0.0)', 'edit', 'chat', 'w', \($0.1), now(), '{}', 't', 0, 0, 0)" }
    try await a.db.sql(
      """
      INSERT INTO throughline.parked_event (tenant_id, id, kind, channel, account, target, received_at, details, topic, partition,
        record_offset, element) VALUES \(rows.joined(separator: ", "));
      INSERT INTO throughline.message_ref (tenant_id, key, seen)
      VALUES ('default', '\(alone)', false), ('default', '\(shared)', false), ('default', '\(key)', true)
      """)
    let sweep = { () async throws in try await a.db.perform { [a] db throws(PostgresFault) in try a.outbox.sweep(on: db) } }
    #expect(try await sweep() == 4)
    #expect(try await sweep() == 0)
    let left = try await a.db.perform { db throws(PostgresFault) in
      (
        try db.textRows("SELECT id FROM throughline.parked_event"),
        try db.textRows("SELECT key FROM throughline.message_ref ORDER BY key")
      )
    }
    #expect(left.0 == [[new + "3"]] && left.1 == [[shared], [key]])
  }

  @Test func `one publisher holds every shard, and keeps them`() async throws {
    let a = Publisher(try await TestDatabase.bounded(), "a")
    #expect(try await a.lease() == Self.all)
    #expect(try await a.lease() == Self.all)
  }

  @Test func `publishers share the shards fairly within three renewals`() async throws {
    for (count, expected) in [(2, [8, 8]), (3, [4, 6, 6]), (5, [0, 4, 4, 4, 4]), (16, Array(repeating: 1, count: 16))] {
      let url = try await TestDatabase.bounded()
      let publishers = (0..<count).map { Publisher(url, "publisher-\($0)") }
      _ = try await publishers[0].lease()
      let shares = try await shares(publishers, rounds: 3)
      #expect(shares.map(\.count).sorted() == expected)
      #expect(shares.flatMap { $0 }.sorted() == Self.all)
    }
  }

  @Test func `who holds its share keeps the same shards`() async throws {
    let url = try await TestDatabase.bounded()
    let publishers = [Publisher(url, "a"), Publisher(url, "b")]
    let settled = try await shares(publishers, rounds: 3)
    #expect(try await shares(publishers, rounds: 5) == settled)
  }

  @Test func `no shard is ever leased to two, however many renew at once`() async throws {
    let url = try await TestDatabase.bounded()
    let publishers = (0..<6).map { Publisher(url, "publisher-\($0)") }
    for _ in 0..<20 {
      let leased = try await withThrowingTaskGroup(of: [Int16].self) { group in
        for publisher in publishers { group.addTask { try await publisher.lease() } }
        return try await group.reduce(into: []) { $0 += $1 }
      }
      #expect(Set(leased).count == leased.count)
    }
    #expect(try await shares(publishers, rounds: 3).flatMap { $0 }.sorted() == Self.all)
  }

  @Test func `the shards of a publisher that died are taken when its leases have run out`() async throws {
    let url = try await TestDatabase.bounded()
    let (dead, heir) = (Publisher(url, "dead"), Publisher(url, "heir"))
    #expect(try await shares([dead, heir], rounds: 3).map(\.count) == [8, 8])
    #expect(try await heir.lease().count == 8)
    try await heir.db.sql(
      """
      UPDATE throughline.outbox_shard SET expires_at = now() - interval '1 second' WHERE owner = 'dead';
      UPDATE throughline.outbox_publisher SET expires_at = now() - interval '1 second' WHERE owner = 'dead'
      """)
    #expect(try await heir.lease() == Self.all)
    // Back again, it gets its share from the next renewal of the other on.
    #expect(try await dead.lease() == [])
    #expect(try await heir.lease().count == 8)
    #expect(try await dead.lease().count == 8)
  }

  @Test func `publishers that are long gone are forgotten`() async throws {
    let url = try await TestDatabase.bounded()
    let (gone, a) = (Publisher(url, "gone"), Publisher(url, "a"))
    _ = try await gone.lease()
    try await a.db.sql("UPDATE throughline.outbox_publisher SET expires_at = now() - interval '1 hour'")
    _ = try await a.lease()
    #expect(try await a.db.sql("SELECT owner FROM throughline.outbox_publisher") == [["a"]])
  }

  @Test func `what is released is free at once`() async throws {
    let url = try await TestDatabase.bounded()
    let (a, b) = (Publisher(url, "a"), Publisher(url, "b"))
    #expect(try await shares([a, b], rounds: 3).map(\.count) == [8, 8])
    try await a.release()
    #expect(try await b.lease() == Self.all)
  }
}

@Suite struct OutboxTests {
  private let outbox = Outbox(owner: "test", leaseSeconds: 60)

  private func read(_ shards: [Int16], limit: Int = 100, _ db: PostgresConnection) async throws(PostgresFault) -> [[OutboxRecord]]
  {
    try await db.perform { db throws(PostgresFault) in try outbox.read(shards: shards, limit: limit, on: db) }
  }

  @Test func `every subject has one of the shards that there are`() {
    var generator = IDGenerator(milliseconds: 1_778_577_242_000, seed: 1)
    let shards = Set((0..<1_000).map { _ in OutboxShard.of(generator.next().description) })
    #expect(shards == Set(0..<Int16(OutboxShard.count)))
  }

  @Test func `the oldest of each shard are read in order, until they are deleted`() async throws {
    let db = try await PostgresConnection.fresh()
    try await db.sql(
      """
      INSERT INTO throughline.outbox (shard, topic, subjects, events)
      SELECT i % 3, 'conversation.events', ARRAY['subject ' || i % 3, 'other ' || i % 3],
        ARRAY[convert_to('{"n":' || i || '}', 'UTF8'), '\\x00ff']
      FROM generate_series(1, 30) i
      """)
    let first = try await read([0, 2], limit: 4, db)
    #expect(first.map(\.[0].row.id) == first.map(\.[0].row.id).sorted())
    func values(_ rows: [[OutboxRecord]], _ shard: Int16) -> [String] {
      rows.filter { $0[0].row.shard == shard }.map { String(decoding: $0[0].value ?? [], as: UTF8.self) }
    }
    #expect(values(first, 0) == [3, 6, 9, 12].map { "{\"n\":\($0)}" })
    #expect(values(first, 1) == [])
    #expect(values(first, 2) == [2, 5, 8, 11].map { "{\"n\":\($0)}" })
    try #require(first.allSatisfy { $0.count == 2 })
    let (record, other) = (first[0][0], first[0][1])
    #expect(record.topic == "conversation.events" && record.key == Array("subject 2".utf8))
    #expect(record.headers == [Record.Header("content-type", Array("application/cloudevents+json".utf8))])
    #expect(other.row == record.row && other.position == 1 && other.subject == "other 2" && other.value == [0, 0xff])
    // Acknowledged out of order: what was not is read again.
    let acknowledged = Set([first[7], first[0], first[3]].map { $0[0].row })
    try await db.perform { db throws(PostgresFault) in
      try outbox.delete(acknowledged, on: db)
      try outbox.delete([], on: db)
    }
    let rest = try await read([0, 1, 2], db).map { $0[0].row }
    #expect(rest.count == 27 && acknowledged.isDisjoint(with: rest))
    let passedOver = try await db.perform { db throws(PostgresFault) in
      try outbox.read(shards: [0, 1, 2], limit: 100, without: Array(rest.dropFirst(2)), on: db)
    }
    #expect(passedOver.map { $0[0].row } == Array(rest.prefix(2)))
    #expect(try await read([], db).isEmpty)
    #expect(try await read([3], db).isEmpty)
    await db.close()
  }

  @Test func `a row holds the events of a shard and topic in order, as many as fit into a page`() async throws {
    let db = try await PostgresConnection.fresh()
    var generator = IDGenerator(milliseconds: 1_778_577_242_000, seed: 1)
    let subjects = (0..<40).map { _ in generator.next().description }
    func event(_ seq: Int, padding: Int) -> WriteSet.DomainEvent {
      let data = "{\"seq\":\(seq),\"pad\":\"" + String(repeating: "x", count: padding) + "\"}"
      return WriteSet.DomainEvent(
        tenant: "t", id: generator.next(), topic: seq % 5 == 0 ? "customer.events" : "conversation.events", type: "x",
        subject: subjects[seq % 40], seq: Int64(seq), at: Timestamp(milliseconds: 0), traceparent: nil,
        data: JSONText(utf8: Array(data.utf8)))
    }
    // The last is longer than a page alone.
    let events = (0..<1_000).map { event($0, padding: $0 % 700) } + [event(1_001, padding: 20_000)]
    try await db.perform { db throws(PostgresFault) in
      try db.copy(OutboxEvents.rows(events, source: "ingest", topicPrefix: "p."))
    }
    let rows = try await read(Array(0..<Int16(OutboxShard.count)), limit: 1_000, db)
    #expect(rows.count < 200)
    for records in rows {
      #expect(Set(records.map(\.topic)).count == 1 && Set(records.map { OutboxShard.of($0.subject) }) == [records[0].row.shard])
    }
    // Of each subject and topic in order.
    let told = Dictionary(grouping: rows.joined(), by: \.orderedBy).mapValues { records in
      records.map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }
    let expected = Dictionary(grouping: events) { OutboxSubject(topic: "p." + $0.topic, subject: $0.subject) }
    #expect(told.keys.count == expected.keys.count)
    for (subject, events) in expected {
      let found = told[subject] ?? []
      let isInOrder = zip(found, events).allSatisfy { text, event in text.contains("\"seq\":\(event.seq),") }
      #expect(isInOrder && found.count == events.count)
    }
    // Nothing is kept in pieces or compressed but what is longer than a page alone.
    #expect(
      try await db.value(
        "SELECT count(*) FROM throughline.outbox WHERE pg_column_size(events) < (SELECT sum(length(e)) FROM unnest(events) e)")
        == "1")
    #expect(try await db.value("SELECT max(pg_column_size(o)) > 7000 FROM throughline.outbox o") == "t")
    await db.close()
  }

  @Test func `a letter is published with the record's own bytes, whatever they are`() async throws {
    let headers = [
      Record.Header("text", Array("plain, \"quoted\" \\ü".utf8)), .init("nul", [0x61, 0, 0x62]), .init("not-utf8", [0xff, 0xfe]),
      .init("surrogate", [0xed, 0xa0, 0x80]), .init("none", nil), .init("empty", []), .init("text", Array("again".utf8)),
    ]
    let record = Record(
      topic: "channel.chat", partition: 3, offset: 4_711, timestamp: nil, key: [0, 0xff], headers: headers,
      value: [0, 1, 0xfe, 0xff])
    let db = try await PostgresConnection.fresh()
    let id = try await store(record, element: 2, in: db)
    let letters = try await read([5], db).joined().map { $0 }
    try #require(letters.count == 1)
    #expect(letters[0].topic == "dlq.channel.chat")
    #expect(letters[0].key == record.key)
    #expect(letters[0].value == record.value)
    #expect(Array(letters[0].headers.prefix(headers.count)) == headers)
    #expect(
      letters[0].headers.dropFirst(headers.count).map { "\($0.name)=\(String(decoding: $0.value ?? [], as: UTF8.self))" } == [
        "throughline_dead_letter_id=\(id)", "throughline_topic=channel.chat", "throughline_partition=3",
        "throughline_offset=4711",
        "throughline_reason=malformed_json", "throughline_detail=no object", "throughline_element=2",
      ])
    await db.close()
  }

  @Test func `a letter without key, value and headers is one still`() async throws {
    let db = try await PostgresConnection.fresh()
    let record = Record(topic: "channel.chat", partition: 0, offset: 0, timestamp: nil, key: nil, headers: [], value: nil)
    _ = try await store(record, element: nil, in: db)
    let letter = try #require(try await read([5], db).first?.first)
    #expect(letter.key == nil)
    #expect(letter.value == nil)
    #expect(!letter.headers.contains { $0.name == "throughline_element" || $0.name == "throughline_value_bytes" })
    await db.close()
  }

  @Test func `a letter too long for a broker says how long, and where it is`() async throws {
    for length in [900_000, 900_001, IngestWrites.pieceBytes + 1] {
      let db = try await PostgresConnection.fresh()
      let value = [UInt8](repeating: 0x78, count: length)
      let record = Record(topic: "channel.chat", partition: 3, offset: 4_711, timestamp: nil, key: nil, headers: [], value: value)
      _ = try await store(record, element: nil, in: db)
      let letter = try #require(try await read([5], db).first?.first)
      let stated = letter.headers.first { $0.name == "throughline_value_bytes" }?.value.map {
        String(decoding: $0, as: UTF8.self)
      }
      #expect(letter.value == (length > Outbox.maximumPublishedBytes ? nil : value))
      #expect(stated == (length > Outbox.maximumPublishedBytes ? "\(length)" : nil))
      // The bytes are kept, in the letter or beside it.
      let kept = """
        SELECT coalesce(sum(length(bytes)), 0) + (SELECT coalesce(length(value), 0) FROM throughline.dead_letter)
        FROM throughline.dead_letter_piece WHERE topic = 'channel.chat' AND partition = 3 AND record_offset = 4711
        """
      #expect(try await db.value(kept) == "\(length)")
      await db.close()
    }
  }

  /// As `IngestWrites` stores one; the answer is its id.
  private func store(_ record: Record, element: Int32?, in db: PostgresConnection) async throws(PostgresFault) -> ID {
    let id = ID(Bytes16(high: 0x0197_0000_0000_7000, low: 5))
    try await db.perform { db throws(PostgresFault) in
      try IngestWrites.insertPieces(of: record, on: db)
      var letter = CopyRows(columns: 12)
      letter.row {
        $0.uuid(PostgresUUID(id))
        $0.text("t")
        $0.text(record.topic)
        $0.int4(record.partition)
        $0.int8(record.offset)
        $0.int4(element)
        $0.text("malformed_json")
        $0.text("no object")
        $0.bytea(record.key)
        $0.bytea(record.value.flatMap { $0.count > IngestWrites.pieceBytes ? nil : $0 })
        $0.int8(Int64(record.value?.count ?? 0))
        $0.jsonb(RecordHeaders.json(record.headers).utf8)
      }
      let columns = "id, tenant_id, topic, partition, record_offset, element, reason, detail, key, value, value_bytes, headers"
      try db.copy(letter, into: "throughline.dead_letter (\(columns))")
      try db.execute(
        """
        INSERT INTO throughline.outbox (shard, topic, subjects, dead_letter_id)
        SELECT \(OutboxShard.of(id.description)), 'dlq.' || topic, ARRAY[id::text], id FROM throughline.dead_letter
        """)
    }
    return id
  }
}
