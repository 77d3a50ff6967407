import Parsing

/// Slack's ways to write text, as agents read it.
enum SlackText {
  /// mrkdwn: `<@U1>`, `<#C1|general>`, `<!here>` and `<url|label>` as their words, three characters as they are. Stars and
  /// the like stay.
  static func plain(_ text: String) -> String {
    var bytes: [UInt8] = []
    var rest = Substring(text).utf8
    var mayEnd = true
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "<"), mayEnd else {
        bytes.append(byte)
        continue
      }
      if let end = rest.firstIndex(of: UInt8(ascii: ">")) {
        bytes += Array(shown(String(Substring(rest[..<end]))).utf8)
        rest = rest[end...].dropFirst()
      } else {
        mayEnd = false
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self).htmlUnescaped
  }

  /// What stands between `<` and `>`.
  private static func shown(_ token: String) -> String {
    let parts = token.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let target = parts.first ?? ""
    let label = parts.count == 2 ? parts[1].nonEmpty : nil
    if target.hasPrefix("@") || target.hasPrefix("#") {
      guard let label else { return target }
      return label.hasPrefix(target.prefix(1)) ? label : String(target.prefix(1)) + label
    }
    if target.hasPrefix("!") { return label ?? "@" + String(target.dropFirst()) }
    if target.hasPrefix("mailto:") || target.hasPrefix("tel:") {
      return label ?? target.split(separator: ":", maxSplits: 1).last.map(String.init) ?? target
    }
    guard let label, label != target else { return target }
    return target.hasSuffix(label) ? label : label + " (" + target + ")"
  }

  /// The words of blocks; nil when there are none.
  static func words(of blocks: JSONValue) -> String? { joined(blocks, "\n").trimmed.nonEmpty }

  /// What old integrations send instead.
  static func fallback(_ attachments: JSONValue) -> String? {
    let lines = attachments.elements.prefix(100).compactMap { item in
      item["text"].string?.nonEmpty ?? item["fallback"].string?.nonEmpty
    }
    return lines.map(plain).joined(separator: "\n").nonEmpty
  }

  private static func joined(_ list: JSONValue, _ separator: String, each prefix: String = "") -> String {
    var lines: [String] = []
    for element in list.elements {
      let line = words(in: element)
      if !line.isEmpty { lines.append(prefix + line) }
    }
    return lines.joined(separator: separator)
  }

  private static func words(in element: JSONValue) -> String {
    switch element["type"].string {
    case "rich_text": return joined(element["elements"], "\n")
    case "rich_text_list": return joined(element["elements"], "\n", each: "- ")
    case "rich_text_section", "rich_text_quote", "rich_text_preformatted": return joined(element["elements"], "")
    case "text": return element["text"].string ?? ""
    case "link":
      let (label, url) = (element["text"].string?.nonEmpty, element["url"].string ?? "")
      guard let label, label != url else { return url }
      return url.hasSuffix(label) ? label : label + " (" + url + ")"
    case "user": return "@" + (element["user_id"].string ?? "")
    case "usergroup": return "@" + (element["usergroup_id"].string ?? "")
    case "channel": return "#" + (element["channel_id"].string ?? "")
    case "broadcast": return "@" + (element["range"].string ?? "")
    case "emoji": return ":" + (element["name"].string ?? "") + ":"
    case "section":
      return [words(in: element["text"]), joined(element["fields"], "\n")].filter { !$0.isEmpty }.joined(separator: "\n")
    case "header": return words(in: element["text"])
    case "context": return joined(element["elements"], " ")
    case "mrkdwn", "plain_text": return plain(element["text"].string ?? "")
    default: return ""
    }
  }
}
