import Canonical
import Channels
import Engine
import Logging
import Postgres
import Store
import Synchronization

/// Commits what agents report and do, whatever it takes: retries, halves and bisects as the faults demand, and buries what nobody can
/// take.
final class RouteIntakeWriter: Sendable {
  private let db: PostgresConnection
  private let topicPrefix: String
  private let policy: @Sendable () -> RoutingPolicy
  private let marks: RouteMarks
  private let logger: Logger
  private let isAbandoned = Mutex(false)

  init(
    db: PostgresConnection, topicPrefix: String, policy: @escaping @Sendable () -> RoutingPolicy, marks: RouteMarks,
    logger: Logger
  ) {
    self.db = db
    self.topicPrefix = topicPrefix
    self.policy = policy
    self.marks = marks
    self.logger = logger
  }

  /// Gives up what is under way, at its next attempt: its records are read again by whoever is given their partitions.
  func abandon() { isAbandoned.withLock { $0 = true } }

  /// Commits all records; false when abandoned. Throws only for faults that are our own bugs, and when its task is cancelled.
  func write(_ records: [NormalisedRecord]) async throws -> Bool {
    isAbandoned.withLock { $0 = false }
    let intake = RouteIntake(policy: policy(), topicPrefix: topicPrefix)
    // Of actions that say what cannot be done, ingest writes the letters; what Kafka did not hand over to the router, it may have handed
    // over to ingest.
    var letters = records.filter { record in
      record.isRejected && (record.record.topic == topicPrefix + "agent.presence" || record.isGap)
    }
    var slices = [records]
    var attempts = BatchAttempts()
    while let slice = slices.first {
      do throws(PostgresFault) {
        let commit = try await db.perform { db throws(PostgresFault) in
          try intake.commit(slice, seed: UInt64.random(in: 0 ... .max), on: db)
        }
        slices.removeFirst()
        attempts = .init()
        for key in commit.conversations { marks.mark(key.tenant, conversation: key.value) }
        for key in commit.agents { marks.mark(key.tenant, agent: key.value) }
        marks.ring()
        log(commit)
      } catch {
        failed("reports not committed", error, slice.count)
        if isAbandoned.withLock({ $0 }) { return false }
        switch attempts.failed(error, count: slice.count) {
        case .stop: throw error
        case .again(let attempt): try await pause(attempt)
        case .halve:
          slices.replaceSubrange(0..<1, with: [Array(slice[..<(slice.count / 2)]), Array(slice[(slice.count / 2)...])])
        case .reject(let reason):
          letters.append(slice[0].with([.rejected(Rejection(reason, "SQLSTATE \(error.sqlState)"))]))
          slices.removeFirst()
        }
      }
    }
    for letter in letters where try await !bury(letter) { return false }
    return true
  }

  /// Writes the dead letter; false when abandoned. One that the database does not take either is only told of: it would be read again,
  /// and refused, for ever.
  private func bury(_ letter: NormalisedRecord) async throws -> Bool {
    let topicPrefix = topicPrefix
    var letter = letter
    var isBare = false
    var attempt = 0
    while true {
      let now = WallClock.now()
      let dead = letter
      do throws(PostgresFault) {
        try await db.perform { db throws(PostgresFault) in
          try db.transaction(settings: RouteDesk.transactionSettings) { () throws(PostgresFault) in
            try dead.bury(
              topicPrefix: topicPrefix, milliseconds: UInt64(max(0, now.microseconds / 1_000)),
              seed: UInt64.random(in: 0 ... .max), on: db)
          }
        }
        logger.warning("dead letters", metadata: ["event.action": "dead_letter", "count": "1"])
        return true
      } catch {
        attempt += 1
        failed("dead letter not committed", error, 1)
        if isAbandoned.withLock({ $0 }) { return false }
        switch error.disposition {
        case .reconnect, .backOff, .replan, .halve: try await pause(attempt)
        case .bisect, .stop:
          guard isBare else {
            // Where it was says enough; its bytes may be what is not taken.
            (letter, isBare, attempt) = (letter.bare, true, 0)
            continue
          }
          logger.error(
            "a dead letter is lost: SQLSTATE \(error.sqlState)",
            metadata: [
              "event.action": "dead_letter_lost", "messaging.destination.name": "\(letter.record.topic)",
              "messaging.destination.partition.id": "\(letter.record.partition)", "offset": "\(letter.record.offset)",
            ])
          return true
        }
      }
    }
  }

  private func failed(_ what: String, _ fault: PostgresFault, _ count: Int) {
    WorkerMetrics.retried(fault.sqlState)
    logger.warning(
      "\(what): \(fault)",
      metadata: ["event.action": "batch_retry", "error.type": "\(fault.sqlState)", "records": "\(count)"])
  }

  private func pause(_ attempt: Int) async throws {
    try await Task.sleep(for: Backoff.fullJitter(attempt, first: 10, limit: 1_000))
  }

  private func log(_ commit: RouteIntake.Commit) {
    for (kind, refusal) in commit.actions {
      guard let refusal else { continue }
      logger.info("action refused", metadata: ["event.action": "refused", "kind": "\(kind)", "error.type": "\(refusal)"])
    }
    logger.debug(
      "reports committed",
      metadata: ["event.action": "committed", "actions": "\(commit.actions.count)", "reports": "\(commit.reports)"])
  }
}

extension NormalisedRecord {
  fileprivate var isGap: Bool {
    elements.contains { element in
      if case .rejected(let rejection) = element { [.offsetsTrimmed, .unreadable].contains(rejection.reason) } else { false }
    }
  }
}
