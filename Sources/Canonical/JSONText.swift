/// UTF-8 JSON text of one value. Empty stands for "nothing said".
public struct JSONText: Sendable, Hashable {
  public var utf8: [UInt8]
  public init(utf8: [UInt8] = []) { self.utf8 = utf8 }
  public var isEmpty: Bool { utf8.isEmpty }
  public var string: String { String(decoding: utf8, as: UTF8.self) }

  public static let null = JSONText(utf8: Array("null".utf8))

  /// An array of these values.
  public init(array items: [JSONText]) {
    self.init(utf8: [UInt8(ascii: "[")] + items.map(\.utf8).joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")])
  }
}

extension Attachment {
  /// As `schemas/canonical/event.json` has it.
  public var json: JSONText {
    var writer = JSONObjectWriter()
    writer.member("kind", kind)
    writer.member("name", name)
    writer.member("type", type)
    writer.member("size_bytes", sizeBytes)
    writer.member("provider_id", providerID)
    writer.member("url", url)
    return writer.finish()
  }
}

extension Identifier {
  /// As `schemas/canonical/event.json` has it.
  public var json: JSONText {
    var writer = JSONObjectWriter()
    writer.members(of: self)
    return writer.finish()
  }
}

extension StatedIdentifier {
  /// As `schemas/canonical/event.json` has it.
  public var json: JSONText {
    var writer = JSONObjectWriter()
    writer.members(of: identifier)
    writer.member("assurance", assurance.label)
    return writer.finish()
  }
}

extension JSONObjectWriter {
  fileprivate mutating func members(of identifier: Identifier) {
    member("kind", identifier.kind.rawValue)
    member("scope", identifier.scope)
    member("value", identifier.value)
  }
}

extension Order {
  /// `[{"title", "quantity"}]`.
  public var itemsJSON: JSONText {
    JSONText(
      array: items.map { item in
        var writer = JSONObjectWriter()
        writer.member("title", item.title)
        writer.member("quantity", item.quantity)
        return writer.finish()
      })
  }
}

/// Writes one JSON object, member after member, in the order of the calls.
///
/// Strings are escaped as RFC 8259 demands, so whatever is written parses; `JSONEncoder` costs twenty times as much for the few
/// members of an event.
public struct JSONObjectWriter: Sendable {
  private var utf8: [UInt8] = []

  /// - Parameter capacity: about how many bytes it will have.
  public init(capacity: Int = 64) {
    utf8.reserveCapacity(capacity)
    utf8.append(UInt8(ascii: "{"))
  }

  public mutating func member(_ name: String, _ value: String?) {
    guard let value else { return }
    key(name)
    Self.append(value, to: &utf8)
  }
  public mutating func member(_ name: String, _ value: Int64?) {
    guard let value else { return }
    key(name)
    utf8.append(contentsOf: String(value).utf8)
  }
  public mutating func member(_ name: String, _ value: Bool?) {
    guard let value else { return }
    key(name)
    utf8.append(contentsOf: (value ? "true" : "false").utf8)
  }
  public mutating func member(_ name: String, _ values: [String]) {
    key(name)
    utf8.append(UInt8(ascii: "["))
    for (position, value) in values.enumerated() {
      if position > 0 { utf8.append(UInt8(ascii: ",")) }
      Self.append(value, to: &utf8)
    }
    utf8.append(UInt8(ascii: "]"))
  }
  public mutating func member(_ name: String, _ id: ID?) {
    guard let id else { return }
    key(name)
    withUnsafeTemporaryAllocation(byteCount: ID.characters + 2, alignment: 1) { quoted in
      quoted.initializeMemory(as: UInt8.self, repeating: UInt8(ascii: "\""))
      id.write(to: UnsafeMutableRawBufferPointer(rebasing: quoted[1...ID.characters]))
      utf8.append(contentsOf: quoted)
    }
  }
  /// A value that already is JSON; nothing is written when it is empty.
  public mutating func member(_ name: String, _ value: JSONText) {
    guard !value.isEmpty else { return }
    key(name)
    utf8.append(contentsOf: value.utf8)
  }

  /// The finished object.
  public consuming func finish() -> JSONText {
    utf8.append(UInt8(ascii: "}"))
    return JSONText(utf8: utf8)
  }

  private mutating func key(_ name: String) {
    if utf8.count > 1 { utf8.append(UInt8(ascii: ",")) }
    Self.append(name, to: &utf8)
    utf8.append(UInt8(ascii: ":"))
  }

  static func append(_ text: String, to utf8: inout [UInt8]) {
    utf8.append(UInt8(ascii: "\""))
    var text = text
    text.withUTF8 { bytes in
      guard !isPlain(bytes) else { return utf8.append(contentsOf: bytes) }
      var start = 0
      for position in bytes.indices {
        let byte = bytes[position]
        guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
        utf8.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start..<position]))
        start = position + 1
        if byte < 0x20 {
          let digits = Array("0123456789abcdef".utf8)
          utf8 += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        } else {
          utf8 += [UInt8(ascii: "\\"), byte]
        }
      }
      utf8.append(contentsOf: UnsafeBufferPointer(rebasing: bytes[start...]))
    }
    utf8.append(UInt8(ascii: "\""))
  }

  /// Whether nothing has to be escaped, looked at eight bytes at a time: in `marks` the highest bit of each says whether it is a quote, a
  /// backslash or below a space.
  private static func isPlain(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    let (ones, high): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
    func marks(_ word: UInt64) -> UInt64 {
      let (quote, backslash) = (word ^ ones &* 0x22, word ^ ones &* 0x5c)
      return ((word &- ones &* 0x20) & ~word | (quote &- ones) & ~quote | (backslash &- ones) & ~backslash) & high
    }
    let raw = UnsafeRawBufferPointer(bytes)
    var position = 0
    while position + 8 <= raw.count {
      if marks(raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)) != 0 { return false }
      position += 8
    }
    return raw[position...].allSatisfy { $0 >= 0x20 && $0 != 0x22 && $0 != 0x5c }
  }
}
