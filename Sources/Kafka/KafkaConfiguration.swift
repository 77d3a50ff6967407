import Logging

/// How to reach Kafka.
public struct KafkaConfiguration: Sendable {
  /// `host:port`, separated by commas.
  public var bootstrapServers: String
  /// What brokers show in their logs and quotas.
  public var clientID: String
  /// Any librdkafka property (CONFIGURATION.md), TLS and SASL among them; they override all defaults.
  public var properties: [String: String]
  /// Receives librdkafka's own lines, from its threads.
  public var logger: Logger

  public init(
    bootstrapServers: String, clientID: String = "throughline", properties: [String: String] = [:], logger: Logger
  ) {
    self.bootstrapServers = bootstrapServers
    self.clientID = clientID
    self.properties = properties
    self.logger = logger
  }
}
