import Logging

/// What an operator decides, read once at the start from the environment.
public struct Configuration: Sendable, Equatable {
  public var kafkaBootstrapServers: String
  /// Any librdkafka property, from `THROUGHLINE_KAFKA_PROPERTIES` as `name=value` separated by `;`.
  public var kafkaProperties: [String: String]
  /// A libpq connection string or URL. Holds a secret: never printed.
  public var databaseURL: String
  /// In front of every topic's name.
  public var topicPrefix: String
  public var consumerGroup: String
  public var logLevel: Logger.Level
  public var batchRecords: Int

  /// Every problem of an environment, in the order of the names.
  public struct Problems: Error, Sendable, Equatable, CustomStringConvertible {
    public var problems: [String]
    public var description: String { problems.joined(separator: "\n") }
  }

  /// - Throws: all problems at once; values are not repeated, they may be secrets.
  public init(environment: [String: String]) throws(Problems) {
    var problems: [String] = []
    func required(_ name: String) -> String {
      guard let value = environment[name], !value.isEmpty else {
        problems.append("\(name) is not set")
        return ""
      }
      return value
    }
    kafkaBootstrapServers = required("THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS")
    databaseURL = required("THROUGHLINE_DATABASE_URL")
    topicPrefix = environment["THROUGHLINE_TOPIC_PREFIX"] ?? ""
    if !topicPrefix.utf8.allSatisfy({
      ($0 >= 0x61 && $0 <= 0x7a) || ($0 >= 0x41 && $0 <= 0x5a) || ($0 >= 0x30 && $0 <= 0x39) || [0x2e, 0x5f, 0x2d].contains($0)
    }) {
      problems.append("THROUGHLINE_TOPIC_PREFIX has characters that topics can not have: letters, digits, '.', '_' and '-' only")
    }
    consumerGroup = environment["THROUGHLINE_CONSUMER_GROUP"] ?? "throughline-ingest"
    if consumerGroup.isEmpty { problems.append("THROUGHLINE_CONSUMER_GROUP is empty") }
    let level = environment["THROUGHLINE_LOG_LEVEL"] ?? "info"
    logLevel = Logger.Level(rawValue: level) ?? .info
    if Logger.Level(rawValue: level) == nil {
      problems.append("THROUGHLINE_LOG_LEVEL is none of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let records = environment["THROUGHLINE_BATCH_RECORDS"] ?? "1000"
    batchRecords = Int(records) ?? 1_000
    if !(Int(records).map { (1...10_000).contains($0) } ?? false) {
      problems.append("THROUGHLINE_BATCH_RECORDS is not a whole number from 1 to 10000")
    }
    kafkaProperties = [:]
    for property in (environment["THROUGHLINE_KAFKA_PROPERTIES"] ?? "").split(separator: ";") {
      guard let equals = property.firstIndex(of: "="), equals != property.startIndex else {
        problems.append("THROUGHLINE_KAFKA_PROPERTIES has an entry without '='")
        continue
      }
      kafkaProperties[String(property[..<equals])] = String(property[property.index(after: equals)...])
    }
    guard problems.isEmpty else { throw Problems(problems: problems) }
  }
}
