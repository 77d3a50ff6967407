import Foundation

/// The rules, each a function from text to what is wrong with it.
enum Rules {
  // MARK: - Modules

  /// The module table of ARCHITECTURE.md: what a target may import. C libraries belong to their one owner.
  static let imports: [String: Set<String>] = [
    "Blocking": ["Glibc", "Synchronization"],
    "Kafka": ["CRdKafka", "Blocking", "Logging", "Glibc", "Synchronization"],
    "Postgres": ["CPostgres", "Blocking", "Logging", "Glibc", "Synchronization"],
    "Canonical": [],
    "Parsing": ["CGMime", "CText", "CXML", "CIDN2", "CCrypto", "Glibc", "FoundationEssentials", "Synchronization"],
    "Channels": ["Canonical", "Parsing"],
    "Engine": ["Canonical"],
    "Store": ["Engine", "Canonical", "Postgres", "CSchemas", "FoundationEssentials", "Logging"],
    "Workers": [
      "Canonical", "Engine", "Store", "Channels", "Kafka", "Postgres", "Logging", "CoreMetrics", "Yams", "Glibc",
      "Synchronization",
    ],
    "Operations": [
      "Logging", "CoreMetrics", "FlyingFox", "FlyingSocks", "FoundationEssentials", "Yams", "Glibc", "Synchronization",
    ],
    "Demo": ["Canonical", "Kafka", "Store", "Postgres", "Logging", "Glibc", "Synchronization"],
    "throughline": [
      "ArgumentParser", "Canonical", "Channels", "CoreMetrics", "Demo", "Engine", "Foundation", "FoundationEssentials", "Glibc",
      "Kafka", "Logging",
      "Operations", "Parsing", "Postgres", "ServiceLifecycle", "Store", "Synchronization", "UnixSignals", "Workers",
    ],
  ]

  static func imports(_ source: SourceText) -> [String] {
    if source.target.wholeMatch(of: #/C[A-Z].*/#) != nil { return ["\(source.path): a C target holds no Swift"] }
    guard let allowed = imports[source.target] else {
      return ["\(source.path): the module table has no row for \(source.target)"]
    }
    let pattern =
      #/
      (?m)^[\ \t]* (?:@\w+(?:\([^)]*\))?\s+)* (?:(?:public|package|internal|fileprivate|private)\s+)?
      import\s+ (?:(?:struct|class|enum|func|protocol|typealias|var|let)\s+)? (\w+)
      /#
    return source.code.matches(of: pattern).compactMap { match in
      let module = String(match.output.1)
      return allowed.contains(module) ? nil : "\(source.path): \(source.target) may not import \(module)"
    }
  }

  // MARK: - Words

  struct Ban: Sendable {
    let name: String
    let instead: String
    let pattern: @Sendable () -> Regex<Substring>
    var includesComments = false
    var isAllowed: @Sendable (SourceText) -> Bool = { _ in false }
  }

  static let bans = [
    Ban(name: "print", instead: "a log line; only the command line prints", pattern: { #/\b(?:debugPrint|print|dump)\(/# }) {
      $0.target == "throughline"
    },
    Ban(name: "try!", instead: "try, and say what happens then", pattern: { #/\btry!/# }),
    Ban(name: "as!", instead: "as?, and say what happens then", pattern: { #/\bas!/# }),
    Ban(name: "fatalError", instead: "an error, or preconditionFailure for a bug of ours", pattern: { #/\bfatalError\(/# }),
    Ban(
      name: "unchecked Sendable", instead: "a value, an actor or Mutex; only the owner of a C handle may vouch for itself",
      pattern: { #/@unchecked\s+Sendable|nonisolated\(unsafe\)/# }, isAllowed: ownsCHandles),
    Ban(
      name: "sleep", instead: "Task.sleep, or a wait that something ends",
      pattern: { #/(?m)\b(?:Thread|Glibc)\.u?sleep|(?:^|[^.\w\n])(?:u|nano)?sleep\(/# }),
    Ban(name: "Dispatch", instead: "an actor; BlockingThread for calls that block", pattern: { #/\bDispatch[A-Z]\w*/# }),
    Ban(name: "NSLock", instead: "Mutex", pattern: { #/\bNS(?:Recursive)?Lock\b/# }),
    Ban(
      name: "unstructured task", instead: "a task group or async let, so that nothing outlives its owner",
      pattern: { #/\bTask(?:<[^>]*>)?(?:\.(?:detached|immediate|init))?\s*(?:\([^)]*\)\s*)?\{|\bTask\.detached\b/# }),
    Ban(name: "to-do", instead: "the thing itself", pattern: { #/\b(?:TODO|FIXME|HACK)\b/# }, includesComments: true),
    Ban(name: "JSONSerialization", instead: "Parsing's JSON, or JSONObjectWriter", pattern: { #/\bJSONSerialization\b/# }),
  ]

  static func bans(_ source: SourceText) -> [String] {
    bans.flatMap { ban in
      ban.isAllowed(source)
        ? []
        : source.places(of: ban.pattern(), in: ban.includesComments ? source.text : nil).map {
          "\($0): \(ban.name); instead: \(ban.instead)"
        }
    }
  }

  private static let ownsCHandles: @Sendable (SourceText) -> Bool = { source in
    ["Kafka", "Postgres", "Parsing", "Blocking"].contains(source.target)
      && source.code.contains(#/(?m)^import (?:C[A-Z]\w*|Glibc)$/#)
  }

  // MARK: - Size and documentation

  static let maximumLines = 500
  static let maximumColumns = 140

  static func size(_ source: SourceText) -> [String] {
    let lines = source.text.split(separator: "\n", omittingEmptySubsequences: false)
    let long = lines.enumerated().filter { $0.element.count > maximumColumns }
    return (lines.count - 1 > maximumLines ? ["\(source.path): \(lines.count - 1) lines"] : [])
      + long.map { "\(source.path):\($0.offset + 1): \($0.element.count) columns" }
  }

  /// A public type says what it is; what is nested in one is told by its place.
  static func documentation(_ source: SourceText) -> [String] {
    let code = source.code.split(separator: "\n", omittingEmptySubsequences: false)
    let text = source.text.split(separator: "\n", omittingEmptySubsequences: false)
    let type = #/public (?:(?:final|indirect|nonisolated) )*(?:struct|class|enum|actor|protocol|typealias) (\w+).*/#
    return code.enumerated().compactMap { position, line in
      guard let name = line.wholeMatch(of: type)?.output.1 else { return nil }
      let above = text[..<position].last { !$0.hasPrefix("@") }
      return above?.hasPrefix("///") == true ? nil : "\(source.path):\(position + 1): \(name) does not say what it is"
    }
  }

  // MARK: - SQL

  /// Statements that nobody runs, and names that no file has.
  static func deadSQL(files: [String], sources: [SourceText]) -> [String] {
    let names = Set(files.map { String($0.split(separator: "/").last?.dropLast(".sql".count) ?? "") })
    var used: Set<String> = []
    var findings: [String] = []
    for source in sources {
      used.formUnion(source.text.matches(of: #/Queries\.named\("(\w+)"\)/#).map { String($0.output.1) })
      findings += source.places(of: #/Queries\.named\((?!")/#).map { "\($0): a statement is named by a literal" }
    }
    return findings + names.subtracting(used).sorted().map { "schemas/queries/\($0).sql: nobody runs it" }
      + used.subtracting(names).sorted().map { "no schemas/queries/\($0).sql" }
  }

  /// `schemas/embedded.c` against the SQL files of the folder, as paths below `schemas`.
  static func embedding(_ text: String, files: [String]) -> [String] {
    let embeds = text.matches(of: #/static const unsigned char (file\d+)\[\] = \{\n#embed "([^"]+)"\n\};/#).map {
      "\($0.output.1) \($0.output.2)"
    }
    let entries = text.matches(of: #/\{"([^"]+)", (file\d+), sizeof (file\d+)\}/#).map {
      $0.output.2 == $0.output.3 ? "\($0.output.2) \($0.output.1)" : "\($0.output.1) has the size of another"
    }
    let expected = files.sorted().enumerated().map { "file\($0.offset) \($0.element)" }
    let count = text.firstMatch(of: #/throughline_schema_file_count = (\d+);/#)?.output.1
    let hint = "run scripts/embed-schemas"
    return (embeds == expected ? [] : ["embedded.c embeds \(Set(embeds).symmetricDifference(expected).sorted()): \(hint)"])
      + (entries == expected ? [] : ["embedded.c lists \(Set(entries).symmetricDifference(expected).sorted()): \(hint)"])
      + (count == "\(files.count)" ? [] : ["embedded.c counts \(count ?? "nothing"), not \(files.count): \(hint)"])
  }

  /// SQL is text that nobody completes: values come as parameters.
  static func interpolation(_ path: String, _ sql: String) -> [String] {
    sql.matches(of: #/\\\(|\$\{|\{\{|%[sd@]|:'\w+'/#).map { "\(path): \($0.output) is filled in by somebody; use a parameter" }
  }

  // MARK: - Scripts and folders

  static func script(_ path: String, _ text: String, isExecutable: Bool) -> [String] {
    let head = text.split(separator: "\n").prefix(5)
    return (isExecutable ? [] : ["\(path): not executable"])
      + (text.hasPrefix("#!") ? [] : ["\(path): does not say what runs it"])
      + (head.contains { $0.lowercased().contains("usage: \(path.lowercased())") } ? [] : ["\(path): no line `usage: \(path)`"])
  }

  /// What lies at the root of the package, hidden names aside.
  static let topLevel: Set<String> = [
    "Sources", "Tests", "schemas", "deploy", "scripts", "Package.swift", "Package.resolved", "README.md", "ARCHITECTURE.md",
    "LICENSE",
    "CONTRIBUTING.md", "CHANGELOG.md",
  ]

  static func topLevel(_ names: [String]) -> [String] {
    names.filter { !$0.hasPrefix(".") && !topLevel.contains($0) }.sorted().map {
      "\($0): nothing of this name belongs at the root"
    }
  }
}
