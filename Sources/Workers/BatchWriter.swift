import Canonical
import Engine
import Logging
import Postgres
import Store
import Synchronization

/// Commits batches as `BatchMachine` says (operations.md, recipe steps 4 to 7).
///
/// One per worker; all is written on one connection, and calls come one after the other.
final class BatchWriter: Sendable {
  /// After so many readings alone that nobody came back from, a record is a dead letter: fewer may be kills that it has no part in.
  static let maximumProbes: Int32 = 3

  private let db: PostgresConnection
  private let pipeline: IngestPipeline
  private let ahead: DraftAhead
  private let logger: Logger
  private let signals: WorkerSignals
  private let clock: @Sendable () -> Timestamp
  private let isAbandoned = Mutex(false)
  /// The connection that the claim rows name.
  private let adopted = Mutex(0)

  /// - Parameter draftDB: where the next batch's plan is begun meanwhile.
  init(
    db: PostgresConnection, draftDB: PostgresConnection, pipeline: IngestPipeline, logger: Logger,
    signals: WorkerSignals = .init(),
    clock: @escaping @Sendable () -> Timestamp
  ) {
    self.db = db
    self.pipeline = pipeline
    ahead = DraftAhead(pipeline: pipeline, db: draftDB, logger: logger) {
      let (milliseconds, seed) = Self.fresh(clock)
      return IDGenerator(milliseconds: milliseconds, seed: seed)
    }
    self.logger = logger
    self.signals = signals
    self.clock = clock
  }

  /// Begins the plans of the batches to come, until it is cancelled.
  func draft() async { await ahead.run() }

  /// These will be written after what is being written.
  func expect(_ records: [NormalisedRecord]) { ahead.expect(records) }

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
    ahead.drop()
    let claims = pipeline.claims
    try? await db.perform { db throws(PostgresFault) in try claims.release(held, on: db) }
  }

  /// Hands everything back, at the end: who ends in order has not crashed at these offsets.
  func releaseAll() async {
    let claims = pipeline.claims
    try? await db.perform { db throws(PostgresFault) in try claims.releaseAll(on: db) }
  }

  /// Moves a claim to where the broker's records begin, with a dead letter for those that are gone. Nil when the claim is lost.
  func reposition(_ claim: OffsetClaim, low: Int64, high: Int64) async throws(PostgresFault) -> OffsetClaim? {
    let stored = claim.nextOffset ?? 0
    // Somebody else has moved it since.
    if low...high ~= stored { return claim }
    let detail =
      stored < low
      ? "offsets \(stored) to \(low - 1) were deleted before they were read"
      : "the log ends at \(high), before the stored offset \(stored): read again from \(low)"
    return try await move(claim, to: low, Rejection(.offsetsTrimmed, detail), at: stored)
  }

  /// Moves a claim behind a record that Kafka can not hand over, with a dead letter for it. Nil when the claim is lost.
  ///
  /// - Parameter offset: of a batch that does not unpack it is the first record's, however often: each time, one more is left behind.
  func stepOver(_ claim: OffsetClaim, offset: Int64) async throws(PostgresFault) -> OffsetClaim? {
    let offset = max(offset, claim.nextOffset ?? offset)
    return try await move(claim, to: offset + 1, .unreadable, at: offset)
  }

  private func move(
    _ claim: OffsetClaim, to next: Int64, _ rejection: Rejection, at offset: Int64
  ) async throws(PostgresFault) -> OffsetClaim? {
    let claims = pipeline.claims
    let letter = NormalisedRecord.gap(claim.topic, claim.partition, offset, rejection)
    let (milliseconds, seed) = Self.fresh(clock)
    return try await persevere("reposition") { () async throws(PostgresFault) -> OffsetClaim? in
      try await self.db.perform { db throws(PostgresFault) -> OffsetClaim? in
        try db.transaction(settings: self.pipeline.transactionSettings) {
          () throws(PostgresFault) -> OffsetClaim? in
          guard let stored = try claims.lock([claim], on: db).first else { return nil }
          // Moved already, and the reply to that commit was lost.
          guard stored.nextOffset == claim.nextOffset else { return stored }
          try letter.bury(topicPrefix: self.pipeline.topicPrefix, milliseconds: milliseconds, seed: seed, on: db)
          try claims.advance([(claim.topic, claim.partition, next)], on: db)
          var moved = claim
          moved.nextOffset = next
          return moved
        }
      }
    } ?? nil
  }

  /// Reads one record alone that may have ended the process before: says so in its partition's row first, and gives it up after
  /// `maximumProbes` readings that nobody came back from.
  func probe(
    _ record: Record, under claim: OffsetClaim, normalise: (Record) -> NormalisedRecord
  ) async throws(PostgresFault) -> (IngestMachine.Written, outcomes: [(channel: String, outcome: Outcome)]) {
    let claims = pipeline.claims
    let answer = try await persevere("probe") { () async throws(PostgresFault) in
      try await self.db.perform { db throws(PostgresFault) in try claims.probe(claim, offset: record.offset, on: db) }
    }
    guard let answer else { return (.abandoned, []) }
    guard let unfinished = answer else { return (.committed(advanced: [], fenced: [claim]), []) }
    logger.log(
      level: unfinished > 0 ? .warning : .debug, "a record is read alone",
      metadata: [
        "event.action": "probing", "messaging.destination.name": "\(record.topic)",
        "messaging.destination.partition.id": "\(record.partition)", "messaging.kafka.offset": "\(record.offset)",
        "attempt": "\(unfinished + 1)",
      ])
    guard unfinished < Self.maximumProbes else {
      let rejection = Rejection(.quarantined, "ended \(unfinished) workers while it was read alone")
      return try await write(
        [NormalisedRecord(record: record, tenant: "default", elements: [.rejected(rejection)])], under: [claim])
    }
    return try await write([normalise(record)], under: [claim])
  }

  /// The suspicion against these partitions' offsets was unfounded.
  func acquit(_ held: [OffsetClaim]) async {
    let claims = pipeline.claims
    try? await db.perform { db throws(PostgresFault) in try claims.acquit(held, on: db) }
  }

  /// Commits all records, or is abandoned. Throws only for faults that are our own bugs.
  func write(_ records: [NormalisedRecord], under held: [OffsetClaim]) async throws(PostgresFault) -> (
    IngestMachine.Written, outcomes: [(channel: String, outcome: Outcome)]
  ) {
    isAbandoned.withLock { $0 = false }
    var machine = BatchMachine(records, under: held)
    var step = machine.next()
    while true {
      switch step {
      case .commit(let records, let claims, let isProbe):
        do throws(PostgresFault) {
          step = machine.committed(try await commit(records, under: claims, isProbe: isProbe))
          signals.isReady(.database, true)
        } catch {
          ahead.drop()
          if error != .probed { failed("batch not committed", "batch_retry", error, records: records.count) }
          step = machine.failed(error, isAbandoned: isAbandoned.withLock { $0 })
        }
      case .pause(let attempt):
        try await pause(attempt)
        step = machine.next()
      case .done(let written): return (written, machine.outcomes)
      case .stop(let fault): throw fault
      }
    }
  }

  private func commit(
    _ records: [NormalisedRecord], under held: [OffsetClaim], isProbe: Bool
  ) async throws(PostgresFault) -> IngestPipeline.Commit {
    let (milliseconds, seed) = Self.fresh(clock)
    let pipeline = pipeline
    let draft = await ahead.take(records)
    return try await db.perform { db throws(PostgresFault) in
      // The rows name the backend that holds their locks; after a reconnection that is another one.
      let isNew = self.adopted.withLock { $0 } != db.generation
      if isNew {
        try pipeline.claims.adopt(on: db)
        self.adopted.withLock { $0 = db.generation }
        self.ahead.reconnect()
        pipeline.forget()
      }
      return try pipeline.commit(
        records, under: held, milliseconds: milliseconds, seed: seed, isProbe: isProbe, draft: isProbe || isNew ? nil : draft,
        foresee: self.ahead.foresee, on: db)
    }
  }

  /// Tries again for as long as the fault is one that passes; nil when abandoned.
  private func persevere<R: Sendable>(
    _ what: String, _ body: () async throws(PostgresFault) -> R
  ) async throws(PostgresFault) -> R? {
    isAbandoned.withLock { $0 = false }
    ahead.drop()
    var attempt = 0
    while true {
      do throws(PostgresFault) {
        let result = try await body()
        signals.isReady(.database, true)
        return result
      } catch {
        guard error.disposition != .stop && error.disposition != .bisect else { throw error }
        attempt += 1
        failed("\(what) waits for the database", "\(what)_retry", error)
        if isAbandoned.withLock({ $0 }) { return nil }
        try await pause(attempt)
      }
    }
  }

  private func failed(_ what: String, _ action: String, _ fault: PostgresFault, records: Int? = nil) {
    var metadata: Logger.Metadata = ["event.action": "\(action)", "error.type": "\(fault.sqlState)"]
    if let records { metadata["records"] = "\(records)" }
    logger.warning("\(what): \(fault)", metadata: metadata)
    WorkerMetrics.retried(fault.sqlState)
    signals.progressed()
    if fault.disposition == .reconnect || fault.disposition == .backOff { signals.isReady(.database, false) }
    signals.status("database: SQLSTATE \(fault.sqlState), trying again")
  }

  private func pause(_ attempt: Int) async throws(PostgresFault) {
    do { try await Task.sleep(for: Backoff.fullJitter(attempt, first: 10, limit: 5_000)) } catch { abandon() }
  }

  private static func fresh(_ clock: () -> Timestamp) -> (milliseconds: UInt64, seed: UInt64) {
    (UInt64(max(0, clock().microseconds / 1_000)), UInt64.random(in: 0 ... .max))
  }
}
