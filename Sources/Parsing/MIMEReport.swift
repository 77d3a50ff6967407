/// What a multipart/report (RFC 6522) says to programs: of a mail that was sent on (RFC 3464), read (RFC 8098) or complained of
/// (RFC 5965).
public struct MIMEReport: Sendable, Equatable {
  private static let maximumBytes = 64 << 10

  /// The report-type, lower case.
  public var type: String
  /// Its fields by lower-case name, the first of equal ones: of the report and, in groups of their own, of each recipient.
  public var groups: [[String: String]] = []
  /// The Message-ID of the mail that it is about, without `<>`, where that mail or its header is in it.
  public var originalID: String?

  /// Header fields in groups with empty lines between them, folded or not; of very long ones the beginning.
  static func groups(_ bytes: [UInt8]) -> [[String: String]] {
    var groups: [[String: String]] = []
    var group: [String: String] = [:]
    // Of the field that the next line may go on with.
    var name: String?
    for line in bytes.prefix(maximumBytes).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      let text = String(decoding: line, as: UTF8.self).trimmingSpaces
      if text.isEmpty {
        if !group.isEmpty { groups.append(group) }
        (group, name) = ([:], nil)
      } else if line.first == UInt8(ascii: " ") || line.first == UInt8(ascii: "\t") {
        if let name { group[name]?.append(" " + text) }
      } else if let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) {
        let field = String(Substring(text.utf8[..<colon])).trimmingSpaces.lowercased()
        name = group[field] == nil ? field : nil
        if name != nil { group[field] = String(Substring(text.utf8[colon...].dropFirst())).trimmingSpaces }
      } else {
        name = nil
      }
    }
    if !group.isEmpty { groups.append(group) }
    return groups
  }
}
