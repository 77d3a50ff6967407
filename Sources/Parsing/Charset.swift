import CGMime

/// Bytes in a declared character set to text.
enum Charset {
  struct Decoded {
    var text: String
    var isUnknown = false
    var isLossy = false
    var hasNUL = false
  }

  /// Never fails: an unknown or missing name means UTF-8 if the bytes are that, else windows-1252.
  static func decode(_ bytes: [UInt8], declared: String?) -> Decoded {
    let label = (declared ?? "").trimmingSpaces.lowercased()
    let name = iconvName(label)
    var decoded: Decoded
    if name == nil || name == "utf-8" || bytes.allSatisfy({ $0 < 0x80 && $0 != 0x1B }) && !isWide(name) {
      decoded = decodeUTF8(bytes, isCertain: name != nil)
    } else {
      decoded = convert(bytes, from: name ?? "") ?? decodeUTF8(bytes, isCertain: false)
    }
    decoded.isUnknown = name == nil && !undeclared.contains(label)
    if decoded.text.hasPrefix("\u{FEFF}") { decoded.text.removeFirst() }
    decoded.hasNUL = decoded.text.withUTF8 { $0.contains(0) }
    if decoded.hasNUL {
      decoded.text = String(String.UnicodeScalarView(decoded.text.unicodeScalars.lazy.map { $0 == "\0" ? "\u{FFFD}" : $0 }))
    }
    return decoded
  }

  /// Names that say nothing, for text that need not be ASCII.
  private static let undeclared: Set<String> = [
    "", "us-ascii", "ascii", "ansi_x3.4-1968", "unknown-8bit", "x-unknown", "default",
  ]

  /// The sender's name for the set of bytes that it means in practice (WHATWG Encoding Standard).
  private static let aliases: [String: String] = [
    "utf8": "utf-8", "x-utf-8": "utf-8", "unicode-1-1-utf-8": "utf-8", "unicode-1-1-utf-7": "utf-7",
    "iso-8859-1": "windows-1252", "iso8859-1": "windows-1252", "iso_8859-1": "windows-1252", "latin1": "windows-1252",
    "latin-1": "windows-1252", "l1": "windows-1252", "cp1252": "windows-1252", "x-cp1252": "windows-1252",
    "iso-8859-9": "windows-1254", "latin5": "windows-1254", "iso-8859-8-i": "iso-8859-8", "iso-8859-11": "cp874",
    "tis-620": "cp874", "windows-874": "cp874", "x-mac-roman": "macintosh", "macintosh": "macintosh",
    "ks_c_5601-1987": "cp949", "ks_c_5601": "cp949", "ksc5601": "cp949", "ksc_5601": "cp949", "euc-kr": "cp949", "cp949": "cp949",
    "windows-949": "cp949", "iso-2022-kr": "iso-2022-kr", "gb2312": "gb18030", "gb_2312-80": "gb18030", "gbk": "gb18030",
    "x-gbk": "gb18030", "cp936": "gb18030", "gb18030": "gb18030", "big5": "big5-hkscs",
    "big5-hkscs": "big5-hkscs", "cp950": "big5-hkscs", "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932",
    "x-sjis": "cp932", "windows-31j": "cp932", "cp932": "cp932", "euc-jp": "euc-jp-ms", "x-euc-jp": "euc-jp-ms",
    "iso-2022-jp": "iso-2022-jp-3", "cp50220": "iso-2022-jp-3", "cp50221": "iso-2022-jp-3", "utf-7": "utf-7",
    "cp850": "cp850", "ibm850": "cp850", "cp437": "cp437", "ibm437": "cp437", "cp866": "cp866", "ibm866": "cp866",
  ]
  private static let families = ["iso-8859-", "windows-125", "cp125", "koi8-", "utf-8", "utf-16", "utf-32"]

  /// nil for names outside this list: iconv takes more, also suffixes that change what it does.
  private static func iconvName(_ label: String) -> String? {
    if let alias = aliases[label] { return alias }
    let isPlain =
      label.utf8.count <= 16
      && label.utf8.allSatisfy { byte in
        byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
          || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      }
    return isPlain && families.contains(where: label.hasPrefix) ? label : nil
  }

  /// Whether ASCII bytes may mean something else.
  private static func isWide(_ name: String?) -> Bool { name?.hasPrefix("utf-") == true || name == "iso-2022-kr" }

  private static func decodeUTF8(_ bytes: [UInt8], isCertain: Bool) -> Decoded {
    if let text = String(validating: bytes, as: UTF8.self) { return Decoded(text: text) }
    if !isCertain, let decoded = convert(bytes, from: "windows-1252") { return decoded }
    return Decoded(text: String(decoding: bytes, as: UTF8.self), isLossy: true)
  }

  /// By iconv; a byte it refuses becomes U+FFFD. nil when iconv does not know the name.
  private static func convert(_ bytes: [UInt8], from name: String) -> Decoded? {
    let converter = g_iconv_open("UTF-8", name)
    guard let converter, Int(bitPattern: converter) != -1 else { return nil }
    defer { g_iconv_close(converter) }
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + bytes.count / 2)
    var isLossy = false
    bytes.withUnsafeBytes { input in
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4_096) { buffer in
        guard let start = input.bindMemory(to: CChar.self).baseAddress else { return }
        // iconv's type forgets that it only reads.
        var source: UnsafeMutablePointer<CChar>? = UnsafeMutablePointer(mutating: start)
        var left = gsize(input.count)
        // Each round consumes, produces or skips a byte.
        while left > 0 {
          let before = left
          var target = buffer.baseAddress
          var room = gsize(buffer.count)
          _ = g_iconv(converter, &source, &left, &target, &room)
          output.append(contentsOf: UnsafeRawBufferPointer(buffer).prefix(buffer.count - Int(room)))
          if left == before, room == gsize(buffer.count) {
            output.append(contentsOf: "\u{FFFD}".utf8)
            isLossy = true
            source = source.map { $0 + 1 }
            left -= 1
          }
        }
        // What a stateful set still holds back.
        var target = buffer.baseAddress
        var room = gsize(buffer.count)
        _ = g_iconv(converter, nil, nil, &target, &room)
        output.append(contentsOf: UnsafeRawBufferPointer(buffer).prefix(buffer.count - Int(room)))
      }
    }
    return Decoded(text: String(decoding: output, as: UTF8.self), isLossy: isLossy)
  }
}
