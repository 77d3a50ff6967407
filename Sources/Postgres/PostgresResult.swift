import CPostgres

/// The rows of one statement in binary format; owns the `PGresult`.
///
/// Accessors read the column as the type they name and trap on a column that does not exist: both are fixed by our own SQL.
public struct PostgresResult: ~Copyable {
  let raw: OpaquePointer

  init(_ raw: OpaquePointer) { self.raw = raw }
  deinit { PQclear(raw) }

  public var count: Int { Int(PQntuples(raw)) }

  /// Rows inserted, updated, deleted or copied.
  public var affected: Int { Int(String(cString: PQcmdTuples(raw))) ?? 0 }

  public func isNull(_ row: Int, _ column: Int) -> Bool { PQgetisnull(raw, Int32(row), Int32(column)) != 0 }

  public func bytes(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: PQgetvalue(raw, Int32(row), Int32(column)), count: Int(PQgetlength(raw, Int32(row), Int32(column))))
  }

  public func text(_ row: Int, _ column: Int) -> String { String(decoding: bytes(row, column), as: UTF8.self) }
  public func optionalText(_ row: Int, _ column: Int) -> String? { isNull(row, column) ? nil : text(row, column) }
  public func bool(_ row: Int, _ column: Int) -> Bool { bytes(row, column)[0] != 0 }
  public func int2(_ row: Int, _ column: Int) -> Int16 { Int16(truncatingIfNeeded: integer(row, column, 2)) }
  public func int4(_ row: Int, _ column: Int) -> Int32 { Int32(truncatingIfNeeded: integer(row, column, 4)) }
  public func int8(_ row: Int, _ column: Int) -> Int64 { Int64(bitPattern: integer(row, column, 8)) }
  public func optionalInt8(_ row: Int, _ column: Int) -> Int64? { isNull(row, column) ? nil : int8(row, column) }
  public func uuid(_ row: Int, _ column: Int) -> PostgresUUID {
    let bytes = bytes(row, column)
    precondition(bytes.count == 16)
    return PostgresUUID(
      high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
      low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }
  public func optionalUUID(_ row: Int, _ column: Int) -> PostgresUUID? { isNull(row, column) ? nil : uuid(row, column) }

  /// `tid`, where a row version is: block and position, of 32 and 16 bits.
  public func place(_ row: Int, _ column: Int) -> UInt64 { integer(row, column, 6) }

  /// `timestamptz` in microseconds since 1970.
  public func microseconds(_ row: Int, _ column: Int) -> Int64 { int8(row, column) &+ PostgresEpoch.microseconds }
  public func optionalMicroseconds(_ row: Int, _ column: Int) -> Int64? {
    isNull(row, column) ? nil : microseconds(row, column)
  }

  public func texts(_ row: Int, _ column: Int) -> [String] {
    elements(row, column) { String(decoding: $0, as: UTF8.self) }
  }
  public func byteas(_ row: Int, _ column: Int) -> [[UInt8]] { elements(row, column) { Array($0) } }

  /// The elements of an array of one dimension (`array_send` in PostgreSQL's `arrayfuncs.c`), without its NULLs; NULL is an empty one.
  public func elements<Element>(
    _ row: Int, _ column: Int, _ read: (UnsafeRawBufferPointer) -> Element
  ) -> [Element] {
    let bytes = bytes(row, column)
    func int4(_ at: Int) -> Int { Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int32.self))) }
    // Dimensions, flags and type, then length and lower bound of the one dimension.
    guard bytes.count >= 20, int4(0) == 1 else { return [] }
    var at = 20
    return (0..<int4(12)).compactMap { _ in
      let length = int4(at)
      at += 4
      guard length >= 0 else { return nil }
      defer { at += length }
      return read(UnsafeRawBufferPointer(rebasing: bytes[at..<(at + length)]))
    }
  }

  private func integer(_ row: Int, _ column: Int, _ size: Int) -> UInt64 {
    let bytes = bytes(row, column)
    precondition(bytes.count == size, "column \(column) is not of \(size) bytes")
    return bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// The 16 bytes of a `uuid`, big-endian.
public struct PostgresUUID: Hashable, Sendable {
  public var high: UInt64
  public var low: UInt64
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }
}

enum PostgresEpoch {
  /// 2000-01-01T00:00:00Z, where PostgreSQL counts from.
  static let microseconds: Int64 = 946_684_800_000_000
}
