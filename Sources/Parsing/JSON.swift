import CText

/// Why a body is no JSON document for us: a dead letter, never worth a retry. Carries simdjson's words, never content.
public enum JSONFault: Error, Equatable {
  case malformed(String)
  case invalidUTF8
  case tooLarge
  case tooDeep
  /// An object with too many keys.
  case tooManyKeys
  /// A key of too many bytes.
  case longKey
}

/// One reusable simdjson DOM parser; not Sendable, one per thread of work. It keeps the memory of the largest body it has seen.
public final class JSONParser {
  fileprivate let handle: OpaquePointer?
  fileprivate var generation: UInt32 = 0
  private let maximumBytes: Int

  /// `maximumDepth` counts objects and arrays inside one another, but for an empty one at the bottom; `maximumKeys` is of one object.
  ///
  /// Looking up a key goes through the object, so it is `maximumKeys` that keeps a body's cost linear. What simdjson takes is about
  /// fourteen times the body, whatever is in it.
  public init(maximumBytes: Int, maximumDepth: Int = 64, maximumKeys: Int = .max, maximumKeyBytes: Int = .max) {
    self.maximumBytes = max(0, maximumBytes)
    // A repaired body is longer than its original by two quotes around each integer of twenty characters or more.
    let (capacity, overflow) = self.maximumBytes.addingReportingOverflow(self.maximumBytes / 8)
    handle = ct_json_create(
      overflow ? Int.max : capacity, min(max(1, maximumDepth), 1_024) + 1, max(0, maximumKeys), max(0, maximumKeyBytes))
  }

  deinit { ct_json_destroy(handle) }

  /// Parses and hands out a view that is `absent` after the next parse.
  ///
  /// Bodies that simdjson refuses only for a number out of range or a lone surrogate are rewritten by `JSONRepair` and parsed again.
  public func parse(_ bytes: [UInt8]) throws(JSONFault) -> JSONValue {
    generation &+= 1
    guard bytes.count <= maximumBytes else { throw .tooLarge }
    var (outcome, words) = attempt(bytes)
    if outcome == CT_JSON_REPAIRABLE { (outcome, words) = attempt(JSONRepair.repaired(bytes)) }
    switch outcome {
    case CT_JSON_OK: return JSONValue(parser: self, index: ct_json_root(), generation: generation)
    case CT_JSON_INVALID_UTF8: throw .invalidUTF8
    case CT_JSON_TOO_LARGE: throw .tooLarge
    case CT_JSON_TOO_DEEP: throw .tooDeep
    case CT_JSON_TOO_MANY_KEYS: throw .tooManyKeys
    case CT_JSON_LONG_KEY: throw .longKey
    default: throw .malformed(words.map { String(cString: $0) } ?? "empty")
    }
  }

  /// The same, for a view that should not leave a scope.
  public func parse<R>(_ bytes: [UInt8], _ body: (JSONValue) throws(JSONFault) -> R) throws(JSONFault) -> R {
    try body(parse(bytes))
  }

  private func attempt(_ bytes: [UInt8]) -> (ct_json_outcome, UnsafePointer<CChar>?) {
    guard let handle else { return (CT_JSON_TOO_LARGE, nil) }
    return bytes.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress, !buffer.isEmpty else { return (CT_JSON_MALFORMED, nil) }
      var words: UnsafePointer<CChar>?
      let outcome = ct_json_parse(handle, start, buffer.count, &words)
      return (outcome, words)
    }
  }
}

/// A view of one JSON value inside its parser, which it keeps alive; `absent` where a key is missing and once the parser has parsed
/// something else. Strings taken out are copies. Not Sendable.
public struct JSONValue {
  fileprivate let parser: JSONParser?
  fileprivate let index: UInt32
  fileprivate let generation: UInt32

  /// What a missing key leads to.
  public static var absent: JSONValue { JSONValue(parser: nil, index: 0, generation: 0) }

  fileprivate var live: OpaquePointer? {
    guard let parser, parser.generation == generation else { return nil }
    return parser.handle
  }
  /// simdjson's letter for the kind, 0 when absent.
  private var kind: UInt8 {
    guard let live else { return 0 }
    return UInt8(truncatingIfNeeded: ct_json_kind(live, index))
  }

  /// The member's value; `absent` when this is no object or has no such key. The first of equal keys counts.
  public subscript(key: String) -> JSONValue {
    guard let live else { return .absent }
    var key = key
    let member = key.withUTF8 { utf8 in
      utf8.withMemoryRebound(to: CChar.self) { ct_json_member(live, index, $0.baseAddress, $0.count) }
    }
    return member == 0 ? .absent : JSONValue(parser: parser, index: member, generation: generation)
  }

  public var exists: Bool { kind != 0 }
  public var isNull: Bool { kind == UInt8(ascii: "n") }
  public var isObject: Bool { kind == UInt8(ascii: "{") }
  public var isArray: Bool { kind == UInt8(ascii: "[") }
  public var isString: Bool { kind == UInt8(ascii: "\"") }

  /// A JSON string's text, else nil.
  public var string: String? {
    guard let live, isString else { return nil }
    return String(slice: ct_json_string(live, index))
  }

  /// A JSON string's text of at most so many UTF-8 bytes, else nil; of a longer one nothing is copied.
  public func string(atMost byteCount: Int) -> String? {
    guard let live, isString else { return nil }
    let slice = ct_json_string(live, index)
    return slice.length <= byteCount ? String(slice: slice) : nil
  }

  /// The beginning of a JSON string, at most so many UTF-8 bytes and whole scalars; nil when this is no string.
  public func string(prefix byteCount: Int) -> String? {
    guard let live, isString else { return nil }
    let slice = ct_json_string(live, index)
    let bytes = UnsafeRawBufferPointer(start: slice.data, count: slice.length)
    var end = min(bytes.count, max(0, byteCount))
    while end > 0, end < bytes.count, bytes[end] & 0xC0 == 0x80 { end -= 1 }
    return String(decoding: bytes.prefix(end), as: UTF8.self)
  }

  /// An integer that fits, else nil.
  public var int64: Int64? {
    guard let live, kind == UInt8(ascii: "l") else { return nil }
    return ct_json_int64(live, index)
  }

  /// Any number as the nearest Double, else nil.
  public var double: Double? {
    guard let live else { return nil }
    switch kind {
    case UInt8(ascii: "l"): return Double(ct_json_int64(live, index))
    case UInt8(ascii: "u"): return Double(ct_json_uint64(live, index))
    case UInt8(ascii: "d"): return ct_json_double(live, index)
    default: return nil
    }
  }

  /// `true` or `false`, else nil.
  public var bool: Bool? {
    switch kind {
    case UInt8(ascii: "t"): true
    case UInt8(ascii: "f"): false
    default: nil
    }
  }

  /// An id: the string itself, or an integer's exact decimal digits.
  public var idString: String? {
    guard let live else { return nil }
    switch kind {
    case UInt8(ascii: "\""): return string
    case UInt8(ascii: "l"): return String(ct_json_int64(live, index))
    case UInt8(ascii: "u"): return String(ct_json_uint64(live, index))
    default: return nil
    }
  }

  /// An array's values; empty when this is no array.
  public var elements: JSONElements { JSONElements(cursor: JSONCursor(self, of: UInt8(ascii: "["))) }

  /// An object's members in the order of the text; empty when this is no object.
  public var members: JSONMembers { JSONMembers(cursor: JSONCursor(self, of: UInt8(ascii: "{"))) }

  /// Minified JSON text of this value, UTF-8; empty when absent.
  public var utf8: [UInt8] {
    guard let live else { return [] }
    let text = ct_json_text(live, index)
    return Array(UnsafeRawBufferPointer(start: text.data, count: text.length))
  }

  /// Walks the children of one container of the given kind.
  fileprivate struct JSONCursor {
    private let container: JSONValue
    private var index: UInt32 = 0
    private var end: UInt32 = 0

    init(_ container: JSONValue, of kind: UInt8) {
      self.container = container
      if let live = container.live, container.kind == kind { index = ct_json_first(live, container.index, &end) }
    }

    mutating func next() -> JSONValue? {
      guard index < end, let live = container.live else { return nil }
      defer { index = ct_json_after(live, index) }
      return JSONValue(parser: container.parser, index: index, generation: container.generation)
    }
  }
  public struct JSONElements: Sequence, IteratorProtocol {
    fileprivate var cursor: JSONCursor
    public mutating func next() -> JSONValue? { cursor.next() }
  }
  public struct JSONMembers: Sequence, IteratorProtocol {
    fileprivate var cursor: JSONCursor
    public mutating func next() -> (key: String, value: JSONValue)? {
      guard let key = cursor.next()?.string, let value = cursor.next() else { return nil }
      return (key, value)
    }
  }
}

extension String {
  fileprivate init(slice: ct_slice) {
    self.init(decoding: UnsafeRawBufferPointer(start: slice.data, count: slice.length), as: UTF8.self)
  }
}
