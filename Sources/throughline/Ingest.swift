import ArgumentParser
import Kafka
import Operations
import UnixSignals
import Workers

struct Ingest: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Consume the channel topics and write customers, conversations and messages.",
    discussion: """
      Start as many as you like: they share the work. Settings come from the environment: THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS,
      THROUGHLINE_DATABASE_URL, THROUGHLINE_TOPIC_PREFIX, THROUGHLINE_CONSUMER_GROUP, THROUGHLINE_LOG_LEVEL,
      THROUGHLINE_BATCH_RECORDS, THROUGHLINE_KAFKA_PROPERTIES (name=value;…, any librdkafka property).
      SIGTERM finishes the batch in flight and hands everything back.
      """)

  func run() async throws {
    let configuration = try loadConfiguration()
    let instance = instanceName()
    let logger = makeLogger("ingest", level: configuration.logLevel, service: "throughline-ingest", instance: instance)
    let worker = IngestWorker(configuration, instance: instance, logger: logger)
    do {
      try await worker.run(until: UnixSignalsSequence(trapping: .sigterm, .sigint), logger: logger)
    } catch {
      logger.critical("ingest failed: \(error)", metadata: ["event.action": "failed", "error.type": "\(type(of: error))"])
      throw ExitCode.failure
    }
  }
}
