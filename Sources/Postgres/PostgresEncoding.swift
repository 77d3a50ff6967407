/// Appends values in PostgreSQL's binary format; parameters, arrays and COPY share it.
public struct PostgresEncoder: Sendable {
  public internal(set) var bytes: [UInt8] = []

  public init() {}

  mutating func raw<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  /// The length of a value; that of NULL is -1.
  private mutating func length(_ count: Int?) { raw(Int32(truncatingIfNeeded: count ?? -1)) }

  private mutating func number(_ number: (some FixedWidthInteger)?, _ size: Int) {
    length(number == nil ? nil : size)
    if let number { raw(number) }
  }

  public mutating func text(_ text: String?) {
    length(text?.utf8.count)
    if let text { bytes.append(contentsOf: text.utf8) }
  }
  public mutating func bytea(_ data: [UInt8]?) {
    length(data?.count)
    if let data { bytes.append(contentsOf: data) }
  }
  public mutating func int2(_ value: Int16?) { number(value, 2) }
  public mutating func int4(_ value: Int32?) { number(value, 4) }
  public mutating func int8(_ value: Int64?) { number(value, 8) }
  public mutating func bool(_ flag: Bool?) { number(flag.map { $0 ? 1 as UInt8 : 0 }, 1) }
  public mutating func uuid(_ id: PostgresUUID?) {
    length(id == nil ? nil : 16)
    guard let id else { return }
    raw(id.high)
    raw(id.low)
  }
  /// `timestamptz` from microseconds since 1970.
  public mutating func timestamp(_ microseconds: Int64?) { number(microseconds.map { $0 &- PostgresEpoch.microseconds }, 8) }
  /// `jsonb` from JSON text.
  public mutating func jsonb(_ utf8: [UInt8]?) {
    length(utf8.map { $0.count + 1 })
    guard let utf8 else { return }
    bytes.append(1)
    bytes.append(contentsOf: utf8)
  }
  /// `tid` from what `PostgresResult.place` gives.
  mutating func place(_ place: UInt64) {
    length(6)
    raw(UInt32(truncatingIfNeeded: place >> 16))
    raw(UInt16(truncatingIfNeeded: place))
  }
  public mutating func texts(_ values: [String]?) { array(25, values) { $0.text($1) } }
  public mutating func byteas(_ values: [[UInt8]]?) { array(17, values) { $0.bytea($1) } }

  private mutating func array<Element>(
    _ elementType: UInt32, _ values: [Element]?, _ write: (inout PostgresEncoder, Element) -> Void
  ) {
    guard let values else { return length(nil) }
    let start = bytes.count
    raw(Int32(0))
    elements(elementType, values, write)
    withUnsafeBytes(of: Int32(truncatingIfNeeded: bytes.count - start - 4).bigEndian) {
      bytes.replaceSubrange(start..<start + 4, with: $0)
    }
  }

  /// `array_recv` in PostgreSQL's `arrayfuncs.c`: dimensions, has-null flag, element type, length, lower bound, elements.
  fileprivate mutating func elements<Element>(
    _ elementType: UInt32, _ values: [Element], _ write: (inout PostgresEncoder, Element) -> Void
  ) {
    raw(Int32(values.isEmpty ? 0 : 1))
    raw(Int32(1))
    raw(elementType)
    if !values.isEmpty {
      raw(Int32(values.count))
      raw(Int32(1))
    }
    for value in values { write(&self, value) }
  }
}

/// A statement parameter in binary format. The SQL casts each one (`$1::text[]`), so its type is never guessed.
public struct PostgresParameter: Sendable {
  /// nil is NULL.
  let bytes: [UInt8]?

  /// The length in front belongs to arrays and COPY; a parameter's travels beside it.
  private init(_ isNull: Bool, _ write: (inout PostgresEncoder) -> Void) {
    var encoder = PostgresEncoder()
    write(&encoder)
    bytes = isNull ? nil : Array(encoder.bytes.dropFirst(4))
  }

  public static func text(_ value: String?) -> Self { Self(value == nil) { $0.text(value) } }
  public static func int2(_ value: Int16?) -> Self { Self(value == nil) { $0.int2(value) } }
  public static func int4(_ value: Int32?) -> Self { Self(value == nil) { $0.int4(value) } }
  public static func int8(_ value: Int64?) -> Self { Self(value == nil) { $0.int8(value) } }
  public static func bool(_ value: Bool?) -> Self { Self(value == nil) { $0.bool(value) } }
  public static func uuid(_ value: PostgresUUID?) -> Self { Self(value == nil) { $0.uuid(value) } }
  public static func timestamp(microseconds value: Int64?) -> Self { Self(value == nil) { $0.timestamp(value) } }
  public static func bytea(_ value: [UInt8]?) -> Self { Self(value == nil) { $0.bytea(value) } }

  public static func texts(_ values: [String?]) -> Self { Self(25, values) { $0.text($1) } }
  public static func texts(_ values: [String]) -> Self { Self(25, values) { $0.text($1) } }
  public static func int2s(_ values: [Int16]) -> Self { Self(21, values) { $0.int2($1) } }
  public static func int4s(_ values: [Int32]) -> Self { Self(23, values) { $0.int4($1) } }
  public static func int8s(_ values: [Int64]) -> Self { Self(20, values) { $0.int8($1) } }
  public static func bools(_ values: [Bool]) -> Self { Self(16, values) { $0.bool($1) } }
  public static func byteas(_ values: [[UInt8]?]) -> Self { Self(17, values) { $0.bytea($1) } }
  public static func places(_ values: [UInt64]) -> Self { Self(27, values) { $0.place($1) } }
  public static func uuids(_ values: [PostgresUUID]) -> Self { Self(2950, values) { $0.uuid($1) } }
  public static func optionalUUIDs(_ values: [PostgresUUID?]) -> Self { Self(2950, values) { $0.uuid($1) } }
  public static func timestamps(microseconds values: [Int64?]) -> Self { Self(1184, values) { $0.timestamp($1) } }

  private init<Element>(_ elementType: UInt32, _ values: [Element], _ write: (inout PostgresEncoder, Element) -> Void) {
    var encoder = PostgresEncoder()
    encoder.bytes.reserveCapacity(20 + 24 * values.count)
    encoder.elements(elementType, values, write)
    bytes = encoder.bytes
  }
}

/// Rows for `COPY … FROM STDIN (FORMAT binary)`.
public struct CopyRows: Sendable {
  public private(set) var count = 0
  var encoder = PostgresEncoder()
  private let columns: Int16

  /// - Parameter columns: how many values each row appends.
  public init(columns: Int) {
    self.columns = Int16(columns)
    // The signature, no flags, no header extension.
    encoder.bytes = Array("PGCOPY\n".utf8) + [0xff] + Array("\r\n".utf8) + [0] + [UInt8](repeating: 0, count: 8)
  }

  public mutating func row(_ write: (inout PostgresEncoder) -> Void) {
    encoder.raw(columns)
    write(&encoder)
    count += 1
  }
}
