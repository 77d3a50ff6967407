import Canonical
import Kafka
import Logging
import Postgres
import Store

/// Publishes the outbox: at least once, in order of `seq` per subject and topic, by whoever holds a shard's lease.
public struct OutboxPublisher: Sendable {
  private let outbox: Outbox
  private let db: PostgresConnection
  private let producer: KafkaProducer
  private let logger: Logger
  private let limitPerShard = 250

  public init(outbox: Outbox, db: PostgresConnection, producer: KafkaProducer, logger: Logger) {
    self.outbox = outbox
    self.db = db
    self.producer = producer
    self.logger = logger
  }

  /// Runs until its task is cancelled, or until a fault that no retry cures; then gives the shards back.
  public func run() async throws {
    do {
      try await publishUntilCancelled()
    } catch {
      await release()
      throw error
    }
    await release()
  }

  private func release() async {
    try? await db.perform { [outbox] db throws(PostgresFault) in try outbox.release(on: db) }
  }

  private func publishUntilCancelled() async throws {
    var shards: [Int16] = []
    var renewAt = ContinuousClock.now
    var sweepAt = ContinuousClock.now
    var attempt = 0
    while !Task.isCancelled {
      do {
        if ContinuousClock.now >= renewAt {
          // Renewed at a third of the lease, so that one slow round does not lose it.
          renewAt = .now + .seconds(outbox.leaseSeconds / 3)
          shards = try await db.perform { [outbox] db throws(PostgresFault) in try outbox.lease(on: db) }
          WorkerMetrics.outboxAge(
            try await db.perform { [outbox] db throws(PostgresFault) in try outbox.oldestAgeSeconds(on: db) })
        }
        if ContinuousClock.now >= sweepAt {
          sweepAt = .now + .seconds(3_600)
          try await db.perform { [outbox] db throws(PostgresFault) in try outbox.sweep(on: db) }
        }
        let published = try await publish(shards)
        attempt = 0
        if published == 0 { try await Task.sleep(for: .milliseconds(50)) }
      } catch is CancellationError {
        break
      } catch let fault as KafkaFault where fault.disposition == .stop {
        throw fault
      } catch {
        attempt += 1
        let kind = (error as? PostgresFault)?.sqlState ?? (error as? KafkaFault)?.name ?? "\(type(of: error))"
        logger.warning(
          "outbox waits", metadata: ["event.action": "outbox_retry", "error.type": "\(kind)", "attempt": "\(attempt)"])
        try? await Task.sleep(for: Backoff.fullJitter(attempt, first: 20, limit: 2_000))
      }
    }
  }

  /// One round; how many records left.
  func publish(_ shards: [Int16]) async throws -> Int {
    guard !shards.isEmpty else { return 0 }
    let limit = limitPerShard
    let records = try await db.perform { [outbox] db throws(PostgresFault) in
      try outbox.read(shards: shards, limit: limit, on: db)
    }
    guard !records.isEmpty else { return 0 }
    let results = try await producer.send(
      records.map { record in
        ProducerRecord(
          topic: record.topic, key: record.key, value: record.value,
          headers: record.headers.map { KafkaHeader($0.name, $0.value) })
      })
    let (acknowledged, faults) = Self.settle(records, results)
    for (record, fault) in faults where fault.disposition == .deadLetter {
      // The broker will never take it; the row it tells of is in the database.
      logger.error(
        "event can not be published",
        metadata: [
          "event.action": "outbox_rejected", "error.type": "\(fault.name)", "messaging.destination.name": "\(record.topic)",
        ])
    }
    try await db.perform { [outbox] db throws(PostgresFault) in try outbox.delete(acknowledged, on: db) }
    let waiting = faults.filter { $0.fault.disposition != .deadLetter }
    if let (_, fault) = waiting.first {
      logger.warning(
        "events not acknowledged",
        metadata: ["event.action": "outbox_retry", "error.type": "\(fault.name)", "count": "\(waiting.count)"])
      try await Task.sleep(for: .milliseconds(200))
    }
    return acknowledged.count
  }

  /// What is done with, and what failed. What follows a failure of the same subject and topic stays for the next round, so that its
  /// order holds.
  static func settle(
    _ records: [OutboxRecord], _ results: [Result<Int64, KafkaFault>]
  ) -> (done: [OutboxRecord], faults: [(record: OutboxRecord, fault: KafkaFault)]) {
    var done: [OutboxRecord] = []
    var faults: [(record: OutboxRecord, fault: KafkaFault)] = []
    var blocked: Set<String> = []
    for (record, result) in zip(records, results) where !blocked.contains(record.orderedBy) {
      if case .failure(let fault) = result {
        faults.append((record, fault))
        if fault.disposition != .deadLetter {
          blocked.insert(record.orderedBy)
          continue
        }
      }
      done.append(record)
    }
    return (done, faults)
  }
}

extension OutboxRecord {
  /// Order is promised within a subject and topic.
  fileprivate var orderedBy: String { topic + "/" + String(decoding: key ?? [], as: UTF8.self) }
}
