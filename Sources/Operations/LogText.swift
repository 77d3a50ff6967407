/// Makes text safe for a line: what a terminal or a reader of lines would obey is written as `\uXXXX`, and length is capped.
public enum LogText {
  public static let maximumBytes = 2_048

  static func append(
    _ text: String, to line: inout [UInt8], quoted: Bool, maximumBytes: Int = LogText.maximumBytes, keepsLines: Bool = false
  ) {
    if quoted { line.append(UInt8(ascii: "\"")) }
    let end = line.count + maximumBytes
    for scalar in text.unicodeScalars {
      guard line.count < end else {
        line += Array("…".utf8)
        break
      }
      switch scalar.value {
      case 0x09 where keepsLines, 0x0a where keepsLines: line.append(UInt8(scalar.value))
      case 0x22, 0x5c: line += quoted ? [UInt8(ascii: "\\"), UInt8(scalar.value)] : [UInt8(scalar.value)]
      case 0x20...0x7e: line.append(UInt8(scalar.value))
      // Controls, and what changes the direction of writing or can not be seen.
      case ..<0x20, 0x7f...0x9f, 0x61c, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff:
        let digits = String(scalar.value, radix: 16)
        line += Array("\\u".utf8) + Array(String(repeating: "0", count: 4 - digits.count).utf8) + Array(digits.utf8)
      default: line += Array(String(scalar).utf8)
      }
    }
    if quoted { line.append(UInt8(ascii: "\"")) }
  }

  /// - Parameter keepsLines: leaves line feeds and tabs as they are.
  public static func escaped(_ text: String, maximumBytes: Int = LogText.maximumBytes, keepsLines: Bool = false) -> String {
    var line: [UInt8] = []
    append(text, to: &line, quoted: false, maximumBytes: maximumBytes, keepsLines: keepsLines)
    return String(decoding: line, as: UTF8.self)
  }
}
