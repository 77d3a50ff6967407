/// Rewrites, in one linear pass, what RFC 8259 allows and simdjson refuses. Everything else is copied as it is.
enum JSONRepair {
  /// Integers outside Int64 and UInt64 become strings of their digits (ids must stay exact), other numbers outside Double become
  /// plus or minus 1e308, and lone surrogate escapes U+FFFD.
  static func repaired(_ bytes: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + bytes.count / 8)
    var position = 0
    var isInString = false
    while position < bytes.count {
      let start = position
      switch bytes[position] {
      case UInt8(ascii: "\""):
        isInString.toggle()
        position += 1
      case UInt8(ascii: "\\") where isInString:
        position = min(position + escapeLength(bytes, at: position), bytes.count)
        if position - start == 6, isSurrogate(bytes, at: start) {
          output.append(contentsOf: "\\uFFFD".utf8)
          continue
        }
      case UInt8(ascii: "-") where !isInString, UInt8(ascii: "0")...UInt8(ascii: "9") where !isInString:
        while position < bytes.count, isNumberByte(bytes[position]) { position += 1 }
        appendNumber(bytes[start..<position], to: &output)
        continue
      default:
        position += 1
      }
      output.append(contentsOf: bytes[start..<position])
    }
    return output
  }

  private static func isNumberByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"),
      UInt8(ascii: "E"):
      true
    default: false
    }
  }

  private static func appendNumber(_ token: ArraySlice<UInt8>, to output: inout [UInt8]) {
    let digits = token.first == UInt8(ascii: "-") ? token.dropFirst() : token
    let isInteger = digits.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    let hasLeadingZero = digits.count > 1 && digits.first == UInt8(ascii: "0")
    if isInteger, digits.count >= 19, !hasLeadingZero {
      let text = String(decoding: token, as: UTF8.self)
      if Int64(text) == nil, UInt64(text) == nil {
        output.append(UInt8(ascii: "\""))
        output.append(contentsOf: token)
        output.append(UInt8(ascii: "\""))
        return
      }
    } else if !isInteger, Double(String(decoding: token, as: UTF8.self))?.isInfinite == true, !hasLeadingZero {
      output.append(contentsOf: (token.first == UInt8(ascii: "-") ? "-1e308" : "1e308").utf8)
      return
    }
    output.append(contentsOf: token)
  }

  /// 12 for a pair of surrogates, 6 for another `\uXXXX`, 2 for the rest.
  private static func escapeLength(_ bytes: [UInt8], at position: Int) -> Int {
    guard let unit = codeUnit(bytes, at: position) else { return 2 }
    let next = codeUnit(bytes, at: position + 6)
    return UTF16.isLeadSurrogate(unit) && next.map { UTF16.isTrailSurrogate($0) } == true ? 12 : 6
  }

  private static func isSurrogate(_ bytes: [UInt8], at position: Int) -> Bool {
    codeUnit(bytes, at: position).map { UTF16.isSurrogate($0) } ?? false
  }

  private static func codeUnit(_ bytes: [UInt8], at position: Int) -> UInt16? {
    guard position + 6 <= bytes.count, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u") else {
      return nil
    }
    var unit: UInt16 = 0
    for byte in bytes[position + 2..<position + 6] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
      unit = unit << 4 | UInt16(digit)
    }
    return unit
  }
}
