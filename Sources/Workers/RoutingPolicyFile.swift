import Canonical
import Engine
import Yams

/// The routing policy as people write it (`deploy/routing.yaml`): one YAML file, taken whole or not at all.
public enum RoutingPolicyFile {
  /// Everything that is wrong with a file, each with the path of its key.
  public struct Problems: Error, Sendable, Equatable, CustomStringConvertible {
    public var list: [String]
    public init(list: [String]) { self.list = list }
    public var description: String { list.joined(separator: "\n") }
  }

  static let maximumBytes = 1 << 20
  static let maximumQueues = 500

  public static func parse(_ yaml: String) throws(Problems) -> RoutingPolicy {
    guard yaml.utf8.count <= maximumBytes else { throw Problems(list: ["the file is longer than \(maximumBytes) bytes"]) }
    let root: Node?
    do { root = try Yams.compose(yaml: yaml) } catch { throw Problems(list: ["\(error)"]) }
    guard let root else { throw Problems(list: ["the file is empty"]) }
    var reader = Reader()
    let policy = reader.policy(root)
    guard reader.problems.isEmpty else { throw Problems(list: reader.problems) }
    return policy
  }
}

/// Reads what it can and notes what it cannot.
private struct Reader {
  private(set) var problems: [String] = []

  mutating func policy(_ root: Node) -> RoutingPolicy {
    var policy = RoutingPolicy()
    let keys = mapping(root, "", ["version", "channels", "queues", "bots", "lifecycle", "presence_lost"])
    if let version = keys["version"] {
      policy.version = int(version, "version", 1...Int(Int32.max)).map { Int32($0) } ?? policy.version
    }
    if let channels = keys["channels"] { self.channels(channels, &policy) }
    if let queues = keys["queues"] { policy.queues = self.queues(queues) }
    if let bots = keys["bots"] { policy.bots = self.bots(bots) }
    if let lifecycle = keys["lifecycle"] {
      let keys = mapping(lifecycle, "lifecycle", ["close_after_hours", "resolve_pending_after_hours"])
      func hours(_ key: String, _ reader: inout Reader) -> Duration? {
        keys[key].flatMap { reader.int($0, "lifecycle.\(key)", 1...87_600) }.map { .seconds($0 * 3_600) }
      }
      policy.closeAfter = hours("close_after_hours", &self) ?? policy.closeAfter
      policy.resolvePendingAfter = hours("resolve_pending_after_hours", &self) ?? policy.resolvePendingAfter
    }
    if let lost = keys["presence_lost"] {
      policy.requeuesWhenLost = oneOf(lost, "presence_lost", ["requeue", "keep"]) != "keep"
    }
    return policy
  }

  private mutating func channels(_ node: Node, _ policy: inout RoutingPolicy) {
    for (name, value) in mapping(node, "channels", nil).sorted(by: { $0.key < $1.key }) {
      let path = "channels.\(name)"
      let channel = Channel(rawValue: name)
      guard channel != nil || name == "default" else {
        problems.append("\(path): no such channel")
        continue
      }
      let keys = mapping(value, path, ["units"])
      guard let units = required("units", keys, path).flatMap({ int($0, "\(path).units", 1...10_000) }) else { continue }
      if let channel { policy.units[channel] = Int32(units) } else { policy.otherUnits = Int32(units) }
    }
  }

  private mutating func queues(_ node: Node) -> [RoutingPolicy.Queue] {
    let items = sequence(node, "queues")
    if items.isEmpty { problems.append("queues: at least one is needed") }
    if items.count > RoutingPolicyFile.maximumQueues { problems.append("queues: more than \(RoutingPolicyFile.maximumQueues)") }
    var queues: [RoutingPolicy.Queue] = []
    for (position, item) in items.prefix(RoutingPolicyFile.maximumQueues).enumerated() {
      queues.append(queue(item, "queues[\(position)]"))
    }
    for (id, same) in Dictionary(grouping: queues, by: \.id).sorted(by: { $0.key < $1.key }) where same.count > 1 && !id.isEmpty {
      problems.append("queues: two have the id \(id)")
    }
    if let last = queues.last, !last.match.isOpen {
      problems.append("queues[\(queues.count - 1)].match: the last queue must match everything")
    }
    for (position, queue) in queues.dropLast().enumerated() where queue.match.isOpen {
      problems.append("queues[\(position)]: matches everything, so the queues after it are never used")
    }
    return queues
  }

  private mutating func queue(_ node: Node, _ path: String) -> RoutingPolicy.Queue {
    let keys = mapping(node, path, ["id", "name", "match", "skills", "agents", "prefer", "hold_seconds", "offer"])
    var queue = RoutingPolicy.Queue(id: required("id", keys, path).flatMap { text($0, "\(path).id") } ?? "")
    queue.name = keys["name"].flatMap { text($0, "\(path).name") } ?? queue.id
    if let match = keys["match"] { queue.match = self.match(match, "\(path).match") }
    if let skills = keys["skills"] {
      for (skill, level) in mapping(skills, "\(path).skills", nil) {
        queue.skills[skill] = int(level, "\(path).skills.\(skill)", 1...10).map { Int16($0) }
      }
    }
    if let agents = keys["agents"] {
      let keys = mapping(agents, "\(path).agents", ["teams"])
      queue.teams = keys["teams"].map { Set(texts($0, "\(path).agents.teams")) } ?? []
    }
    if let prefer = keys["prefer"] {
      queue.prefer = texts(prefer, "\(path).prefer").compactMap { name in
        if let preference = RoutingPolicy.Preference(rawValue: name) { return preference }
        problems.append("\(path).prefer: \(name) is none of last_agent, account_manager")
        return nil
      }
    }
    if let hold = keys["hold_seconds"] {
      queue.hold = .seconds(int(hold, "\(path).hold_seconds", 0...86_400) ?? 0)
    }
    if let offer = keys["offer"], offer.string != "auto" {
      guard offer.mapping != nil else {
        problems.append("\(path).offer: neither auto nor {accept_within_seconds: …}")
        return queue
      }
      let keys = mapping(offer, "\(path).offer", ["accept_within_seconds"])
      queue.acceptWithin = required("accept_within_seconds", keys, "\(path).offer").flatMap {
        int($0, "\(path).offer.accept_within_seconds", 1...3_600)
      }.map { .seconds($0) }
    }
    return queue
  }

  private mutating func match(_ node: Node, _ path: String) -> RoutingPolicy.Match {
    let keys = mapping(node, path, ["channel", "account", "language", "priority_at_least", "organization", "handoff"])
    var match = RoutingPolicy.Match()
    if let channel = keys["channel"] { match.channels = Set(self.channels(in: channel, "\(path).channel")) }
    if let account = keys["account"] { match.accounts = Set(texts(account, "\(path).account")) }
    if let language = keys["language"] { match.languages = Set(texts(language, "\(path).language").map { $0.lowercased() }) }
    if let priority = keys["priority_at_least"] {
      match.priorityAtLeast = int(priority, "\(path).priority_at_least", -1_000...1_000).map { Int16($0) }
    }
    if let organization = keys["organization"] {
      if organization.bool == true {
        match.organization = .any
      } else if organization.sequence != nil {
        match.organization = .oneOf(Set(texts(organization, "\(path).organization")))
      } else {
        problems.append("\(path).organization: neither true nor a list of ids")
      }
    }
    if let handoff = keys["handoff"] {
      match.isHandoff = handoff.bool
      if handoff.bool == nil { problems.append("\(path).handoff: neither true nor false") }
    }
    return match
  }

  private mutating func bots(_ node: Node) -> [RoutingPolicy.BotRule] {
    var bots: [RoutingPolicy.BotRule] = []
    for (position, item) in sequence(node, "bots").enumerated() {
      let path = "bots[\(position)]"
      let keys = mapping(item, path, ["channel", "account", "bot"])
      let channel = required("channel", keys, path).flatMap { channels(in: $0, "\(path).channel").first }
      let account = required("account", keys, path).flatMap { text($0, "\(path).account") }
      let bot = required("bot", keys, path).flatMap { text($0, "\(path).bot") }
      if let channel, let account, let bot { bots.append(.init(channel: channel, account: account, bot: bot)) }
    }
    return bots
  }

  // MARK: - Values

  private mutating func channels(in node: Node, _ path: String) -> [Channel] {
    let names = node.sequence == nil ? text(node, path).map { [$0] } ?? [] : texts(node, path)
    return names.compactMap { name in
      if let channel = Channel(rawValue: name) { return channel }
      problems.append("\(path): no such channel as \(name)")
      return nil
    }
  }

  /// - Parameter known: the keys that may be there; nil: any.
  private mutating func mapping(_ node: Node, _ path: String, _ known: [String]?) -> [String: Node] {
    let at = path.isEmpty ? "" : path + "."
    guard let mapping = node.mapping else {
      problems.append("\(path.isEmpty ? "the file" : path): not a mapping")
      return [:]
    }
    var keys: [String: Node] = [:]
    for (key, value) in mapping {
      guard let name = key.scalar?.string else {
        problems.append("\(path.isEmpty ? "the file" : path): a key that is no text")
        continue
      }
      if let known, !known.contains(name) {
        problems.append("\(at)\(name): no such key; there are \(known.joined(separator: ", "))")
        continue
      }
      keys[name] = value
    }
    return keys
  }

  private mutating func required(_ key: String, _ keys: [String: Node], _ path: String) -> Node? {
    if let node = keys[key] { return node }
    problems.append("\(path).\(key): missing")
    return nil
  }

  private mutating func sequence(_ node: Node, _ path: String) -> [Node] {
    guard let sequence = node.sequence else {
      problems.append("\(path): not a list")
      return []
    }
    return Array(sequence)
  }

  private mutating func texts(_ node: Node, _ path: String) -> [String] {
    sequence(node, path).enumerated().compactMap { text($0.element, "\(path)[\($0.offset)]") }
  }

  /// Numbers and words like `no` are text where text is asked for.
  private mutating func text(_ node: Node, _ path: String) -> String? {
    guard let text = node.scalar?.string, !text.isEmpty, text.utf8.count <= 512 else {
      problems.append("\(path): not a text of 1 to 512 bytes")
      return nil
    }
    return text
  }

  private mutating func int(_ node: Node, _ path: String, _ range: ClosedRange<Int>) -> Int? {
    guard let value = node.int, range.contains(value) else {
      problems.append("\(path): not a number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return value
  }

  private mutating func oneOf(_ node: Node, _ path: String, _ words: [String]) -> String? {
    guard let word = node.scalar?.string, words.contains(word) else {
      problems.append("\(path): none of \(words.joined(separator: ", "))")
      return nil
    }
    return word
  }
}
