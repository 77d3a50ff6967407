import Logging

/// What an operator decides, read once at the start.
public struct Configuration: Sendable, Equatable {
  public var kafkaBootstrapServers = ""
  /// Any librdkafka property; in text `name=value`, separated by `;` or newlines.
  public var kafkaProperties: [String: String] = [:]
  /// A libpq connection string or URL. Holds a secret: never printed.
  public var databaseURL = ""
  /// In front of every topic's name.
  public var topicPrefix = ""
  /// Of `ingest`.
  public var consumerGroup = ""
  /// Of `route`.
  public var routeConsumerGroup = ""
  public var logLevel = Logger.Level.info
  public var batchRecords = 1_000
  /// Where operators' HTTP is served; nil for nowhere.
  public var httpListen: ListenAddress?
  /// Signs continuation links: at least 32 bytes, never printed. Without it there are none.
  public var tokenSecret: String?
  /// The path of the routing policy.
  public var routingPolicy: String?
  /// Addresses and `@domain`s of mail, those of one tenant behind `tenant:`.
  public var ownMailboxes: [String] = []
  public var formRelays: [String] = []

  /// Every problem of a configuration, in the order of the names.
  public struct Problems: Error, Sendable, Equatable, CustomStringConvertible {
    public var problems: [String]
    public var description: String { problems.joined(separator: "\n") }
  }

  /// What both workers can not do without.
  public static let required: Set<Setting> = [.kafkaBootstrapServers, .databaseURL]

  /// The environment alone, and the files that it names.
  public init(environment: [String: String]) throws(Problems) {
    try self.init(Settings(environment: environment, standardFile: nil))
  }

  /// - Throws: all problems at once; values are not repeated, they may be secrets.
  public init(_ settings: Settings, requiring required: Set<Setting> = Configuration.required) throws(Problems) {
    var problems = settings.problems
    /// Runs the check on what is set; empty counts as set only where it means something.
    func check(_ setting: Setting, _ problem: (Settings.Value) -> String?) {
      guard let value = settings.values[setting] else {
        if required.contains(setting) { problems.append("\(setting.variable) is not set") }
        return
      }
      if value.text.isEmpty && value.pairs == nil && setting != .topicPrefix {
        if setting.standard != nil || required.contains(setting) { problems.append("\(value.source) is empty") }
      } else if let problem = problem(value) {
        problems.append("\(value.source) \(problem)")
      }
    }
    func text(_ setting: Setting, _ problem: (String) -> String? = { _ in nil }) -> String {
      check(setting) { problem($0.text) }
      return settings.values[setting]?.text ?? ""
    }
    kafkaBootstrapServers = text(.kafkaBootstrapServers)
    check(.kafkaProperties) { value in
      guard let properties = value.pairs ?? Self.properties(value.text) else { return "has an entry without '='" }
      kafkaProperties = properties
      return nil
    }
    databaseURL = text(.databaseURL)
    topicPrefix = text(.topicPrefix) { prefix in
      prefix.wholeMatch(of: #/[A-Za-z0-9._-]*/#) == nil
        ? "has characters that topics can not have: letters, digits, '.', '_' and '-' only" : nil
    }
    consumerGroup = text(.consumerGroup)
    routeConsumerGroup = text(.routeConsumerGroup)
    if consumerGroup == routeConsumerGroup {
      // Both read agents' actions, each all of them.
      let named = [Setting.consumerGroup, .routeConsumerGroup].compactMap { settings.values[$0]?.source }
      problems.append("\(named.first { $0 != "default" } ?? "") is the group of the other worker, too")
    }
    check(.logLevel) { value in
      guard let level = Logger.Level(rawValue: value.text) else {
        return "is none of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))"
      }
      logLevel = level
      return nil
    }
    check(.batchRecords) { value in
      guard let records = Int(value.text), (1...10_000).contains(records) else {
        return "is not a whole number from 1 to 10000"
      }
      batchRecords = records
      return nil
    }
    check(.httpListen) { value in
      guard value.text != "off" else { return nil }
      httpListen = ListenAddress(value.text)
      return httpListen == nil ? "is neither an address and port, like 127.0.0.1:9801 or [::1]:9801, nor off" : nil
    }
    let secret = text(.tokenSecret) { $0.utf8.count < 32 ? "is shorter than 32 bytes" : nil }
    tokenSecret = secret.isEmpty ? nil : secret
    let policy = text(.routingPolicy)
    routingPolicy = policy.isEmpty ? nil : policy
    func mailAddresses(_ setting: Setting) -> [String] {
      let entries = { (text: String) in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }).map(String.init) }
      return entries(
        text(setting) { text in
          let isWrong = entries(text).contains { $0.wholeMatch(of: Self.mailAddress) == nil }
          return isWrong ? "has an entry that is neither an address nor @domain" : nil
        })
    }
    ownMailboxes = mailAddresses(.ownMailboxes)
    formRelays = mailAddresses(.formRelays)
    guard problems.isEmpty else { throw Problems(problems: problems) }
  }

  /// Domains in ASCII.
  private static var mailAddress: Regex<Substring> {
    #/(?:[a-z0-9][a-z0-9_-]{0,62}:)?[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]*@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?/#
  }

  private static func properties(_ text: String) -> [String: String]? {
    var properties: [String: String] = [:]
    for property in text.split(whereSeparator: { $0 == ";" || $0.isNewline }) {
      guard let equals = property.firstIndex(of: "="), equals != property.startIndex else { return nil }
      properties[String(property[..<equals])] = String(property[property.index(after: equals)...])
    }
    return properties
  }
}
