extension UInt8 {
  var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }
  var isLowerOrDigit: Bool { isDigit || (self >= UInt8(ascii: "a") && self <= UInt8(ascii: "z")) }
  /// Space, tab, line feed or carriage return.
  var isBlank: Bool { self == 0x20 || (self >= 0x09 && self <= 0x0d) }

  fileprivate var hexValue: UInt8? {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  fileprivate var base64Value: UInt32? {
    switch self {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(self - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(self - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(self - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}

extension StringProtocol {
  /// Without ASCII white space at both ends; by bytes, so its cost is linear whatever the text holds.
  var trimmed: String {
    let bytes = Substring(self).utf8
    guard let first = bytes.firstIndex(where: { !$0.isBlank }), let last = bytes.lastIndex(where: { !$0.isBlank }) else {
      return ""
    }
    return String(Substring(bytes[first...last]))
  }

  /// RFC 3986 percent-decoding; nil for a broken escape or bytes that are not UTF-8.
  var percentDecoded: String? {
    guard utf8.contains(UInt8(ascii: "%")) else { return String(self) }
    var bytes: [UInt8] = []
    var rest = Substring(self).utf8
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst()?.hexValue, let low = rest.popFirst()?.hexValue else { return nil }
      bytes.append(high << 4 | low)
    }
    return String(utf8: bytes)
  }
}

extension String {
  /// Nil for bytes that are not UTF-8. What the standard library has for that is not specialised, and mostly all of them are ASCII.
  init?(utf8 bytes: [UInt8]) {
    if bytes.allSatisfy({ $0 < 0x80 }) {
      self.init(decoding: bytes, as: UTF8.self)
    } else {
      self.init(validating: bytes, as: UTF8.self)
    }
  }

  /// Whether it holds U+0000, which no column of text takes.
  var holdsNUL: Bool {
    var text = self
    return text.withUTF8 { $0.contains(0) }
  }

  /// nil where nothing is said.
  var nonEmpty: String? { isEmpty ? nil : self }

  /// The part of a content type before its parameters, in lower case.
  var mediaType: String {
    let type = Substring(self).utf8.split(separator: UInt8(ascii: ";"), maxSplits: 1).first
    return type.map { Substring($0).trimmed.lowercased() } ?? ""
  }

  /// With the three characters that X and Slack send as HTML, and no others, as they are.
  var htmlUnescaped: String {
    let escapes = [("lt;", UInt8(ascii: "<")), ("gt;", UInt8(ascii: ">")), ("amp;", UInt8(ascii: "&"))]
    var bytes: [UInt8] = []
    var rest = Substring(self).utf8
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "&"), let (name, meant) = escapes.first(where: { rest.starts(with: $0.0.utf8) }) {
        bytes.append(meant)
        rest = rest.dropFirst(name.utf8.count)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What stands behind the last `/` of a path or URL; nil without one.
  var lastPart: String? { utf8.lastIndex(of: UInt8(ascii: "/")).map { String(Substring(utf8[$0...].dropFirst())) } }

  /// Itself, when it is a plain decimal number of at most 32 characters, such as `49.90`, `-3` or `0`.
  var decimalNumber: String? {
    let digits = utf8.drop { $0 == UInt8(ascii: "-") }
    let parts = digits.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard utf8.count <= 32, utf8.count - digits.count <= 1, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isDigit) }) else {
      return nil
    }
    return self
  }

  /// A whole number that is not below zero.
  var naturalNumber: Int64? { Int64(self).flatMap { $0 >= 0 ? $0 : nil } }

  /// RFC 4648 base64, padding optional; nil for anything else.
  var base64Decoded: [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(utf8.count / 4 * 3)
    var group: UInt32 = 0
    var sextets = 0
    var isPadded = false
    for byte in utf8 {
      if byte == UInt8(ascii: "=") {
        isPadded = true
        continue
      }
      guard !isPadded, let value = byte.base64Value else { return nil }
      group = group << 6 | value
      sextets += 1
      if sextets == 4 {
        bytes.append(UInt8(truncatingIfNeeded: group >> 16))
        bytes.append(UInt8(truncatingIfNeeded: group >> 8))
        bytes.append(UInt8(truncatingIfNeeded: group))
        (group, sextets) = (0, 0)
      }
    }
    switch sextets {
    case 0: break
    case 2: bytes.append(UInt8(truncatingIfNeeded: group >> 4))
    case 3: bytes += [UInt8(truncatingIfNeeded: group >> 10), UInt8(truncatingIfNeeded: group >> 2)]
    default: return nil
    }
    return bytes
  }

  /// The longest prefix of at most `limit` UTF-8 bytes that cuts no character; of a character longer than 64 bytes, no scalar.
  ///
  /// What a character is, is decided by the last 64 bytes alone: some go on for megabytes, and to look for their beginning takes as
  /// long.
  func prefix(utf8Bytes limit: Int) -> String {
    guard utf8.count > limit else { return self }
    func scalarBoundary(_ offset: Int) -> Index {
      var index = utf8.index(startIndex, offsetBy: offset)
      while index > startIndex, index < endIndex, utf8[index] & 0xc0 == 0x80 { index = utf8.index(before: index) }
      return index
    }
    let end = scalarBoundary(limit)
    let start = scalarBoundary(max(0, limit - 64))
    let window = String(self[start..<scalarBoundary(min(utf8.count, limit + 8))])
    let room = utf8.distance(from: start, to: end)
    var offset = 0
    for character in window {
      if offset + character.utf8.count > room { break }
      offset += character.utf8.count
    }
    return String(self[..<(offset == 0 ? end : utf8.index(start, offsetBy: offset))])
  }

  /// The first 16 384 UTF-16 code units, which providers count, with spaces in place of the given ranges of them: names and links
  /// are no language's. A range that lies outside takes nothing.
  func beginning(withoutUTF16 ranges: [(offset: Int64, length: Int64)]) -> String {
    guard !ranges.isEmpty else { return self }
    var units = Array(utf16.prefix(16_384))
    let count = Int64(units.count)
    for (offset, length) in ranges where offset >= 0 && offset < count && length > 0 {
      for position in offset..<offset + min(length, count - offset) { units[Int(position)] = 0x20 }
    }
    return String(decoding: units, as: UTF16.self)
  }

  /// The two-letter language of a locale such as `es-ES`; nil for anything else.
  var languageOfLocale: String? {
    let code = String(decoding: utf8.prefix(3), as: UTF8.self).lowercased().utf8
    guard code.count >= 2, code.prefix(2).allSatisfy({ $0.isLowerOrDigit && !$0.isDigit }) else { return nil }
    if let third = code.dropFirst(2).first, third != UInt8(ascii: "-"), third != UInt8(ascii: "_") { return nil }
    return String(decoding: code.prefix(2), as: UTF8.self)
  }
}
