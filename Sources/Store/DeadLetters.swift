import Canonical
import Postgres

/// A rejected record, or an element of one, as operators see it: all but its bytes.
public struct DeadLetter: Sendable, Equatable {
  public var id: ID
  public var tenant: String
  /// With the prefix.
  public var topic: String
  public var partition: Int32
  public var offset: Int64
  /// nil: the whole record.
  public var element: Int32?
  /// Of `Rejection.Reason`, or of a newer version's.
  public var reason: String
  public var detail: String
  /// Which time the record came, from 1.
  public var attempt: Int32
  /// Of the record's value.
  public var valueBytes: Int64
  public var createdAt: Timestamp
  /// When its record was last published again.
  public var replayedAt: Timestamp?

  /// The record that letters are of.
  ///
  /// All letters of a record are written in one transaction: their time tells them from those of another record at the same offset, of a
  /// topic that was deleted and made anew.
  public struct RecordKey: Hashable, Sendable {
    public var topic: String
    public var partition: Int32
    public var offset: Int64
    public var createdAt: Timestamp
  }

  public var record: RecordKey { RecordKey(topic: topic, partition: partition, offset: offset, createdAt: createdAt) }
}

/// What operators do with dead letters: every statement looks at a bounded number of letters, or at the index alone.
public enum DeadLetters {
  /// Which letters; nil is any.
  public struct Filter: Sendable, Equatable {
    /// With the prefix.
    public var topic: String?
    /// Only with `topic`.
    public var partition: Int32?
    /// Only with `partition`.
    public var offset: Int64?
    public var reason: Rejection.Reason?
    public var tenant: String?
    /// By the time in their ids, to the millisecond: from `since` on, before `until`.
    public var since: Timestamp?
    public var until: Timestamp?
    public var isReplayed: Bool?

    public init() {}

    /// The smallest id of a time.
    private static func id(from time: Timestamp) -> PostgresUUID {
      PostgresUUID(high: UInt64(min(max(0, time.microseconds / 1_000), 1 << 48 - 1)) << 16, low: 0)
    }
    fileprivate var ids: [PostgresParameter] {
      [
        .uuid(since.map(Self.id) ?? PostgresUUID(high: 0, low: 0)),
        .uuid(until.map(Self.id) ?? PostgresUUID(high: .max, low: .max)),
      ]
    }
  }

  /// The topics and reasons that there are letters of, and when the database said so.
  public struct Kinds: Sendable {
    var all: [(topic: String, reason: String)] = []
    public var asOf = Timestamp(microseconds: 0)
    /// Each once, in order.
    public var topics: [String] { Set(all.map(\.topic)).sorted() }
    fileprivate var parameters: [PostgresParameter] { [.texts(all.map(\.topic)), .texts(all.map(\.reason))] }
  }

  public static func kinds(of filter: Filter, on db: isolated PostgresConnection) throws(PostgresFault) -> Kinds {
    let rows = try db.query(Queries.named("dlq_kinds"))
    var kinds = Kinds()
    for row in 0..<rows.count {
      let (topic, reason) = (rows.text(row, 0), rows.text(row, 1))
      kinds.asOf = rows.timestamp(row, 2)
      guard filter.topic ?? topic == topic, filter.reason?.rawValue ?? reason == reason else { continue }
      kinds.all.append((topic, reason))
    }
    return kinds
  }

  // MARK: - Looking

  /// The newest first.
  public static func newest(
    _ filter: Filter, limit: Int, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [DeadLetter] {
    let kinds = try kinds(of: filter, on: db)
    // A record is found by its place.
    if filter.offset != nil, let topic = kinds.topics.first {
      let letters = try scan(filter, topic: topic, after: nil, asOf: kinds.asOf, examining: 1, on: db).letters
      return Array(letters.sorted { $0.id > $1.id }.prefix(limit))
    }
    let rows = try db.query(
      Queries.named("dlq_newest"),
      kinds.parameters + filter.ids + [
        .text(filter.tenant), .bool(filter.isReplayed), .int4(filter.partition), .int4(Int32(clamping: limit)),
      ])
    return (0..<rows.count).map { letter(rows, $0) }
  }

  /// How many there are of a topic and reason, and the times of the first and the last, to the millisecond.
  public struct Count: Sendable, Equatable {
    public var topic: String
    public var reason: String
    public var letters: Int64
    public var first: Timestamp
    public var last: Timestamp
  }

  /// By topic and reason; `offset` does not count.
  public static func summary(_ filter: Filter, on db: isolated PostgresConnection) throws(PostgresFault) -> [Count] {
    let kinds = try kinds(of: filter, on: db)
    let rows = try db.query(
      Queries.named("dlq_summary"),
      kinds.parameters + filter.ids + [.text(filter.tenant), .bool(filter.isReplayed), .int4(filter.partition)])
    func time(_ row: Int, _ column: Int) -> Timestamp { Timestamp(milliseconds: Int64(rows.uuid(row, column).high >> 16)) }
    return (0..<rows.count).map { row in
      Count(
        topic: rows.text(row, 0), reason: rows.text(row, 1), letters: rows.int8(row, 2), first: time(row, 3), last: time(row, 4))
    }.sorted { ($0.topic, $0.reason) < ($1.topic, $1.reason) }
  }

  /// In the order of the log; those that are not there are left out.
  public static func find(_ ids: Set<ID>, on db: isolated PostgresConnection) throws(PostgresFault) -> [DeadLetter] {
    let rows = try db.query(Queries.named("dlq_find"), [.ids(ids.sorted())])
    return (0..<rows.count).map { letter(rows, $0) }
  }

  /// A place in the log of a topic.
  public struct Place: Sendable, Equatable {
    public var partition: Int32
    public var offset: Int64
  }

  /// Looks at the next `count` letters of a topic in the order of the log, always whole records, and returns those that pass the filter
  /// and were there at `asOf`, and where to go on; nil at the end.
  public static func scan(
    _ filter: Filter, topic: String, after place: Place?, asOf: Timestamp, examining count: Int = 5_000,
    on db: isolated PostgresConnection
  ) throws(PostgresFault) -> (letters: [DeadLetter], next: Place?) {
    let start = place ?? Place(partition: filter.partition ?? -1, offset: filter.offset.map { $0 - 1 } ?? -1)
    let rows = try db.query(
      Queries.named("dlq_scan"),
      [
        .text(topic), .int4(start.partition), .int8(start.offset), .int4(filter.partition ?? .max),
        .int8(filter.offset ?? .max), .int4(Int32(clamping: count)), .text(filter.reason?.rawValue), .text(filter.tenant),
        .bool(filter.isReplayed),
      ] + filter.ids + [.timestamp(microseconds: asOf.microseconds)])
    guard rows.count > 0 else { return ([], nil) }
    let next = Place(partition: rows.int4(0, 0), offset: rows.int8(0, 1))
    return ((0..<rows.count).filter { !rows.isNull($0, 2) }.map { letter(rows, $0, from: 2) }, next)
  }

  // MARK: - Bytes

  /// What is kept of a record.
  public struct Content: Sendable, Equatable {
    public var key: [UInt8]?
    /// nil: a tombstone, or not known.
    public var value: [UInt8]?
    public var headers: [Record.Header]
    /// False where the record is not known, or not all of its value.
    public var isWhole: Bool
  }

  /// The bytes of the records that the letters are of, in two statements; of what was dropped meanwhile there are none.
  public static func contents(
    of letters: [DeadLetter], on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [DeadLetter.RecordKey: Content] {
    let rows = try db.query(Queries.named("dlq_contents"), parameters(letters.map(\.record)))
    var contents: [DeadLetter.RecordKey: Content] = [:]
    for row in 0..<rows.count {
      let letter = letters[rows.position(row)]
      let key = rows.isNull(row, 1) ? nil : Array(rows.bytes(row, 1))
      let value = rows.isNull(row, 3) ? nil : Array(rows.bytes(row, 3))
      contents[letter.record] = Content(key: key, value: value, headers: RecordHeaders.parse(rows.text(row, 2)), isWhole: false)
    }
    let long = letters.filter { $0.valueBytes > IngestWrites.pieceBytes && contents[$0.record]?.value == nil }
    if !long.isEmpty {
      let pieces = try db.query(Queries.named("dlq_pieces"), Array(parameters(long.map(\.record)).prefix(3)))
      for letter in long { contents[letter.record]?.value = [] }
      for row in 0..<pieces.count { contents[long[pieces.position(row)].record]?.value?.append(contentsOf: pieces.bytes(row, 1)) }
    }
    for letter in letters {
      guard let content = contents[letter.record] else { continue }
      // Nothing at all is what is left of a record that Kafka did not hand over, or that no database takes.
      let isKnown = content.value != nil || content.key != nil || !content.headers.isEmpty
      contents[letter.record]?.isWhole =
        isKnown && letter.reason != Rejection.Reason.truncated.rawValue && Int64(content.value?.count ?? 0) == letter.valueBytes
    }
    return contents
  }

  /// Whether the record has a letter, with these bytes and what is wrong with it.
  public static func isKnown(_ letter: NormalisedRecord, on db: isolated PostgresConnection) throws(PostgresFault) -> Bool {
    let record = letter.record
    let details = letter.elements.compactMap { if case .rejected(let rejection) = $0 { rejection.detail } else { nil } }
    let value = record.value.flatMap { $0.count > IngestWrites.pieceBytes ? nil : $0 }
    return try db.query(
      Queries.named("dead_letter_known"),
      [
        .text(record.topic), .int4(record.partition), .int8(record.offset), .int8(Int64(record.value?.count ?? 0)),
        .bytea(record.key), .bytea(value), .texts(details),
      ]
    ).bool(0, 0)
  }

  // MARK: - Doing

  /// After the broker acknowledged the records of these letters: their siblings were published with them.
  public static func markReplayed(
    _ records: [DeadLetter.RecordKey], on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    guard !records.isEmpty else { return }
    try db.send(Queries.named("dlq_replayed"), parameters(records))
  }

  /// Deletes letters for ever, with their bytes and what was not published of them yet; returns how many there were. The value of a record
  /// stays for as long as one of its letters does.
  public static func drop(_ ids: [ID], on db: isolated PostgresConnection) throws(PostgresFault) -> Int {
    try db.transaction(settings: ["lock_timeout = '30s'"]) { () throws(PostgresFault) -> Int in
      let ids = PostgresParameter.ids(ids)
      try db.send(Queries.named("dlq_lock"), [ids])
      try db.send(Queries.named("dlq_bequeath"), [ids])
      try db.send(Queries.named("dlq_unpublish"), [ids])
      let gone = try db.query(Queries.named("dlq_delete"), [ids])
      let long = (0..<gone.count).filter { gone.int8($0, 4) > IngestWrites.pieceBytes }.map { row in
        DeadLetter.RecordKey(
          topic: gone.text(row, 0), partition: gone.int4(row, 1), offset: gone.int8(row, 2), createdAt: gone.timestamp(row, 3))
      }
      if !long.isEmpty { try db.send(Queries.named("dlq_pieces_delete"), parameters(long)) }
      return gone.count
    }
  }

  private static func parameters(_ records: [DeadLetter.RecordKey]) -> [PostgresParameter] {
    [
      .texts(records.map(\.topic)), .int4s(records.map(\.partition)), .int8s(records.map(\.offset)),
      .times(records.map(\.createdAt)),
    ]
  }

  private static func letter(_ rows: borrowing PostgresResult, _ row: Int, from column: Int = 0) -> DeadLetter {
    DeadLetter(
      id: rows.uuid(row, column).id, tenant: rows.text(row, column + 1), topic: rows.text(row, column + 2),
      partition: rows.int4(row, column + 3), offset: rows.int8(row, column + 4),
      element: rows.isNull(row, column + 5) ? nil : rows.int4(row, column + 5), reason: rows.text(row, column + 6),
      detail: rows.text(row, column + 7), attempt: rows.int4(row, column + 8), valueBytes: rows.int8(row, column + 9),
      createdAt: rows.timestamp(row, column + 10), replayedAt: rows.optionalTimestamp(row, column + 11))
  }
}
