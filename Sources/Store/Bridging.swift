import Canonical
import Engine
import Postgres

extension PostgresUUID {
  init(_ raw: Bytes16) { self.init(high: raw.high, low: raw.low) }
  init(_ id: ID) { self.init(id.raw) }
  var id: ID { ID(Bytes16(high: high, low: low)) }
}

extension Timestamp {
  /// Microseconds, clamped to what every reader can hold.
  var stored: Int64 { min(max(self, Self.storable.lowerBound), Self.storable.upperBound).microseconds }
}

extension Dictionary where Key: Comparable {
  /// In the order of the keys, the same in every process. Places are sorted, since rows are long.
  var inKeyOrder: [Element] {
    let rows = Array(self)
    let keys = rows.map(\.key)
    return keys.indices.sorted { keys[$0] < keys[$1] }.map { rows[$0] }
  }
}

extension PostgresResult {
  func timestamp(_ row: Int, _ column: Int) -> Timestamp { Timestamp(microseconds: microseconds(row, column)) }
  func optionalTimestamp(_ row: Int, _ column: Int) -> Timestamp? {
    optionalMicroseconds(row, column).map(Timestamp.init(microseconds:))
  }
  /// Of a row that begins with a tenant and an id.
  func key(_ row: Int) -> InTenant<ID> { InTenant(text(row, 0), uuid(row, 1).id) }
  /// Positions count from 1 in SQL.
  func position(_ row: Int) -> Int { Int(int8(row, 0)) - 1 }
}

extension PostgresParameter {
  static func ids(_ values: [ID]) -> Self { uuids(values.map { PostgresUUID($0) }) }
  static func optionalIDs(_ values: [ID?]) -> Self { optionalUUIDs(values.map { $0.map { PostgresUUID($0) } }) }
  /// What tells identities apart, as statements of them begin.
  static func identities(_ keys: [InTenant<Identifier>]) -> [Self] {
    [
      texts(keys.map(\.tenant)), texts(keys.map(\.value.kind.rawValue)), texts(keys.map(\.value.scope)),
      texts(keys.map(\.value.value)),
    ]
  }
  static func times(_ values: [Timestamp?]) -> Self { timestamps(microseconds: values.map { $0?.stored }) }
}
