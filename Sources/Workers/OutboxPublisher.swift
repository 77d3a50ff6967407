import Canonical
import Kafka
import Logging
import Postgres
import Store
import Synchronization

/// Publishes the outbox: at least once, in order of `seq` per subject and topic, by whoever holds a shard's lease.
///
/// It reads on while the broker answers (`OutboxFlight`): what can not be delivered holds up its own topic, in the end, and no other.
public final class OutboxPublisher: Sendable {
  private static let rowsPerShard = 28
  /// Until what failed is sent again, and what the broker refuses.
  private static let pause = Duration.milliseconds(200)
  private static let refusalPause = Duration.seconds(5)

  private let outbox: Outbox
  private let db: PostgresConnection
  private let producer: KafkaProducer
  private let logger: Logger
  private let flight = Mutex(OutboxFlight())

  public init(outbox: Outbox, db: PostgresConnection, producer: KafkaProducer, logger: Logger) {
    self.outbox = outbox
    self.db = db
    self.producer = producer
    self.logger = logger
  }

  /// Runs until its task is cancelled, or until a fault that no retry cures; then gives the shards back.
  public func run() async throws {
    do {
      try await withThrowingDiscardingTaskGroup { group in
        try await publish(&group)
        // What is under way ends within the time that a cancelled send has.
        group.cancelAll()
      }
    } catch {
      await release()
      throw error
    }
    await release()
  }

  private func release() async {
    try? await db.perform { [outbox] db throws(PostgresFault) in try outbox.release(on: db) }
  }

  private func publish(_ group: inout ThrowingDiscardingTaskGroup<any Error>) async throws {
    var shards: [Int16] = []
    var renewAt = ContinuousClock.now
    var sweepAt = ContinuousClock.now
    var attempt = 0
    // A delivery that fails for good cancels the group.
    while !Task.isCancelled && !group.isCancelled {
      do throws(PostgresFault) {
        if ContinuousClock.now >= renewAt {
          // Renewed at a third of the lease, so that one slow round does not lose it.
          renewAt = .now + .seconds(outbox.leaseSeconds / 3)
          let leased = try await db.perform { [outbox] db throws(PostgresFault) in try outbox.lease(on: db) }
          shards = leased
          flight.withLock { $0.keep(leased) }
          WorkerMetrics.outboxAge(
            try await db.perform { [outbox] db throws(PostgresFault) in try outbox.oldestAgeSeconds(on: db) })
        }
        if ContinuousClock.now >= sweepAt {
          let expired = try await db.perform { [outbox] db throws(PostgresFault) in try outbox.sweep(on: db) }
          // More of them may be left: they have a second each thousand, and events go first.
          sweepAt = .now + .seconds(expired > 0 ? 1 : 3_600)
          if expired > 0 {
            logger.notice(
              "parked events whose message never came were removed",
              metadata: ["event.action": "parked_expired", "events": "\(expired)"])
          }
        }
        let (departing, isWaiting) = try await read(shards)
        attempt = 0
        if departing.isEmpty {
          // Something else of a subject under way follows as soon as that has landed.
          try? await Task.sleep(for: .milliseconds(isWaiting ? 20 : 50))
        } else {
          for records in departing {
            group.addTask { try await self.deliver(records) }
          }
        }
      } catch {
        attempt += 1
        warn("outbox waits", error.sqlState, ["attempt": "\(attempt)"])
        try? await Task.sleep(for: Backoff.fullJitter(attempt, first: 20, limit: 2_000))
      }
    }
  }

  /// What is to be sent now, and whether there was more.
  private func read(_ shards: [Int16]) async throws(PostgresFault) -> (departing: [[OutboxRecord]], isWaiting: Bool) {
    let (rows, topics, isFull) = flight.withLock { ($0.rows, $0.fullTopics, $0.isFull) }
    var read: [[OutboxRecord]] = []
    if !shards.isEmpty && !isFull {
      read = try await db.perform { [outbox] db throws(PostgresFault) in
        try outbox.read(shards: shards, limit: Self.rowsPerShard, without: rows, topics: topics, on: db)
      }
    }
    return flight.withLock { flight in
      flight.take(read)
      return (flight.depart(), flight.isWaiting)
    }
  }

  /// Sends the records and deletes the rows of which the broker has all now; what failed is sent again after a while.
  private func deliver(_ records: [OutboxRecord]) async throws {
    let (done, pause) = try await send(records)
    // A subject of which something has failed is not let go before that is sent again.
    let (whole, broken, doneOfBroken) = OutboxFlight.separate(records, done: done)
    await land(whole, done: whole)
    guard let pause else { return }
    try? await Task.sleep(for: pause)
    await land(broken, done: doneOfBroken)
  }

  private func land(_ records: [OutboxRecord], done: [OutboxRecord]) async {
    let finished = flight.withLock { $0.land(records, done: done) }
    do throws(PostgresFault) {
      try await db.perform { [outbox] db throws(PostgresFault) in try outbox.delete(finished, on: db) }
    } catch {
      warn("outbox waits", error.sqlState, [:])
      try? await Task.sleep(for: Self.pause)
    }
    // What could not be deleted is read, and published, again.
    flight.withLock { $0.close(finished) }
  }

  /// Returns what is done with, and how long to wait with the others, if there are any.
  private func send(_ records: [OutboxRecord]) async throws(KafkaFault) -> (done: [OutboxRecord], pause: Duration?) {
    do throws(KafkaFault) {
      var results = try await producer.send(records.map(\.record))
      var refused: Set<OutboxSubject> = []
      for index in OutboxFlight.suspects(records, results) where !refused.contains(records[index].orderedBy) {
        // The rest is sent again by whoever comes next.
        guard !Task.isCancelled else { break }
        results[index] = try await producer.send([records[index].record])[0]
        if case .failure = results[index] { refused.insert(records[index].orderedBy) }
      }
      let (done, faults) = OutboxFlight.settle(records, results)
      let refusals = faults.filter { $0.fault.disposition == .deadLetter }
      for (record, fault) in refusals {
        logger.error(
          record.isLetter ? "dead letter can not be published" : "event can not be published: the broker refuses it",
          metadata: [
            "event.action": "outbox_rejected", "error.type": "\(fault.name)", "messaging.destination.name": "\(record.topic)",
          ])
      }
      if let (record, fault) = faults.first(where: { $0.fault.disposition != .deadLetter }) {
        let count = faults.count - refusals.count
        warn("events not acknowledged", fault.name, ["count": "\(count)", "messaging.destination.name": "\(record.topic)"])
      }
      guard done.count < records.count else { return (done, nil) }
      return (done, faults.count > refusals.count ? Self.pause : Self.refusalPause)
    } catch  where error.disposition != .stop || Task.isCancelled {
      warn("outbox waits", error.name, [:])
      return ([], Self.pause)
    }
  }

  private func warn(_ message: Logger.Message, _ kind: String, _ metadata: Logger.Metadata) {
    logger.warning(
      message, metadata: metadata.merging(["event.action": "outbox_retry", "error.type": "\(kind)"]) { own, _ in own })
  }
}

extension OutboxRecord {
  fileprivate var record: ProducerRecord {
    ProducerRecord(topic: topic, key: key, value: value, headers: headers.map { KafkaHeader($0.name, $0.value) })
  }
}
