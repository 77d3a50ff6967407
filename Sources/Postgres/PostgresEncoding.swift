/// Appends values in PostgreSQL's binary format; parameters, arrays and COPY share it.
public struct PostgresEncoder: Sendable {
  public internal(set) var bytes: [UInt8] = []

  public init() {}

  mutating func raw<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  /// One value with its length in front, or NULL.
  mutating func value<V>(_ value: V?, _ write: (inout PostgresEncoder, V) -> Void) {
    guard let value else { return raw(Int32(-1)) }
    let start = bytes.count
    raw(Int32(0))
    write(&self, value)
    let length = Int32(truncatingIfNeeded: bytes.count - start - 4)
    withUnsafeBytes(of: length.bigEndian) { bytes.replaceSubrange(start..<start + 4, with: $0) }
  }

  public mutating func text(_ text: String?) { value(text) { $0.bytes.append(contentsOf: $1.utf8) } }
  public mutating func bytea(_ data: [UInt8]?) { value(data) { $0.bytes.append(contentsOf: $1) } }
  public mutating func int2(_ number: Int16?) { value(number) { $0.raw($1) } }
  public mutating func int4(_ number: Int32?) { value(number) { $0.raw($1) } }
  public mutating func int8(_ number: Int64?) { value(number) { $0.raw($1) } }
  public mutating func bool(_ flag: Bool?) { value(flag) { $0.bytes.append($1 ? 1 : 0) } }
  public mutating func uuid(_ id: PostgresUUID?) {
    value(id) {
      $0.raw($1.high)
      $0.raw($1.low)
    }
  }
  /// `timestamptz` from microseconds since 1970.
  public mutating func timestamp(_ microseconds: Int64?) { value(microseconds) { $0.raw($1 &- PostgresEpoch.microseconds) } }
  /// `jsonb` from JSON text.
  public mutating func jsonb(_ utf8: [UInt8]?) {
    value(utf8) {
      $0.bytes.append(1)
      $0.bytes.append(contentsOf: $1)
    }
  }
}

/// A statement parameter in binary format. The SQL casts each one (`$1::text[]`), so its type is never guessed.
public struct PostgresParameter: Sendable {
  /// nil is NULL.
  let bytes: [UInt8]?

  private init(_ write: (inout PostgresEncoder) -> Void) {
    var encoder = PostgresEncoder()
    write(&encoder)
    // The length in front belongs to arrays and COPY; a parameter's travels beside it.
    bytes = encoder.bytes.starts(with: [0xff, 0xff, 0xff, 0xff]) ? nil : Array(encoder.bytes.dropFirst(4))
  }

  public static func text(_ value: String?) -> Self { Self { $0.text(value) } }
  public static func int2(_ value: Int16?) -> Self { Self { $0.int2(value) } }
  public static func int4(_ value: Int32?) -> Self { Self { $0.int4(value) } }
  public static func int8(_ value: Int64?) -> Self { Self { $0.int8(value) } }
  public static func bool(_ value: Bool?) -> Self { Self { $0.bool(value) } }
  public static func uuid(_ value: PostgresUUID?) -> Self { Self { $0.uuid(value) } }
  public static func timestamp(microseconds value: Int64?) -> Self { Self { $0.timestamp(value) } }
  public static func bytea(_ value: [UInt8]?) -> Self { Self { $0.bytea(value) } }

  public static func texts(_ values: some Collection<String?>) -> Self { array(25, values) { $0.text($1) } }
  public static func texts(_ values: some Collection<String>) -> Self { array(25, values) { $0.text($1) } }
  public static func int2s(_ values: some Collection<Int16>) -> Self { array(21, values) { $0.int2($1) } }
  public static func int4s(_ values: some Collection<Int32>) -> Self { array(23, values) { $0.int4($1) } }
  public static func int8s(_ values: some Collection<Int64>) -> Self { array(20, values) { $0.int8($1) } }
  public static func bools(_ values: some Collection<Bool>) -> Self { array(16, values) { $0.bool($1) } }
  public static func byteas(_ values: some Collection<[UInt8]?>) -> Self { array(17, values) { $0.bytea($1) } }
  public static func uuids(_ values: some Collection<PostgresUUID>) -> Self { array(2950, values) { $0.uuid($1) } }
  public static func optionalUUIDs(_ values: some Collection<PostgresUUID?>) -> Self { array(2950, values) { $0.uuid($1) } }
  public static func timestamps(microseconds values: some Collection<Int64?>) -> Self { array(1184, values) { $0.timestamp($1) } }

  /// `array_recv` in PostgreSQL's `arrayfuncs.c`: dimensions, has-null flag, element type, length, lower bound, elements.
  private static func array<C: Collection>(
    _ elementType: UInt32, _ values: C, _ write: (inout PostgresEncoder, C.Element) -> Void
  ) -> Self {
    Self { encoder in
      encoder.value(values) { encoder, values in
        encoder.raw(Int32(values.isEmpty ? 0 : 1))
        encoder.raw(Int32(1))
        encoder.raw(elementType)
        guard !values.isEmpty else { return }
        encoder.raw(Int32(values.count))
        encoder.raw(Int32(1))
        for value in values { write(&encoder, value) }
      }
    }
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
