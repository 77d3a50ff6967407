import Kafka
import Logging
import Operations
import UnixSignals
import Workers

extension IngestWorker {
  /// A worker as the configuration describes it.
  convenience init(
    _ configuration: Operations.Configuration, instance: String, logger: Logger, onAssigned: @escaping @Sendable () -> Void = {}
  ) {
    var settings = Settings(
      consumerGroup: configuration.consumerGroup, topicPrefix: configuration.topicPrefix, instance: instance)
    settings.batchRecords = configuration.batchRecords
    settings.onAssigned = onAssigned
    self.init(
      settings: settings,
      kafka: KafkaConfiguration(
        bootstrapServers: configuration.kafkaBootstrapServers, clientID: instance, properties: configuration.kafkaProperties,
        logger: logger),
      databaseURL: configuration.databaseURL, logger: logger)
  }

  /// Runs until the first of the signals has been obeyed, or until a fault that no retry cures.
  func run(until signals: UnixSignalsSequence) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in signals { self.stop() } }
      try await self.run()
      group.cancelAll()
    }
  }
}
