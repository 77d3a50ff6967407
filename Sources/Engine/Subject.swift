/// What a subject line says about the thread it belongs to.
enum Subject {
  /// A human reference number, `[#TL-1042]`, without its brackets.
  static func reference(in subject: String) -> String? {
    var rest = subject.utf8[...]
    while let hash = rest.firstIndex(of: UInt8(ascii: "[")) {
      rest = rest[hash...].dropFirst()
      guard rest.starts(with: "#TL-".utf8) else { continue }
      let digits = rest.dropFirst(4).prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
      guard (1...18).contains(digits.count), rest[digits.endIndex...].first == UInt8(ascii: "]") else { continue }
      return "TL-" + String(Substring(digits))
    }
    return nil
  }

  /// The subject without what mail programs put before it and without our number; nil when nothing is left.
  static func base(_ subject: String) -> String? {
    var rest = subject.lowercased()[...]
    var isChanged = true
    while isChanged {
      isChanged = false
      rest = rest.drop(while: \.isWhitespace)
      if rest.hasPrefix("[#tl-"), let end = rest.firstIndex(of: "]") {
        rest = rest[end...].dropFirst()
        isChanged = true
      }
      for prefix in prefixes where rest.hasPrefix(prefix) {
        rest = rest.dropFirst(prefix.count)
        isChanged = true
      }
    }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    return rest.isEmpty ? nil : String(rest)
  }

  private static let prefixes = ["re:", "aw:", "antw:", "sv:", "rv:", "fw:", "fwd:", "wg:", "tr:", "vs:", "odp:", "回复:", "回复："]
}
