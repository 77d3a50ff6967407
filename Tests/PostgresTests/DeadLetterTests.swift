import Canonical
import Postgres
import TestSupport
import Testing

@testable import Store

/// What operators ask of dead letters, and what is left of those they drop.
@Suite struct DeadLetterTests {
  private func id(_ number: Int) -> ID {
    ID(Bytes16(high: 0x0197_0000_0000_7000 + UInt64(number) << 16, low: 0x8000_0000_0000_0000))
  }
  private func time(_ number: Int) -> Timestamp { Timestamp(milliseconds: 0x0197_0000_0000 + Int64(number)) }

  /// A letter of `t`, a second after the last.
  private func insert(
    _ number: Int, _ topic: String = "channel.chat", partition: Int = 0, offset: Int, element: Int? = nil, created: Int? = nil,
    reason: String = "malformed_json", tenant: String = "t", value: String? = nil, bytes: Int? = nil, replayed: Bool = false,
    in db: PostgresConnection
  ) async throws {
    let text = { (text: String?) in text.map { "'\($0)'" } ?? "NULL" }
    try await db.sql(
      """
      INSERT INTO throughline.dead_letter (id, tenant_id, topic, partition, record_offset, element, reason, detail, key, value,
        value_bytes, headers, created_at, replayed_at)
      VALUES ('\(id(number))', '\(tenant)', '\(topic)', \(partition), \(offset), \(element.map(String.init) ?? "NULL"), '\(reason)',
        'd', 'k', \(text(value)), \(bytes ?? value?.utf8.count ?? 0), '[{"name": "h", "value": "v"}]',
        '2026-05-12T00:00:00Z'::timestamptz + interval '1 s' * \(created ?? number), \(replayed ? "now()" : "NULL"))
      """)
  }

  private func outbox(_ number: Int, in db: PostgresConnection) async throws {
    try await db.sql(
      """
      INSERT INTO throughline.outbox (shard, topic, subjects, dead_letter_id)
      VALUES (3, 'dlq.channel.chat', '{s}', '\(id(number))')
      """)
  }

  private func drop(_ numbers: [Int], in db: PostgresConnection) async throws -> Int {
    let ids = numbers.map { id($0) }
    return try await db.perform { db throws(PostgresFault) in try DeadLetters.drop(ids, on: db) }
  }

  private func contents(_ numbers: [Int], in db: PostgresConnection) async throws -> [DeadLetters.Content] {
    let ids = Set(numbers.map { id($0) })
    return try await db.perform { db throws(PostgresFault) in
      let letters = try DeadLetters.find(ids, on: db)
      let contents = try DeadLetters.contents(of: letters, on: db)
      return letters.compactMap { contents[$0.record] }
    }
  }

  private func newest(
    _ limit: Int = 100, in db: PostgresConnection, _ change: (inout DeadLetters.Filter) -> Void
  ) async throws -> [ID] {
    var filter = DeadLetters.Filter()
    change(&filter)
    let asked = filter
    return try await db.perform { db throws(PostgresFault) in try DeadLetters.newest(asked, limit: limit, on: db).map(\.id) }
  }

  @Test func `the newest letters that pass a filter come first, whatever their kind`() async throws {
    let db = try await PostgresConnection.fresh()
    #expect(try await newest(in: db) { _ in } == [])
    try await insert(1, offset: 10, in: db)
    try await insert(2, "channel.voice", offset: 3, reason: "unknown_type", in: db)
    try await insert(3, partition: 2, offset: 5, reason: "unknown_type", tenant: "u", in: db)
    try await insert(4, offset: 11, replayed: true, in: db)
    try await insert(5, partition: 2, offset: 6, in: db)
    func numbers(_ change: (inout DeadLetters.Filter) -> Void) async throws -> [Int] {
      try await newest(in: db, change).map { Int($0.raw.high >> 16 & 0xff) }
    }
    #expect(try await numbers { _ in } == [5, 4, 3, 2, 1])
    #expect(try await newest(2, in: db) { _ in } == [id(5), id(4)])
    #expect(try await numbers { $0.isReplayed = false } == [5, 3, 2, 1])
    #expect(try await numbers { $0.isReplayed = true } == [4])
    #expect(try await numbers { $0.topic = "channel.voice" } == [2])
    #expect(try await numbers { $0.reason = .unknownType } == [3, 2])
    #expect(try await numbers { $0.tenant = "u" } == [3])
    #expect(try await numbers { ($0.topic, $0.partition) = ("channel.chat", 2) } == [5, 3])
    #expect(try await numbers { ($0.topic, $0.partition, $0.offset) = ("channel.chat", 2, 5) } == [3])
    #expect(try await numbers { ($0.topic, $0.partition, $0.offset) = ("channel.chat", 0, 0) } == [])
    #expect(try await numbers { ($0.since, $0.until) = (time(2), time(4)) } == [3, 2])
    // Before there was anything, and after all there can be.
    #expect(try await numbers { $0.until = Timestamp(microseconds: .min / 4) } == [])
    #expect(try await numbers { $0.since = Timestamp(microseconds: .max / 4) } == [])

    let counts = try await db.perform { db throws(PostgresFault) in
      var filter = DeadLetters.Filter()
      filter.isReplayed = false
      return try DeadLetters.summary(filter, on: db)
    }
    #expect(
      counts == [
        .init(topic: "channel.chat", reason: "malformed_json", letters: 2, first: time(1), last: time(5)),
        .init(topic: "channel.chat", reason: "unknown_type", letters: 1, first: time(3), last: time(3)),
        .init(topic: "channel.voice", reason: "unknown_type", letters: 1, first: time(2), last: time(2)),
      ])
    await db.close()
  }

  @Test func `a scan goes through whole records in the order of the log, however little it looks at at once`() async throws {
    let db = try await PostgresConnection.fresh()
    // Two partitions, records of three letters, ids in another order.
    for number in 0..<18 {
      try await insert(
        number, partition: number % 2, offset: (17 - number) / 6, element: number, created: 0,
        reason: number % 5 == 0 ? "unknown_type" : "malformed_json", in: db)
    }
    try await insert(99, offset: 1, created: 1_000, in: db)
    let asOf = Timestamp(microseconds: 1_778_544_060_000_000)
    for count in [1, 2, 3, 4, 100] {
      var filter = DeadLetters.Filter()
      filter.reason = .malformedJSON
      var found: [DeadLetter] = []
      var place: DeadLetters.Place?
      var rounds = 0
      repeat {
        let (asked, after) = (filter, place)
        let page = try await db.perform { db throws(PostgresFault) in
          try DeadLetters.scan(asked, topic: "channel.chat", after: after, asOf: asOf, examining: count, on: db)
        }
        found += page.letters
        place = page.next
        rounds += 1
      } while place != nil && rounds < 50
      #expect(found.count == 14)
      // Not what came later.
      #expect(!found.contains { $0.id == id(99) })
      #expect(
        found.map { [Int64($0.partition), $0.offset] }
          == found.map { [Int64($0.partition), $0.offset] }.sorted { $0.lexicographicallyPrecedes($1) })
    }
    await db.close()
  }

  @Test func `the value of a record stays while a letter of it does, and goes with the last`() async throws {
    let db = try await PostgresConnection.fresh()
    for number in 1...3 {
      try await insert(number, offset: 7, element: number, created: 0, value: number == 1 ? "bytes" : nil, bytes: 5, in: db)
      try await outbox(number, in: db)
    }
    // Another record of a topic that was made anew, at the same offset.
    try await insert(8, offset: 7, created: 60, value: "other", in: db)
    try await outbox(8, in: db)
    #expect(
      try await contents([3], in: db) == [
        .init(key: [0x6b], value: Array("bytes".utf8), headers: [.init("h", [0x76])], isWhole: true)
      ])
    #expect(try await drop([1], in: db) == 1)
    #expect(try await contents([3], in: db).map(\.value) == [Array("bytes".utf8)])
    #expect(try await drop([2, 1], in: db) == 1)
    #expect(try await contents([3, 8], in: db).map(\.value) == [Array("bytes".utf8), Array("other".utf8)])
    #expect(try await db.sql("SELECT dead_letter_id::text FROM throughline.outbox ORDER BY 1") == [["\(id(3))"], ["\(id(8))"]])
    #expect(try await drop([3], in: db) == 1)
    #expect(try await db.sql("SELECT convert_from(value, 'UTF8') FROM throughline.dead_letter") == [["other"]])
    #expect(try await db.value("SELECT count(*) FROM throughline.outbox") == "1")
    await db.close()
  }

  @Test func `a long value is joined from its pieces, which go with the last letter of the record`() async throws {
    let db = try await PostgresConnection.fresh()
    let value = (0..<(2 * IngestWrites.pieceBytes + 5)).map { UInt8(truncatingIfNeeded: $0 * 7) }
    let record = Record(topic: "channel.chat", partition: 0, offset: 7, timestamp: nil, key: nil, headers: [], value: value)
    try await db.perform { db throws(PostgresFault) in try IngestWrites.insertPieces(of: record, on: db) }
    try await db.sql("UPDATE throughline.dead_letter_piece SET created_at = '2026-05-12T00:00:00Z'")
    try await insert(1, offset: 7, element: 1, created: 0, bytes: value.count, in: db)
    try await insert(2, offset: 7, element: 2, created: 0, bytes: value.count, in: db)
    try await insert(3, offset: 8, bytes: value.count, in: db)
    #expect(try await contents([2], in: db).first?.value == value)
    #expect(try await contents([1, 3], in: db).map(\.isWhole) == [true, false])
    #expect(try await drop([1, 3], in: db) == 2)
    #expect(try await db.value("SELECT count(*) FROM throughline.dead_letter_piece") == "3")
    #expect(try await drop([2], in: db) == 1)
    #expect(try await db.value("SELECT count(*) FROM throughline.dead_letter_piece") == "0")

    // A newer record at the same place, whose letter is not committed yet, keeps its pieces.
    try await db.perform { db throws(PostgresFault) in try IngestWrites.insertPieces(of: record, on: db) }
    try await insert(4, offset: 7, created: 0, bytes: value.count, in: db)
    #expect(try await drop([4], in: db) == 1)
    #expect(try await db.value("SELECT count(*) FROM throughline.dead_letter_piece") == "3")
    await db.close()
  }

  @Test func `of letters without bytes nothing is known, and a tombstone is no such letter`() async throws {
    let db = try await PostgresConnection.fresh()
    try await insert(1, offset: 7, in: db)
    try await insert(2, offset: 8, in: db)
    try await db.sql("UPDATE throughline.dead_letter SET headers = '[]', key = NULL WHERE record_offset = 8")
    try await insert(3, offset: 9, value: "", in: db)
    try await insert(4, offset: 10, value: "short", bytes: 9, in: db)
    let contents = try await contents([1, 2, 3, 4], in: db)
    #expect(contents.map(\.isWhole) == [true, false, true, false])
    #expect(contents.map(\.value) == [nil, nil, [], Array("short".utf8)])
    await db.close()
  }

  @Test func `no statement reads a whole table, and counting reads the index alone`() async throws {
    let db = try await PostgresConnection.fresh()
    let plans = try await db.perform { db throws(PostgresFault) in
      try db.execute("SET plan_cache_mode = force_generic_plan")
      var plans: [String: String] = [:]
      for statement in Queries.all where statement.name.hasPrefix("dlq_") {
        try db.prepare(statement)
        let count = try db.textRows(
          "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = '\(statement.name)'")
        let nulls = Array(repeating: "NULL", count: Int(count[0][0] ?? "") ?? 0)
        let execution = statement.name + (nulls.isEmpty ? "" : "(\(nulls.joined(separator: ", ")))")
        plans[statement.name] = try db.textRows("EXPLAIN (COSTS OFF) EXECUTE \(execution)").map { $0[0] ?? "" }.joined(
          separator: "\n")
      }
      return plans
    }
    #expect(plans.count == 13)
    for (name, plan) in plans { #expect(!plan.contains("Seq Scan") && !plan.contains("Hash Join"), "\(name)\n\(plan)") }
    for name in ["dlq_kinds", "dlq_newest", "dlq_summary"] {
      let plan = plans[name] ?? ""
      #expect(plan.contains(#/Index Only Scan( Backward)? using dead_letter_by_kind/#), "\(plan)")
    }
    #expect(plans["dlq_scan"]?.contains("Index Scan using dead_letter_by_record") == true)
    #expect(plans["dlq_unpublish"]?.contains("outbox_by_letter") == true, "\(plans["dlq_unpublish"] ?? "")")
    await db.close()
  }
}
