import Yams

/// The YAML file: one mapping of the settings' names to single values, `kafka_properties` also to a mapping.
struct SettingsFile {
  struct Entry {
    var text: String
    var pairs: [String: String]?
    var line: Int
  }

  var path = ""
  var entries: [String: Entry] = [:]
  var problems: [String] = []

  private static let names = Set(
    Setting.allCases.map(\.rawValue) + Setting.allCases.filter(\.isSecret).map { $0.rawValue + "_file" })

  init() {}

  init(path: String, text: String) {
    self.path = path
    do {
      // The encoding is named because the default asks the environment, and prints what it finds.
      guard let root = try Parser(yaml: text, encoding: .utf8).singleRoot() else { return }
      guard case .mapping(let mapping) = root else {
        // A file in which every line is a comment but for `---` is an empty one.
        if !root.isEmpty { problems.append("\(path) is not a mapping of names to values") }
        return
      }
      for (key, node) in mapping { read(key, node) }
    } catch let error as YamlError {
      problems.append(path + Self.describe(error))
    } catch {
      problems.append("\(path) is not YAML")
    }
  }

  private mutating func read(_ key: Node, _ node: Node) {
    let line = key.mark?.line ?? 0
    guard case .scalar(let scalar) = key, Self.names.contains(scalar.string) else {
      problems.append("\(path):\(line) has a name that is no setting\(Self.shown(key.scalar?.string))")
      return
    }
    let name = scalar.string
    switch node {
    case .scalar(let value) where !node.isEmpty: entries[name] = Entry(text: value.string, line: line)
    case .mapping(let mapping) where name == Setting.kafkaProperties.rawValue:
      var pairs: [String: String] = [:]
      for case (.scalar(let property), let node) in mapping {
        if case .scalar(let value) = node { pairs[property.string] = value.string }
      }
      guard pairs.count == mapping.count else { fallthrough }
      entries[name] = Entry(text: "", pairs: pairs, line: line)
    default: problems.append("\(name) (\(path):\(line)) is not a single value")
    }
  }

  /// Where and why; the parser's own text would repeat the line.
  private static func describe(_ error: YamlError) -> String {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
      ":\(mark.line) is not YAML: \(problem)"
    case .reader(let problem, _, _, _): " is not YAML: \(problem)"
    case .duplicatedKeysInMapping(let names, let context):
      ":\(context.mark.line) has a name that is there more than once\(shown(names.first))"
    default: " is not YAML"
    }
  }

  /// Only what looks like a name: a secret in the wrong place is not repeated.
  private static func shown(_ name: String?) -> String {
    guard let name, name.utf8.count <= 40, name.wholeMatch(of: #/[a-z]+(?:[_.-][a-z]+)*/#) != nil else { return "" }
    return ": \(name)"
  }
}

extension Node {
  /// `key:` with nothing behind it, or a written null.
  fileprivate var isEmpty: Bool {
    guard case .scalar(let scalar) = self else { return false }
    return scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
  }
}
