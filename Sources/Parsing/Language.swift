import CText

/// The language of a text by CLD2.
public enum Language {
  private static let minimumBytes = 20
  private static let maximumBytes = 16_384

  /// The ISO 639-1 code of the first 16 KiB, only when CLD2 calls it reliable; nil for texts below 20 bytes.
  public static func detect(_ text: String) -> String? {
    var sample = text
    let code = sample.withUTF8 { utf8 -> String? in
      guard utf8.count >= minimumBytes else { return nil }
      var count = min(utf8.count, maximumBytes)
      while count < utf8.count, utf8[count] & 0xC0 == 0x80 { count -= 1 }
      return utf8.withMemoryRebound(to: CChar.self) { ct_language($0.baseAddress, count) }.map { String(cString: $0) }
    }
    guard let base = code?.prefix(while: { $0 != "-" }), base.utf8.count == 2 else { return nil }
    return withdrawnCodes[String(base)] ?? String(base)
  }

  /// CLD2 still speaks these; ISO 639 replaced them.
  private static let withdrawnCodes = ["iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "sh": "sr"]
}
