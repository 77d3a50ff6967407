import Postgres

/// A partition that this worker holds: what it may commit under, and where it goes on.
public struct OffsetClaim: Sendable, Hashable {
  public var topic: String
  public var partition: Int32
  /// Grows with every claim; who commits under an older one is fenced.
  public var epoch: Int64
  /// The first record that is not stored yet; nil where nothing was stored so far.
  public var nextOffset: Int64?
  /// How many owners in a row had ended without handing it back, at the offset that was stored when it was claimed.
  public var crashCount: Int32 = 0

  public var key: TopicAndPartition { TopicAndPartition(topic, partition) }
}

/// The claim table of one consumer group: operations.md, recipe steps 1, 3 and 4.
public struct OffsetClaims: Sendable {
  public let group: String
  public let owner: String

  public init(group: String, owner: String) {
    self.group = group
    self.owner = owner
  }

  /// Takes the partitions: from now on nobody else can commit them. Waits for a commit under way, and ends the backend that the
  /// rows name where that takes longer than `patience` (its process may be stopped, with the lock in its hand).
  public func claim(
    _ partitions: [(topic: String, partition: Int32)], patienceMilliseconds: Int, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [OffsetClaim] {
    let rows = partitions.sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
    let keys: [PostgresParameter] = [.text(group), .texts(rows.map(\.topic)), .int4s(rows.map(\.partition))]
    func attempt() throws(PostgresFault) -> [OffsetClaim] {
      try db.transaction(settings: [
        "lock_timeout = \(patienceMilliseconds)", "idle_in_transaction_session_timeout = \(patienceMilliseconds)",
      ]) {
        () throws(PostgresFault) in
        // Waits as well, where somebody is just changing the row.
        try db.send(Queries.named("offsets_create"), keys)
        try db.send(Queries.named("offsets_lock"), keys)
        let result = try db.query(Queries.named("offsets_claim"), keys + [.text(owner)])
        return (0..<result.count).map {
          OffsetClaim(
            topic: result.text($0, 0), partition: result.int4($0, 1), epoch: result.int8($0, 2),
            nextOffset: result.optionalInt8($0, 3), crashCount: result.int4($0, 4))
        }
      }
    }
    do {
      return try attempt()
    } catch  where error.sqlState == "55P03" {
      try db.send(Queries.named("offsets_terminate_holders"), keys)
      return try attempt()
    }
  }

  /// The fence: locks the rows that still carry our epochs and returns their stored offsets. A claim that is missing in the answer
  /// is lost.
  public func lock(_ claims: [OffsetClaim], on db: isolated PostgresConnection) throws(PostgresFault) -> [OffsetClaim] {
    let result = try db.query(Queries.named("claims_lock"), keys(claims))
    let held = Dictionary(claims.map { ($0.key, $0) }) { $1 }
    return (0..<result.count).compactMap { row in
      var claim = held[TopicAndPartition(result.text(row, 0), result.int4(row, 1))]
      claim?.nextOffset = result.optionalInt8(row, 2)
      return claim
    }
  }

  /// After a reconnection, names the new backend in the rows of this worker.
  public func adopt(on db: isolated PostgresConnection) throws(PostgresFault) {
    // Waited for: who has not adopted them tries again.
    _ = try db.query(Queries.named("claims_adopt"), [.text(group), .text(owner)])
  }

  /// Says that the record at `offset` is read alone from now on, until the offset advances or the claim is handed back.
  ///
  /// How many such readings of it nobody came back from; nil when the claim is lost.
  public func probe(_ claim: OffsetClaim, offset: Int64, on db: isolated PostgresConnection) throws(PostgresFault) -> Int32? {
    let result = try db.query(Queries.named("claims_probe"), keys([claim]) + [.int8(offset)])
    return result.count == 0 ? nil : result.int4(0, 0)
  }

  /// Nothing ends workers at these claims' offsets.
  public func acquit(_ claims: [OffsetClaim], on db: isolated PostgresConnection) throws(PostgresFault) {
    try db.send(Queries.named("claims_acquit"), keys(claims))
  }

  /// Hands the claims back.
  public func release(_ claims: [OffsetClaim], on db: isolated PostgresConnection) throws(PostgresFault) {
    try db.send(Queries.named("claims_release"), keys(claims))
  }

  /// Hands back all that this owner has, also claims whose answer nobody waits for any more.
  public func releaseAll(on db: isolated PostgresConnection) throws(PostgresFault) {
    try db.send(Queries.named("claims_release_all"), [.text(group), .text(owner)])
  }

  /// Stores where to go on. Only under `lock`, in the same transaction.
  public func advance(
    _ offsets: [(topic: String, partition: Int32, next: Int64)], on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    try db.send(
      Queries.named("offsets_advance"),
      [
        .text(group), .texts(offsets.map(\.topic)), .int4s(offsets.map(\.partition)), .int8s(offsets.map(\.next)),
      ])
  }

  private func keys(_ claims: [OffsetClaim]) -> [PostgresParameter] {
    let claims = claims.sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
    return [.text(group), .texts(claims.map(\.topic)), .int4s(claims.map(\.partition)), .int8s(claims.map(\.epoch))]
  }
}

/// A partition as a key of tables in memory.
public struct TopicAndPartition: Hashable, Sendable {
  public var topic: String
  public var partition: Int32
  public init(_ topic: String, _ partition: Int32) {
    self.topic = topic
    self.partition = partition
  }
}
