import ArgumentParser
import Channels
import Demo
import Engine
import Foundation
import Kafka
import Logging
import Operations
import Postgres
import UnixSignals
import Workers

struct Dev: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Everything on this machine: a broker, a throwaway PostgreSQL and both workers, gone when it ends.",
    discussion: "Writes the settings to .throughline/dev.env for other commands.")

  @Option(help: "Partitions of each topic.") var partitions = 3
  @Flag(help: "Plays a sample day: six scenes, and several hundred other customers. Logs go to .throughline/demo.log.") var demo =
    false
  @Flag(help: "With --demo: ends with the day, with exit code 1 when a scene is not as it must be.") var once = false

  func run() async throws {
    try FileManager.default.createDirectory(atPath: Self.folder, withIntermediateDirectories: true)
    let log = demo ? open(Self.demoLog, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) : 2
    let surroundings = Surroundings(service: "throughline-dev", level: .info, to: log >= 0 ? log : 2)
    // Before anything is started that a signal would have to stop.
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    let server = try await ThrowawayServer()
    let broker = try EmbeddedBroker(logger: surroundings.logger)
    let read = Set(Formats.topics + Formats.routeTopics)
    for topic in read.union(read.map { "dlq." + $0 }).union(SampleDay.topics).sorted() {
      try await broker.createTopic(topic, partitions: partitions)
    }
    _ = try await migrate(server.url)
    let environment = [
      "THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrapServers, "THROUGHLINE_DATABASE_URL": server.url,
      "THROUGHLINE_TOKEN_SECRET": "dev-" + (0..<4).map { _ in String(UInt64.random(in: 0 ... .max), radix: 36) }.joined(),
    ]
    defer { try? FileManager.default.removeItem(atPath: Self.settingsFile) }
    let isGood = try await run(surroundings, environment, until: signals)
    await server.stop()
    await broker.close()
    if !isGood { throw ExitCode.failure }
  }

  /// Runs the workers and whatever else there is to see; false when a scene is not as it must be.
  private func run(
    _ surroundings: Surroundings, _ environment: [String: String], until signals: UnixSignalsSequence
  ) async throws -> Bool {
    let configuration = try Operations.Configuration(environment: environment)
    let kafka = KafkaConfiguration(configuration, surroundings)
    let (ready, isReady) = AsyncStream<Void>.makeStream()
    let (leased, isLeased) = AsyncStream<Void>.makeStream()
    let workers: [any Worker] = [
      IngestWorker(configuration, surroundings) { isReady.yield() },
      RouteWorker(
        configuration, policy: demo ? try RoutingPolicyFile.parse(SampleDay.routingPolicy) : RoutingPolicy(), surroundings,
        onAssigned: { isReady.yield() }, onTenants: { if !$0.isEmpty { isLeased.yield() } }),
    ]
    return try await withThrowingTaskGroup(of: Ended.self) { group in
      group.addTask {
        for await _ in signals { break }
        try await surroundings.stop(workers)
        return .other
      }
      group.addTask {
        try await withThrowingTaskGroup(of: Void.self) { running in
          for worker in workers { running.addTask { try await worker.run() } }
          try await running.waitForAll()
        }
        return .workers
      }
      // Only when both read does a record find somebody.
      var signs = ready.makeAsyncIterator()
      group.addTask {
        for _ in workers { await signs.next() }
        guard demo else { return .reading }
        try Self.write(environment)
        return .day(isGood: try await play(kafka, configuration.databaseURL, surroundings.logger))
      }
      defer { group.cancelAll() }
      // A day that is broken off has shown nothing.
      var isGood = !(demo && once)
      while let ended = try await group.next() {
        switch ended {
        case .workers: return isGood
        case .day(let wasGood):
          isGood = wasGood
          if once { for worker in workers { worker.stop() } }
        case .reading:
          group.addTask {
            try await DeskStaff(kafka: kafka, topicPrefix: "", logger: surroundings.logger).keepOnline()
            return .other
          }
          group.addTask {
            // And only when somebody decides for the tenant of these agents is it found at once.
            for await _ in leased { break }
            try Self.write(environment)
            Self.print(Self.greeting(environment))
            return .other
          }
        case .other: continue
        }
      }
      return isGood
    }
  }

  private enum Ended: Sendable {
    case workers
    /// Both workers have their partitions.
    case reading
    case day(isGood: Bool)
    case other
  }

  private func play(_ kafka: KafkaConfiguration, _ databaseURL: String, _ logger: Logger) async throws -> Bool {
    let day = SampleDay(
      kafka: kafka, databaseURL: databaseURL, logger: logger, isTerminal: isatty(1) == 1, output: { Self.print($0) })
    let results = try await day.run()
    day.report(results)
    return results.allSatisfy(\.isAsItMustBe)
  }

  private static func print(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

  private static let folder = ".throughline"
  private static let demoLog = folder + "/demo.log"
  private static let settingsFile = folder + "/dev.env"

  private static func write(_ environment: [String: String]) throws {
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
