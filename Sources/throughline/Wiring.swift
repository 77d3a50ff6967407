import Foundation
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
  func run(until signals: UnixSignalsSequence, logger: Logger) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for await _ in signals {
          self.stop()
          break
        }
        // A server that neither answers nor hangs up would keep the last batch for ever; what is not committed is read again.
        try await Task.sleep(for: .seconds(25))
        logger.critical("not drained in time", metadata: ["event.action": "drain_timeout"])
        exit(1)
      }
      try await self.run()
      group.cancelAll()
    }
  }
}
