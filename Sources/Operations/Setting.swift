/// What operators can set: one name in every source.
public enum Setting: String, CaseIterable, Sendable {
  case kafkaBootstrapServers = "kafka_bootstrap_servers"
  case kafkaProperties = "kafka_properties"
  case databaseURL = "database_url"
  case topicPrefix = "topic_prefix"
  case consumerGroup = "consumer_group"
  case routeConsumerGroup = "route_consumer_group"
  case logLevel = "log_level"
  case batchRecords = "batch_records"
  case httpListen = "http_listen"
  case tokenSecret = "token_secret"
  case routingPolicy = "routing_policy"
  case ownMailboxes = "own_mailboxes"
  case formRelays = "form_relays"

  public var variable: String { "THROUGHLINE_" + rawValue.uppercased() }
  public var flag: String { "--" + rawValue.split(separator: "_").joined(separator: "-") }

  /// Secrets are never printed, and can come from a file: `…_FILE`, `…_file`, or a systemd credential of this name.
  public var isSecret: Bool {
    switch self {
    // Passwords of SASL and of keys are among the properties.
    case .databaseURL, .kafkaProperties, .tokenSecret: true
    default: false
    }
  }

  /// What holds when no source says anything.
  var standard: String? {
    switch self {
    case .topicPrefix: ""
    case .consumerGroup: "throughline-ingest"
    case .routeConsumerGroup: "throughline-route"
    case .logLevel: "info"
    case .batchRecords: "1000"
    // A free port of the loopback: there are many workers on a host. The log names it.
    case .httpListen: "127.0.0.1:0"
    default: nil
    }
  }
}
