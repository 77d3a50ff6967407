import TestSupport
import Testing

@testable import Postgres

/// What the server makes of our binary format, in its own words and on the way back: two mistakes of ours can not cancel out.
@Suite struct ValueTests {
  private static let uuids = [
    PostgresUUID(high: 0, low: 0), PostgresUUID(high: .max, low: .max),
    PostgresUUID(high: 0x0123_4567_89ab_7def, low: 0x8123_4567_89ab_cdef),
  ]
  private static let uuidTexts = [
    "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "01234567-89ab-7def-8123-456789abcdef",
  ]
  private static let texts = ["", "a", "it's \"quoted\" \\ {,}", "Grüße 😀 مرحبا", "\u{1}\n\t", "NULL"]
  private static let allBytes = (0...255).map { UInt8($0) }
  private static let instants: [(microseconds: Int64, text: String)] = [
    (0, "1970-01-01 00:00:00+00"), (-1, "1969-12-31 23:59:59.999999+00"), (946_684_800_000_000, "2000-01-01 00:00:00+00"),
    (1_778_577_242_123_456, "2026-05-12 09:14:02.123456+00"), (253_402_300_799_999_999, "9999-12-31 23:59:59.999999+00"),
    // The first that PostgreSQL can hold, and the last that 64 bits since 1970 can.
    (-210_866_803_200_000_000, "4714-11-24 00:00:00+00 BC"), (.max, "294247-01-10 04:00:54.775807+00"),
  ]

  @Test func `text parameters arrive whole`() async throws {
    for text in Self.texts + [String(repeating: "x", count: 100_000)] {
      try await echo("text", .text(text), as: text, text) { $0.text($1, $2) }
    }
  }

  @Test func `integer parameters arrive whole, at their extremes too`() async throws {
    for number in [0, 1, -1, Int16.min, .max] {
      try await echo("int2", .int2(number), as: "\(number)", number) { $0.int2($1, $2) }
    }
    for number in [0, 1, -1, Int32.min, .max] {
      try await echo("int4", .int4(number), as: "\(number)", number) { $0.int4($1, $2) }
    }
    for number in [0, 1, -1, Int64.min, .max] {
      try await echo("int8", .int8(number), as: "\(number)", number) { $0.int8($1, $2) }
    }
  }

  @Test func `boolean and uuid parameters arrive whole`() async throws {
    for flag in [true, false] { try await echo("bool", .bool(flag), as: "\(flag)", flag) { $0.bool($1, $2) } }
    for (id, text) in zip(Self.uuids, Self.uuidTexts) { try await echo("uuid", .uuid(id), as: text, id) { $0.uuid($1, $2) } }
  }

  @Test func `time parameters are the instants they say`() async throws {
    for (microseconds, text) in Self.instants {
      try await echo("timestamptz", .timestamp(microseconds: microseconds), as: text, microseconds) { $0.microseconds($1, $2) }
    }
  }

  @Test func `bytea parameters keep every byte`() async throws {
    try await echo("bytea", .bytea([]), as: "\\x", []) { Array($0.bytes($1, $2)) }
    try await echo("bytea", .bytea(Self.allBytes), as: Self.hex(Self.allBytes), Self.allBytes) { Array($0.bytes($1, $2)) }
  }

  @Test func `nil of any type is NULL`() async throws {
    let parameters: [(String, PostgresParameter)] = [
      ("text", .text(nil)), ("int2", .int2(nil)), ("int4", .int4(nil)), ("int8", .int8(nil)), ("bool", .bool(nil)),
      ("uuid", .uuid(nil)),
      ("timestamptz", .timestamp(microseconds: nil)), ("bytea", .bytea(nil)),
    ]
    for (type, parameter) in parameters { try await echo(type, parameter, as: nil, Int64?.none) { $0.int8($1, $2) } }
  }

  @Test func `the optional accessors tell NULL from a value`() async throws {
    let db = try await PostgresConnection.shared()
    try await db.perform { db throws(PostgresFault) in
      let nulls = try db.query(Statement(name: "nulls", sql: "SELECT NULL::text, NULL::int8, NULL::uuid, NULL::timestamptz"))
      #expect(nulls.optionalText(0, 0) == nil)
      #expect(nulls.optionalInt8(0, 1) == nil)
      #expect(nulls.optionalUUID(0, 2) == nil)
      #expect(nulls.optionalMicroseconds(0, 3) == nil)
      let sql = "SELECT ''::text, 0::int8, '\(Self.uuidTexts[0])'::uuid, '2000-01-01Z'::timestamptz"
      let values = try db.query(Statement(name: "values", sql: sql))
      #expect(values.optionalText(0, 0) == "")
      #expect(values.optionalInt8(0, 1) == 0)
      #expect(values.optionalUUID(0, 2) == Self.uuids[0])
      #expect(values.optionalMicroseconds(0, 3) == 946_684_800_000_000)
    }
    await db.close()
  }

  @Test func `array parameters arrive element by element, NULLs too`() async throws {
    let texts = Self.texts.map(Optional.some) + [nil]
    try await unnest("text", .texts(texts), as: texts, texts) { $0.text($1, $2) }
    try await unnest("text", .texts(Self.texts), as: Self.texts, Self.texts) { $0.text($1, $2) }
    let int2s = [Int16.min, 0, .max]
    try await unnest("int2", .int2s(int2s), as: int2s.map { "\($0)" }, int2s) { $0.int2($1, $2) }
    let int4s = [Int32.min, 0, .max]
    try await unnest("int4", .int4s(int4s), as: int4s.map { "\($0)" }, int4s) { $0.int4($1, $2) }
    let int8s = [Int64.min, 0, .max]
    try await unnest("int8", .int8s(int8s), as: int8s.map { "\($0)" }, int8s) { $0.int8($1, $2) }
    try await unnest("bool", .bools([true, false]), as: ["true", "false"], [true, false]) { $0.bool($1, $2) }
    try await unnest(
      "bytea", .byteas([Self.allBytes, [], nil]), as: [Self.hex(Self.allBytes), "\\x", nil], [Self.allBytes, [], nil]
    ) {
      Array($0.bytes($1, $2))
    }
    try await unnest("uuid", .uuids(Self.uuids), as: Self.uuidTexts, Self.uuids) { $0.uuid($1, $2) }
    try await unnest(
      "uuid", .optionalUUIDs([nil] + Self.uuids.map(Optional.some)), as: [nil] + Self.uuidTexts, [nil] + Self.uuids
    ) { $0.uuid($1, $2) }
    let places: [UInt64] = [0x1, 0x1234_5678_9abc, 0xffff_fffe_ffff]
    try await unnest("tid", .places(places), as: ["(0,1)", "(305419896,39612)", "(4294967294,65535)"], places) {
      $0.place($1, $2)
    }
    let times = [nil] + Self.instants.map { Optional($0.microseconds) }
    try await unnest("timestamptz", .timestamps(microseconds: times), as: [nil] + Self.instants.map { $0.text }, times) {
      $0.microseconds($1, $2)
    }
  }

  @Test func `empty arrays are empty and not NULL`() async throws {
    let parameters: [(String, PostgresParameter)] = [
      ("text", .texts([String]())), ("text", .texts([String?]())), ("int2", .int2s([])), ("int4", .int4s([])),
      ("int8", .int8s([])),
      ("bool", .bools([])), ("bytea", .byteas([])), ("uuid", .uuids([])), ("uuid", .optionalUUIDs([])),
      ("timestamptz", .timestamps(microseconds: [])), ("tid", .places([])),
    ]
    for (type, parameter) in parameters { try await echo(type + "[]", parameter, as: "{}", 0) { $0.isNull($1, $2) ? 1 : 0 } }
  }

  @Test func `long arrays and long values arrive whole`() async throws {
    let numbers = Array(0..<200_000 as Range<Int64>)
    try await unnest("int8", .int8s(numbers), as: numbers.map { "\($0)" }, numbers) { $0.int8($1, $2) }
    let long = [UInt8](repeating: 0xa5, count: 5 << 20)
    try await echo("bytea", .bytea(long), as: Self.hex(long), long) { Array($0.bytes($1, $2)) }
  }

  @Test func `every type goes through COPY as it goes through a parameter`() async throws {
    let db = try await PostgresConnection.shared()
    let rows = Self.instants.enumerated().map { position, instant in
      (
        text: Self.texts[position % Self.texts.count], int2: position == 0 ? Int16.min : .max,
        int4: position == 0 ? Int32.min : .max,
        int8: position == 0 ? Int64.min : .max, uuid: position % 3, instant: instant
      )
    }
    let stored = try await db.perform { db throws(PostgresFault) in
      try db.execute(
        """
        SET timezone = 'UTC';
        CREATE TEMP TABLE kinds (n int4, t text, i2 int2, i4 int4, i8 int8, b bool, u uuid, ts timestamptz, by bytea, j jsonb)
        """)
      var copy = CopyRows(columns: 10)
      for (position, row) in rows.enumerated() {
        copy.row {
          $0.int4(Int32(position))
          $0.text(row.text)
          $0.int2(row.int2)
          $0.int4(row.int4)
          $0.int8(row.int8)
          $0.bool(position % 2 == 0)
          $0.uuid(Self.uuids[row.uuid])
          $0.timestamp(row.instant.microseconds)
          $0.bytea(position == 0 ? [] : Self.allBytes)
          $0.jsonb(Array(#"{"a": [1, "ü"]}"#.utf8))
        }
      }
      copy.row {
        $0.int4(1_000)
        $0.text(nil)
        $0.int2(nil)
        $0.int4(nil)
        $0.int8(nil)
        $0.bool(nil)
        $0.uuid(nil)
        $0.timestamp(nil)
        $0.bytea(nil)
        $0.jsonb(nil)
      }
      #expect(copy.count == rows.count + 1)
      try db.copy(copy, into: "kinds (n, t, i2, i4, i8, b, u, ts, by, j)")
      return try db.textRows("SELECT t, i2, i4, i8, b::text, u, ts, by, j FROM kinds ORDER BY n")
    }
    try #require(stored.count == rows.count + 1)
    for (position, row) in rows.enumerated() {
      #expect(
        stored[position] == [
          row.text, "\(row.int2)", "\(row.int4)", "\(row.int8)", "\(position % 2 == 0)", Self.uuidTexts[row.uuid],
          row.instant.text,
          position == 0 ? "\\x" : Self.hex(Self.allBytes), #"{"a": [1, "ü"]}"#,
        ])
    }
    #expect(stored.last == Array(repeating: nil, count: 9))
    await db.close()
  }

  @Test func `COPY takes nothing, values above a mebibyte, and more rows than one piece holds`() async throws {
    let db = try await PostgresConnection.shared()
    let long = String(repeating: "ü", count: 3 << 20)
    try await db.perform { db throws(PostgresFault) in
      try db.execute("CREATE TEMP TABLE long (n int4, t text)")
      try db.copy(CopyRows(columns: 2), into: "long (n, t)")
      var copy = CopyRows(columns: 2)
      for number in 0..<100_000 as Range<Int32> {
        copy.row {
          $0.int4(number)
          $0.text(number == 50_000 ? long : "row \(number)")
        }
      }
      try db.copy(copy, into: "long (n, t)")
      #expect(
        try db.textRows("SELECT count(*), sum(n), count(*) FILTER (WHERE t = 'row ' || n) FROM long") == [
          ["100000", "4999950000", "99999"]
        ])
      let result = try db.query(Statement(name: "long", sql: "SELECT t FROM long WHERE n = 50000"))
      #expect(result.text(0, 0) == long)
    }
    await db.close()
  }

  // MARK: -

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return "\\x" + String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  private func echo<Value: Equatable & Sendable>(
    _ type: String, _ parameter: PostgresParameter, as text: String?, _ value: Value?,
    location: SourceLocation = #_sourceLocation, _ read: @Sendable (borrowing PostgresResult, Int, Int) -> Value
  ) async throws {
    try await expect(
      "SELECT $1::\(type), $1::\(type)::text", parameter, [text], [value], location, read)
  }

  private func unnest<Value: Equatable & Sendable>(
    _ type: String, _ parameter: PostgresParameter, as texts: [String?], _ values: [Value?],
    location: SourceLocation = #_sourceLocation, _ read: @Sendable (borrowing PostgresResult, Int, Int) -> Value
  ) async throws {
    let sql = "SELECT u.value, u.value::text FROM unnest($1::\(type)[]) WITH ORDINALITY AS u(value, n) ORDER BY u.n"
    try await expect(sql, parameter, texts, values, location, read)
  }

  private func expect<Value: Equatable & Sendable>(
    _ sql: String, _ parameter: PostgresParameter, _ texts: [String?], _ values: [Value?], _ location: SourceLocation,
    _ read: @Sendable (borrowing PostgresResult, Int, Int) -> Value
  ) async throws {
    let db = try await PostgresConnection.shared()
    let got = try await db.perform { db throws(PostgresFault) in
      try db.execute("SET timezone = 'UTC'")
      let result = try db.query(Statement(name: "value", sql: sql), [parameter])
      var texts: [String?] = []
      var values: [Value?] = []
      for row in 0..<result.count {
        texts.append(result.optionalText(row, 1))
        values.append(result.isNull(row, 0) ? nil : read(result, row, 0))
      }
      return (texts, values)
    }
    await db.close()
    #expect(got.0 == texts, sourceLocation: location)
    #expect(got.1 == values, sourceLocation: location)
  }
}
