import Canonical
import Store

// What a scene looks like on paper.

extension Story {
  private static let width = 100

  /// How long the customer waited for the first answer, by the day's times; nil while they wait.
  static func wait(_ entries: [TimelineReads.Entry]) -> Duration? {
    guard let asked = entries.first(where: { $0.authorKind == "customer" && ["message", "call"].contains($0.kind) }),
      let answered = entries.first(where: { $0.authorKind == "agent" && $0.direction == "outbound" && $0.at >= asked.at })
    else { return nil }
    return answered.at.duration(since: asked.at)
  }

  /// Who it is about, who had it, how long they waited; then the timeline, then what was refused.
  func tell(_ entries: [TimelineReads.Entry], name: String?, about conversations: [ID]) -> [String] {
    var agents: [String] = []
    for entry in entries where entry.kind == "assigned" {
      if let agent = entry.author, !agents.contains(agent) { agents.append(agent) }
    }
    var references: [String] = []
    for entry in entries {
      if let reference = entry.conversation, !references.contains(reference) { references.append(reference) }
    }
    let wait = Self.wait(entries).map { "first answer after \($0.spoken)" } ?? "not answered"
    let head = [name ?? "somebody", references.joined(separator: ", "), agents.joined(separator: ", then "), wait]
    return [head.filter { !$0.isEmpty }.joined(separator: " · "), ""] + timeline(entries)
      + conversations.flatMap(refusals).map(Self.line)
  }

  private func timeline(_ entries: [TimelineReads.Entry]) -> [String] {
    let timed = entries.enumerated().map {
      (at: dayTime(of: $0.element.at), rank: Self.rank($0.element), place: $0.offset, $0.element)
    }
    let sorted = timed.sorted { ($0.at, $0.rank, $0.place) < ($1.at, $1.rank, $1.place) }
    var lines: [String] = []
    for (position, item) in sorted.enumerated() {
      // Who is given away at once has not waited.
      if item.3.kind == "queued", sorted[(position + 1)...].first(where: { $0.3.kind == "assigned" })?.at == item.at { continue }
      if let line = Self.line(item.3, item.at) { lines.append(line) }
    }
    return lines
  }

  /// Of what happened at the same instant: a switch, what caused it, what followed.
  private static func rank(_ entry: TimelineReads.Entry) -> Int {
    switch entry.kind {
    case "channel_switched": 0
    case "message", "call", "note", "handoff": 1
    case "unassigned": 3
    case "queued": 4
    case "assigned", "offered": 5
    case "resolved": 6
    default: 2
    }
  }

  private static func line(_ entry: TimelineReads.Entry, _ at: Timestamp) -> String? {
    let time = at.timeOfDay
    func said(_ text: String) -> String {
      let who = entry.authorKind == "customer" ? entry.author ?? "customer" : entry.author ?? entry.authorKind ?? ""
      return cut("\(time)  \(padded(word(entry.channel), 9))  \(padded(who, 16))  \(text)")
    }
    func happened(_ text: String) -> String { cut("\(time)  \(padded("", 9))  – \(text)") }
    let words = entry.text.map { $0.split(whereSeparator: \.isNewline).joined(separator: " ") } ?? ""
    switch entry.kind {
    case "message": return said(words)
    case "call":
      return said(
        (entry.direction == "outbound" ? "calls them, " : "calls, ") + Duration.seconds(entry.durationSeconds ?? 0).exact)
    case "note": return said("[note] " + words)
    case "handoff": return said("[hands over] \(entry.subject ?? ""), with intent, language and transcript")
    case "channel_switched": return happened("changes from \(word(entry.subject)) to \(word(entry.channel))")
    case "queued": return happened("waits in \(entry.author ?? "")")
    case "offered": return happened("offered to \(entry.author ?? "")")
    case "assigned" where entry.authorKind == "bot": return happened("with the bot \(entry.author ?? "")")
    case "assigned": return happened("assigned to \(entry.author ?? "") (\(entry.reason ?? ""))")
    case "unassigned" where entry.reason != "resolved": return happened("leaves \(entry.author ?? ""): \(entry.reason ?? "")")
    case "claim": return happened("only a claim: \(entry.subject ?? "") \(words)")
    case "merged": return happened("turns out to be a customer whom we know (\(words))")
    case "resolved": return happened("resolved")
    case "opened", "unassigned": return nil
    case "reference_refused": return happened("refused: refers to \(words), a conversation of somebody else")
    default: return happened("\(entry.kind): \(words)")
    }
  }

  private static func line(_ refusal: OwnEvent) -> String {
    let who = refusal.text("bot_id") ?? refusal.text("agent_id").map(DeskStaff.name) ?? "somebody"
    return cut("refused: \(refusal.text("kind") ?? "") of \(who), because \(refusal.text("reason") ?? "")")
  }

  private static func word(_ channel: String?) -> String {
    switch channel {
    case "messenger": "Messenger"
    case "instagram": "Instagram"
    case "whatsapp": "WhatsApp"
    case "voice": "phone"
    case "email": "e-mail"
    case "sms": "SMS"
    case "x": "X"
    case "desk": ""
    default: channel ?? ""
    }
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text.count >= width ? String(text.prefix(width)) : text + String(repeating: " ", count: width - text.count)
  }

  /// Four columns are the margin.
  private static func cut(_ text: String) -> String {
    text.count <= width - 4 ? text : String(text.prefix(width - 5)) + "…"
  }
}

extension Duration {
  /// `4 min 12 s`.
  fileprivate var exact: String {
    let seconds = components.seconds
    return seconds >= 60 ? "\(seconds / 60) min \(seconds % 60) s" : "\(seconds) s"
  }
}
