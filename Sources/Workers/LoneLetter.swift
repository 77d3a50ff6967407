import Canonical
import Engine
import Postgres
import Store

/// Dead letters of a record that nothing else is written of.
extension NormalisedRecord {
  /// A record of which nothing but its place is known, and why it can not be read.
  static func gap(_ topic: String, _ partition: Int32, _ offset: Int64, _ rejection: Rejection) -> NormalisedRecord {
    let record = Record(
      topic: topic, partition: partition, offset: offset, timestamp: nil, key: nil, headers: [], value: nil)
    return NormalisedRecord(record: record, tenant: "default", elements: [.rejected(rejection)])
  }

  /// Writes its letters, within a transaction, unless they are there: a reply or the report of an offset was lost, or another kind of
  /// worker has told of it.
  func bury(
    topicPrefix: String, milliseconds: UInt64, seed: UInt64, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    guard try !DeadLetters.isKnown(self, on: db) else { return }
    try IngestWrites.insertPieces(of: record, on: db)
    let ids = IDGenerator(milliseconds: milliseconds, seed: seed)
    let identity = IdentityPlan(records: [self], seenKeys: [], facts: .init(), policy: Policy(), ids: ids)
    let plan = ThreadPlanner.plan(identity, facts: .init(), policy: Policy(), ids: ids)
    try IngestWrites.write(plan, identity: identity, topicPrefix: topicPrefix, on: db)
  }
}

extension Rejection {
  /// Kafka has the record and does not hand it over.
  static let unreadable = Rejection(.unreadable, "corrupt, or does not decompress")
}
