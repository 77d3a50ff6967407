import ArgumentParser
import Channels
import Foundation
import Kafka
import Operations
import Postgres
import UnixSignals
import Workers

struct Dev: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Everything on this machine: a broker, a throwaway PostgreSQL and an ingest worker, gone when it ends.",
    discussion: "Writes the settings to .throughline/dev.env for other commands.")

  @Option(help: "Partitions of each topic.") var partitions = 3

  func run() async throws {
    let instance = instanceName()
    let logger = makeLogger("dev", level: .info, service: "throughline-dev", instance: instance, to: 2)
    // Before anything is started that a signal would have to stop.
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    let server = try await ThrowawayServer()
    let broker = try EmbeddedBroker(logger: logger)
    let topics = Formats.topics + ["conversation.events"] + Formats.topics.map { "dlq." + $0 }
    for topic in topics { try await broker.createTopic(topic, partitions: partitions) }
    _ = try await migrate(server.url)

    let environment = [
      "THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrapServers, "THROUGHLINE_DATABASE_URL": server.url,
    ]
    defer { try? FileManager.default.removeItem(atPath: Self.settingsFile) }
    // Only now does a record find somebody who reads it.
    let worker = IngestWorker(try Operations.Configuration(environment: environment), instance: instance, logger: logger) {
      do {
        try Self.write(environment)
        FileHandle.standardOutput.write(Data(Self.greeting(environment).utf8))
      } catch {
        logger.error(
          "can not write \(Self.settingsFile)", metadata: ["event.action": "settings_not_written", "error.type": "\(error)"])
      }
    }
    try await worker.run(until: signals, logger: logger)
    await server.stop()
    await broker.close()
  }

  private static let settingsFile = ".throughline/dev.env"

  private static func write(_ environment: [String: String]) throws {
    try FileManager.default.createDirectory(atPath: ".throughline", withIntermediateDirectories: true)
    let settings = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
    try settings.write(toFile: settingsFile, atomically: true, encoding: .utf8)
  }

  private static func greeting(_ environment: [String: String]) -> String {
    """
    throughline dev is ready. Its settings are in .throughline/dev.env; Ctrl-C ends everything.

    Publish a chat message, in another terminal in this folder:

      . .throughline/dev.env
      echo '{"event":"message.created","event_id":"e1","conversation_id":"c_1","visitor":{"id":"v_1","name":"Ana"},\
    "message":{"id":"m1","text":"Where is my order?"}}' |
        kcat -P -b $THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS -t channel.chat -k v_1 -H ce_specversion=1.0 -H ce_id=d1 \\
          -H ce_type=chat.event -H ce_source=/channels/chat/w_shop -H content-type=application/json

    See what became of it:

      psql $THROUGHLINE_DATABASE_URL -c 'SELECT channel, direction, text, conversation_id, customer_id FROM throughline.message'
      kcat -C -e -b $THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS -t conversation.events

    """
  }
}
