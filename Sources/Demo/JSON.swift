/// A JSON value, read without the libraries of the core: the sample day stands outside of the workers.
enum JSON: Sendable, Equatable {
  case object([String: JSON])
  case array([JSON])
  case string(String)
  /// As it is written.
  case number(String)
  case bool(Bool)
  case null

  subscript(_ name: String) -> JSON? { if case .object(let members) = self { members[name] } else { nil } }
  var string: String? { if case .string(let text) = self { text } else { nil } }
  var int: Int64? { if case .number(let digits) = self { Int64(digits) } else { nil } }

  /// Nil for what is no JSON document, or nested deeper than 32.
  init?(_ utf8: [UInt8]) {
    var reader = Reader(rest: utf8[...])
    guard let value = reader.value(depth: 32), reader.isAtEnd else { return nil }
    self = value
  }

  private struct Reader {
    var rest: ArraySlice<UInt8>

    var isAtEnd: Bool {
      mutating get {
        skipBlanks()
        return rest.isEmpty
      }
    }

    private mutating func skipBlanks() { rest = rest.drop { $0 == 0x20 || $0 == 0x0a || $0 == 0x0d || $0 == 0x09 } }

    private mutating func take(_ word: String) -> Bool {
      skipBlanks()
      guard rest.starts(with: word.utf8) else { return false }
      rest = rest.dropFirst(word.utf8.count)
      return true
    }

    mutating func value(depth: Int) -> JSON? {
      guard depth > 0 else { return nil }
      if take("{") { return members(depth: depth - 1) }
      if take("[") { return elements(depth: depth - 1) }
      if take("\"") { return text().map { .string($0) } }
      if take("true") { return .bool(true) }
      if take("false") { return .bool(false) }
      if take("null") { return .null }
      let digits = rest.prefix { "+-.eE0123456789".utf8.contains($0) }
      guard !digits.isEmpty else { return nil }
      rest = rest[digits.endIndex...]
      return .number(String(decoding: digits, as: UTF8.self))
    }

    private mutating func members(depth: Int) -> JSON? {
      var members: [String: JSON] = [:]
      if take("}") { return .object(members) }
      repeat {
        guard take("\""), let name = text(), take(":"), let value = value(depth: depth) else { return nil }
        members[name] = value
      } while take(",")
      return take("}") ? .object(members) : nil
    }

    private mutating func elements(depth: Int) -> JSON? {
      var elements: [JSON] = []
      if take("]") { return .array(elements) }
      repeat {
        guard let value = value(depth: depth) else { return nil }
        elements.append(value)
      } while take(",")
      return take("]") ? .array(elements) : nil
    }

    /// After the opening quote.
    private mutating func text() -> String? {
      var bytes: [UInt8] = []
      while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "\"") { return String(validating: bytes, as: UTF8.self) }
        guard byte == UInt8(ascii: "\\") else {
          bytes.append(byte)
          continue
        }
        guard let escape = rest.popFirst() else { return nil }
        switch escape {
        case UInt8(ascii: "n"): bytes.append(0x0a)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "r"): bytes.append(0x0d)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0c)
        case UInt8(ascii: "u"):
          guard let scalar = scalar() else { return nil }
          bytes += Array(String(scalar).utf8)
        default: bytes.append(escape)
        }
      }
      return nil
    }

    /// After `\u`; of a pair of surrogates both.
    private mutating func scalar() -> UnicodeScalar? {
      guard let high = unit() else { return nil }
      guard (0xd800..<0xdc00).contains(high) else { return UnicodeScalar(high) }
      guard rest.starts(with: "\\u".utf8) else { return nil }
      rest = rest.dropFirst(2)
      guard let low = unit(), (0xdc00..<0xe000).contains(low) else { return nil }
      return UnicodeScalar(0x10000 + (high - 0xd800) << 10 + (low - 0xdc00))
    }

    private mutating func unit() -> UInt32? {
      let digits = rest.prefix(4)
      rest = rest.dropFirst(4)
      return digits.count == 4 ? UInt32(String(decoding: digits, as: UTF8.self), radix: 16) : nil
    }
  }
}
