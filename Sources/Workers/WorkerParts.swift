import Kafka
import Logging
import Postgres
import Store

/// What both workers do around their loops.
enum WorkerParts {
  /// No statement of ours waits for ever for somebody who stands still with a lock in its hand.
  static let sessionSettings = Queries.settings + ["statement_timeout = '30s'"]

  /// A worker that starts before its database, or before `migrate`, waits for them. False when it is told to stop instead.
  static func waitForSchema(
    _ db: PostgresConnection, signals: WorkerSignals, logger: Logger, isStopping: () -> Bool
  ) async throws -> Bool {
    var attempt = 0
    while !isStopping() {
      do throws(Migrations.Fault) {
        try await db.perform({ db throws(Migrations.Fault) in try Migrations.verify(on: db) }, mapping: { .postgres($0) })
        signals.isReady(.database, true)
        signals.isReady(.schema, true)
        return true
      } catch {
        switch error {
        case .postgres(let fault) where fault.disposition == .stop: throw error
        case .changed, .newer: throw error
        case .postgres, .missing: attempt += 1
        }
        signals.progressed()
        signals.status("waiting for the database: \(error.label)")
        logger.warning(
          "waiting for the database: \(error)", metadata: ["event.action": "waiting", "error.type": "\(error.label)"])
        try await Task.sleep(for: Backoff.fullJitter(attempt, first: 50, limit: 5_000))
      }
    }
    return false
  }

  /// Says whether Kafka answers, every two seconds until its task is cancelled.
  ///
  /// - Parameter alsoEach: called each time, after that.
  static func watch(
    _ consumer: KafkaConsumer, signals: WorkerSignals, logger: Logger, alsoEach: () async -> Void = {}
  ) async throws {
    var wasReachable = true
    while true {
      let isReachable = await consumer.isReachable(within: .seconds(1))
      signals.isReady(.kafka, isReachable)
      if isReachable != wasReachable {
        logger.warning(
          isReachable ? "Kafka answers again" : "Kafka does not answer: waiting",
          metadata: ["event.action": isReachable ? "kafka_back" : "kafka_away"])
      }
      wasReachable = isReachable
      await alsoEach()
      try await Task.sleep(for: .seconds(2))
    }
  }

  /// Publishes the outbox until its task is cancelled, or until a fault that no retry cures.
  ///
  /// - Parameter owner: unique among all publishers.
  static func publish(
    _ kafka: KafkaConfiguration, databaseURL: String, owner: String, leaseSeconds: Double, topicPrefix: String, logger: Logger
  ) async throws {
    var kafka = kafka
    // An event that timed out while a later one of its subject got through would be out of order: none times out.
    kafka.properties["delivery.timeout.ms"] = "0"
    let producer = try KafkaProducer(configuration: kafka)
    await producer.prepare(topics: ["conversation.events", "routing.events"].map { topicPrefix + $0 })
    let db = PostgresConnection(
      url: databaseURL, applicationName: "throughline-outbox", settings: sessionSettings + Outbox.settings)
    let outbox = Outbox(owner: owner, leaseSeconds: leaseSeconds)
    do {
      try await OutboxPublisher(outbox: outbox, db: db, producer: producer, logger: logger).run()
    } catch {
      await producer.close()
      throw error
    }
    await producer.close()
  }
}

extension Migrations.Fault {
  fileprivate var label: String {
    switch self {
    case .postgres(let fault): fault.sqlState
    case .changed: "schema_changed"
    case .newer: "schema_newer"
    case .missing: "schema_missing"
    }
  }
}
