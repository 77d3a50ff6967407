import Canonical
import Postgres

/// A row of the outbox: what is deleted when the broker has all of it.
public struct OutboxRow: Hashable, Sendable {
  public var shard: Int16
  public var id: Int64
}

/// A record to publish. A class, because it goes through many hands.
public final class OutboxRecord: Sendable {
  public let row: OutboxRow
  /// Which of its row's, from 0.
  public let position: Int
  public let topic: String
  /// What it is about: with the topic, what its order is promised within.
  public let subject: String
  public let key: [UInt8]?
  public let value: [UInt8]?
  public let headers: [Record.Header]
  /// A dead letter, which stays in the database whether it is published or not.
  public let isLetter: Bool

  public init(
    row: OutboxRow, position: Int, topic: String, subject: String, key: [UInt8]?, value: [UInt8]?, headers: [Record.Header],
    isLetter: Bool = false
  ) {
    self.row = row
    self.position = position
    self.topic = topic
    self.subject = subject
    self.key = key
    self.value = value
    self.headers = headers
    self.isLetter = isLetter
  }

  /// What order is promised within.
  public var orderedBy: OutboxSubject { OutboxSubject(topic: topic, subject: subject) }
}

/// A subject on a topic.
public struct OutboxSubject: Hashable, Sendable {
  public var topic: String
  public var subject: String

  /// By the subject alone: few topics have the same one.
  public func hash(into hasher: inout Hasher) { hasher.combine(subject) }
}

/// The outbox as its publishers see it: leases on shards, and the oldest rows of the shards they hold.
public struct Outbox: Sendable {
  /// A letter with a longer value is published without it: with headers it would pass a broker's usual limit of 1 MB.
  static let maximumPublishedBytes: Int64 = 900_000
  static let maximumPublishedHeaderBytes = 60_000
  /// So that a round of nothing but long letters stays within the worker's memory.
  static let lettersPerShard: Int32 = 4

  /// For the whole session, beside `Queries.settings`: a backlog is read from its beginning and not sorted first, whatever the statistics
  /// say; and a deletion that a crash of the server undoes is an event published twice, which may be.
  public static let settings = ["enable_bitmapscan = off", "synchronous_commit = off"]

  public let owner: String
  public let leaseSeconds: Double

  public init(owner: String, leaseSeconds: Double) {
    self.owner = owner
    self.leaseSeconds = leaseSeconds
  }

  /// Renews what this publisher holds, within its fair share among those alive, and returns it.
  public func lease(on db: isolated PostgresConnection) throws(PostgresFault) -> [Int16] {
    try db.send(Queries.named("outbox_heartbeat"), [.text(owner), Self.float8(leaseSeconds)])
    let result = try db.query(Queries.named("outbox_lease"), [.text(owner), Self.float8(leaseSeconds)])
    return (0..<result.count).map { result.int2($0, 0) }
  }

  /// On shutdown: nobody has to wait for the lease to run out.
  public func release(on db: isolated PostgresConnection) throws(PostgresFault) {
    try db.send(Queries.named("outbox_release"), [.text(owner)])
  }

  /// Removes the pieces of long values whose dead letter was never committed, and parked events that have waited too long, a thousand
  /// at most; returns how many of these.
  public func sweep(on db: isolated PostgresConnection) throws(PostgresFault) -> Int64 {
    try db.send(Queries.named("dead_letter_pieces_sweep"))
    return try db.transaction { () throws(PostgresFault) -> Int64 in
      let expired = try db.query(Queries.named("parked_expired"), [])
      guard expired.count > 0 else { return 0 }
      let names = (0..<expired.count).compactMap { expired.optionalUUID($0, 0) }
      let ids = (0..<expired.count).map { expired.uuid($0, 1) }
      try db.send(Queries.named("names_lock"), [.uuids(names)])
      return try db.query(Queries.named("parked_sweep"), [.uuids(ids)]).int8(0, 0)
    }
  }

  /// What is in up to `limit` rows of each shard, oldest first: in order of `seq` within a subject and topic.
  ///
  /// - Parameters:
  ///   - rows: these are passed over.
  ///   - topics: these are passed over, whatever the row.
  /// - Returns: the records of each row.
  public func read(
    shards: [Int16], limit: Int, without rows: [OutboxRow] = [], topics: [String] = [], on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [[OutboxRecord]] {
    let found = try db.query(
      Queries.named("outbox_read"),
      [
        .int2s(shards), .int4(Int32(clamping: limit)), .int4(Self.lettersPerShard), .int8(Self.maximumPublishedBytes),
        .int8s(rows.map(\.id)), .texts(topics),
      ])
    let contentType = [Record.Header("content-type", Array("application/cloudevents+json".utf8))]
    return (0..<found.count).sorted { found.int8($0, 1) < found.int8($1, 1) }.map { index in
      guard found.isNull(index, 15) else { return [letter(found, index)] }
      let row = OutboxRow(shard: found.int2(index, 0), id: found.int8(index, 1))
      let topic = found.text(index, 2)
      return zip(found.texts(index, 3), found.byteas(index, 4)).enumerated().map { position, event in
        OutboxRecord(
          row: row, position: position, topic: topic, subject: event.0, key: Array(event.0.utf8), value: event.1,
          headers: contentType)
      }
    }
  }

  /// The original record, with where it came from and why it is here in headers of ours.
  private func letter(_ rows: borrowing PostgresResult, _ row: Int) -> OutboxRecord {
    let id = rows.uuid(row, 15).id
    let headerText = rows.text(row, 7)
    let key = rows.isNull(row, 5) ? nil : Array(rows.bytes(row, 5))
    let value = rows.isNull(row, 6) ? nil : Array(rows.bytes(row, 6))
    // A key and headers that are too long as well stay behind: the letter has them.
    let isLong = headerText.utf8.count + (key?.count ?? 0) > Self.maximumPublishedHeaderBytes
    var headers = isLong ? [] : RecordHeaders.parse(headerText)
    let isElsewhere = value == nil && rows.int8(row, 8) > 0
    var ours = [
      ("throughline_dead_letter_id", id.description), ("throughline_topic", rows.text(row, 9)),
      ("throughline_partition", String(rows.int4(row, 10))), ("throughline_offset", String(rows.int8(row, 11))),
      ("throughline_reason", rows.text(row, 13)), ("throughline_detail", rows.text(row, 14)),
    ]
    if !rows.isNull(row, 12) { ours.append(("throughline_element", String(rows.int4(row, 12)))) }
    // The value is in dead_letter or, above 1 MiB, in dead_letter_piece, by topic, partition and offset.
    if isElsewhere { ours.append(("throughline_value_bytes", String(rows.int8(row, 8)))) }
    headers += ours.map { Record.Header($0.0, Array($0.1.utf8)) }
    return OutboxRecord(
      row: OutboxRow(shard: rows.int2(row, 0), id: rows.int8(row, 1)), position: 0, topic: rows.text(row, 2),
      subject: id.description, key: isLong ? nil : key, value: value, headers: headers, isLetter: true)
  }

  /// How long the oldest event waits to be published, whoever publishes it.
  public func oldestAgeSeconds(on db: isolated PostgresConnection) throws(PostgresFault) -> Double {
    let result = try db.query(Queries.named("outbox_age"))
    return Double(bitPattern: UInt64(bitPattern: result.int8(0, 0)))
  }

  /// After the broker acknowledged all that is in them.
  public func delete(_ rows: Set<OutboxRow>, on db: isolated PostgresConnection) throws(PostgresFault) {
    guard !rows.isEmpty else { return }
    try db.send(Queries.named("outbox_delete"), [.int2s(rows.map(\.shard)), .int8s(rows.map(\.id))])
  }

  private static func float8(_ value: Double) -> PostgresParameter { .int8(Int64(bitPattern: value.bitPattern)) }
}
