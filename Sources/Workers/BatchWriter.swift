import Canonical
import Engine
import Logging
import Postgres
import Store
import Synchronization

/// Commits batches, whatever it takes: retries, halves and bisects as the faults demand (operations.md, recipe steps 4 to 6).
///
/// One per worker, on one connection; calls come one after the other.
final class BatchWriter: Sendable {
  /// After so many failures for reasons that pass, a batch is halved; a record alone becomes a dead letter.
  private static let maximumAttempts = 8

  private let db: PostgresConnection
  private let pipeline: IngestPipeline
  private let logger: Logger
  private let signals: WorkerSignals
  private let clock: @Sendable () -> Timestamp
  private let isAbandoned = Mutex(false)
  /// The connection that the claim rows name.
  private let adopted = Mutex(0)

  init(
    db: PostgresConnection, pipeline: IngestPipeline, logger: Logger, signals: WorkerSignals = .init(),
    clock: @escaping @Sendable () -> Timestamp
  ) {
    self.db = db
    self.pipeline = pipeline
    self.logger = logger
    self.signals = signals
    self.clock = clock
  }

  /// Gives up what is under way, at its next attempt.
  func abandon() { isAbandoned.withLock { $0 = true } }

  /// Claims the partitions, however long the database takes; empty when abandoned.
  func claim(_ partitions: [TopicAndPartition]) async throws(PostgresFault) -> [OffsetClaim] {
    let claims = pipeline.claims
    return try await persevere("claim") { () async throws(PostgresFault) in
      try await self.db.perform { db throws(PostgresFault) in
        try claims.claim(partitions.map { ($0.topic, $0.partition) }, patienceMilliseconds: 5_000, on: db)
      }
    } ?? []
  }

  /// Hands claims back; when that fails the next claimant does without.
  func release(_ held: [OffsetClaim]) async {
    let claims = pipeline.claims
    try? await db.perform { db throws(PostgresFault) in try claims.release(held, on: db) }
  }

  /// Moves a claim to where the broker's records begin, with a dead letter for those that are gone. Nil when the claim is lost.
  func reposition(_ claim: OffsetClaim, low: Int64, high: Int64) async throws(PostgresFault) -> OffsetClaim? {
    let stored = claim.nextOffset ?? 0
    let detail =
      stored < low
      ? "offsets \(stored) to \(low - 1) were deleted before they were read"
      : "the log ends at \(high), before the stored offset \(stored): read again from \(low)"
    return try await move(claim, to: low, Rejection(.offsetsTrimmed, detail), at: stored)
  }

  /// Moves a claim behind a record that Kafka can not hand over, with a dead letter for it. Nil when the claim is lost.
  func stepOver(_ claim: OffsetClaim, offset: Int64) async throws(PostgresFault) -> OffsetClaim? {
    try await move(claim, to: offset + 1, Rejection(.unreadable, "corrupt, or does not decompress"), at: offset)
  }

  private func move(
    _ claim: OffsetClaim, to next: Int64, _ rejection: Rejection, at offset: Int64
  ) async throws(PostgresFault) -> OffsetClaim? {
    let claims = pipeline.claims
    let record = Record(
      topic: claim.topic, partition: claim.partition, offset: offset, timestamp: nil, key: nil, headers: [], value: nil)
    let letter = NormalisedRecord(record: record, tenant: "default", elements: [.rejected(rejection)])
    let (milliseconds, seed) = fresh()
    return try await persevere("reposition") { () async throws(PostgresFault) -> OffsetClaim? in
      try await self.db.perform { db throws(PostgresFault) -> OffsetClaim? in
        try db.transaction(settings: ["lock_timeout = '10s'", "idle_in_transaction_session_timeout = '10s'"]) {
          () throws(PostgresFault) -> OffsetClaim? in
          guard try !claims.lock([claim], on: db).isEmpty else { return nil }
          let ids = IDGenerator(milliseconds: milliseconds, seed: seed)
          let identity = IdentityPlan(records: [letter], seenKeys: [], facts: .init(), policy: self.pipeline.policy, ids: ids)
          let plan = ThreadPlanner.plan(identity, facts: .init(), policy: self.pipeline.policy, ids: ids)
          try IngestWrites.write(plan, identity: identity, topicPrefix: self.pipeline.topicPrefix, on: db)
          try claims.advance([(claim.topic, claim.partition, next)], on: db)
          var moved = claim
          moved.nextOffset = next
          return moved
        }
      }
    } ?? nil
  }

  /// Commits all records, or is abandoned. Throws only for faults that are our own bugs.
  func write(_ records: [NormalisedRecord], under held: [OffsetClaim]) async throws(PostgresFault) -> (
    IngestMachine.Written, outcomes: [(channel: String, outcome: Outcome)]
  ) {
    isAbandoned.withLock { $0 = false }
    var slices = [records]
    var advanced: [TopicAndPartition: OffsetClaim] = [:]
    var fenced: [TopicAndPartition: OffsetClaim] = [:]
    var outcomes: [(channel: String, outcome: Outcome)] = []
    /// Failures in a row, and those of them that are not the server's.
    var attempt = 0
    var races = 0
    while let slice = slices.first {
      let touched = Set(slice.map(\.record.topicAndPartition))
      let claims = held.filter { touched.contains($0.key) && fenced[$0.key] == nil }
      do throws(PostgresFault) {
        let commit = try await self.commit(slice, under: claims)
        slices.replaceSubrange(0..<1, with: commit.rest.isEmpty ? [] : [commit.rest])
        (attempt, races) = (0, 0)
        signals.isReady(.database, true)
        for claim in commit.advanced { advanced[claim.key] = claim }
        for claim in commit.fenced { fenced[claim.key] = claim }
        outcomes += commit.outcomes
      } catch {
        attempt += 1
        logger.warning(
          "batch not committed: \(error)",
          metadata: [
            "event.action": "batch_retry", "error.type": "\(error.sqlState)", "records": "\(slice.count)",
            "attempt": "\(attempt)",
          ])
        failed(error)
        if isAbandoned.withLock({ $0 }) { return (.abandoned, outcomes) }
        switch error.disposition {
        case .stop: throw error
        // Waiting for a lock says nothing about the record that waits: it is halved, and never rejected.
        case .reconnect, .backOff: try await pause(attempt)
        case .halve where error.sqlState == "55P03" && slice.count == 1: try await pause(attempt)
        case .replan, .halve, .bisect:
          races += 1
          let isHopeless =
            error.disposition == .bisect || races >= Self.maximumAttempts || error.disposition == .halve && slice.count > 1
          if !isHopeless {
            try await pause(attempt)
          } else if slice.count > 1 {
            slices.replaceSubrange(0..<1, with: [Array(slice[..<(slice.count / 2)]), Array(slice[(slice.count / 2)...])])
            (attempt, races) = (0, 0)
          } else {
            let reason: Rejection.Reason = error.disposition == .bisect ? .databaseRejected : .internal
            let rejection = Rejection(reason, "SQLSTATE \(error.sqlState)")
            do throws(PostgresFault) {
              slices[0] = [try await reject(slice[0], rejection, under: claims)]
            } catch  where error.disposition != .stop {
              return (.abandoned, outcomes)
            }
            (attempt, races) = (0, 0)
          }
        }
      }
    }
    return (.committed(advanced: Array(advanced.values), fenced: Array(fenced.values)), outcomes)
  }

  private func commit(
    _ records: [NormalisedRecord], under held: [OffsetClaim], isProbe: Bool = false
  ) async throws(PostgresFault) -> IngestPipeline.Commit {
    let (milliseconds, seed) = fresh()
    let pipeline = pipeline
    return try await db.perform { db throws(PostgresFault) in
      // The rows name the backend that holds their locks; after a reconnection that is another one.
      if self.adopted.withLock({ $0 }) != db.generation {
        try pipeline.claims.adopt(on: db)
        self.adopted.withLock { $0 = db.generation }
      }
      return try pipeline.commit(records, under: held, milliseconds: milliseconds, seed: seed, isProbe: isProbe, on: db)
    }
  }

  /// Turns the elements that fail alone into dead letters: one bad element never costs its siblings.
  private func reject(
    _ record: NormalisedRecord, _ rejection: Rejection, under held: [OffsetClaim]
  ) async throws(PostgresFault) -> NormalisedRecord {
    var rejected = record
    guard record.elements.count > 1 else {
      rejected.elements = [.rejected(rejection)]
      return rejected
    }
    var found = false
    var races = 0
    var ranges = [record.elements.indices]
    while let range = ranges.popLast() {
      var probe = record
      probe.elements = Array(record.elements[range])
      do throws(PostgresFault) {
        _ = try await commit([probe], under: held, isProbe: true)
      } catch  where error == .probed {
        continue
      } catch {
        if error.disposition == .replan { races += 1 }
        guard error.disposition == .bisect || races > Self.maximumAttempts else {
          // A lost race or the server's trouble says nothing about the element.
          if error.disposition == .stop || isAbandoned.withLock({ $0 }) { throw error }
          try await pause(1)
          ranges.append(range)
          continue
        }
        races = 0
        if range.count == 1 {
          rejected.elements[range.lowerBound] = .rejected(Rejection(rejection.reason, "SQLSTATE \(error.sqlState)"))
          found = true
        } else {
          let middle = range.lowerBound + range.count / 2
          ranges += [middle..<range.upperBound, range.lowerBound..<middle]
        }
      }
    }
    // Each element passes alone and all of them together do not: the record is the unit that fails.
    if !found { rejected.elements = record.elements.map { _ in .rejected(rejection) } }
    return rejected
  }

  /// Tries again for as long as the fault is one that passes; nil when abandoned.
  private func persevere<R: Sendable>(
    _ what: String, _ body: () async throws(PostgresFault) -> R
  ) async throws(PostgresFault) -> R? {
    isAbandoned.withLock { $0 = false }
    var attempt = 0
    while true {
      do throws(PostgresFault) {
        return try await body()
      } catch {
        guard error.disposition != .stop && error.disposition != .bisect else { throw error }
        attempt += 1
        logger.warning(
          "\(what) waits for the database: \(error)",
          metadata: ["event.action": "\(what)_retry", "error.type": "\(error.sqlState)", "attempt": "\(attempt)"])
        failed(error)
        if isAbandoned.withLock({ $0 }) { return nil }
        try await pause(attempt)
      }
    }
  }

  private func failed(_ fault: PostgresFault) {
    WorkerMetrics.retried(fault.sqlState)
    signals.progressed()
    if fault.disposition == .reconnect || fault.disposition == .backOff { signals.isReady(.database, false) }
    signals.status("database: SQLSTATE \(fault.sqlState), trying again")
  }

  private func pause(_ attempt: Int) async throws(PostgresFault) {
    do { try await Task.sleep(for: Backoff.fullJitter(attempt, first: 10, limit: 5_000)) } catch { abandon() }
  }

  private func fresh() -> (milliseconds: UInt64, seed: UInt64) {
    (UInt64(max(0, clock().microseconds / 1_000)), UInt64.random(in: 0 ... .max))
  }
}
