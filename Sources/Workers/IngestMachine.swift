import Canonical
import Store

/// What an ingest worker does next: a pure state machine that the shell feeds and obeys.
///
/// At most one batch is being written while the next is polled and normalised, and where that is a full one the one after it; a
/// partition's records are only written under its claim; a rebalance waits for the batch in flight, and a batch that can not be
/// committed waits with its partitions paused. Where workers have ended at a partition's offset, records are read one by one for a while,
/// so that the one to blame is found.
public struct IngestMachine: Sendable {
  public enum Event: Sendable {
    /// The answer to `.poll`; empty when nothing came in time.
    case polled([NormalisedRecord])
    /// The answer to `.poll(.single)`, not normalised yet; nil when nothing came in time.
    case fetched(Record?)
    case assigned([TopicAndPartition])
    case revoked
    /// The answer to `.claim`; with the ends of the logs of partitions at whose offset workers have ended, where they are known.
    case claimed([OffsetClaim], ends: [TopicAndPartition: Int64] = [:])
    /// The broker does not have the records that the partition's stored offset asks for; what it has is `low` to before `high`.
    case outOfRange(TopicAndPartition, low: Int64, high: Int64)
    /// Kafka has the record at this offset and can not hand it over: it is corrupt, or does not decompress.
    case unreadable(TopicAndPartition, offset: Int64)
    /// The answer to `.reposition` and `.stepOver`; nil when the claim was lost.
    case repositioned(TopicAndPartition, OffsetClaim?)
    /// The answer to `.write` and `.probe`.
    case written(Written)
    /// Time has passed; about four a second.
    case tick
    case stopRequested
  }

  /// How a batch ended.
  public enum Written: Sendable, Equatable {
    case committed(advanced: [OffsetClaim], fenced: [OffsetClaim])
    /// Given up because its partitions were taken away or the worker stops: somebody reads its records again.
    case abandoned
  }

  public enum Action: Sendable {
    case poll(Poll)
    case claim([TopicAndPartition])
    /// Start reading at the stored offsets.
    case assign([OffsetClaim])
    /// Go back to the stored offset of a partition that is still assigned.
    case seek([OffsetClaim])
    case write([NormalisedRecord], under: [OffsetClaim])
    /// Say in the partition's row that this record is read alone, then normalise and write it.
    case probe(Record, under: OffsetClaim)
    /// Forget the crashes at these claims' offsets.
    case acquit([OffsetClaim])
    /// Store `low` as the partition's offset and a dead letter that says which records were lost.
    case reposition(OffsetClaim, low: Int64, high: Int64)
    /// Store the offset behind this one, and a dead letter for the record that can not be read.
    case stepOver(OffsetClaim, offset: Int64)
    /// Give up what is under way at the database at its next attempt.
    case abandon
    case release([OffsetClaim])
    case unassign
    case pause
    case resume
    /// For lag monitoring only.
    case report([OffsetClaim])
    case stop
  }

  public enum Poll: Sendable {
    /// The next batch, normalised.
    case batch
    /// The next record, as it is.
    case single
    /// Nothing: it only keeps the membership.
    case paused
  }

  private var claims: [TopicAndPartition: OffsetClaim] = [:]
  /// Assigned, and claimed by somebody else since: claimed again when the backoff is over.
  private var fenced: [TopicAndPartition: (ticks: Int, attempt: Int)] = [:]
  private var attempts: [TopicAndPartition: Int] = [:]
  private var claiming: Set<TopicAndPartition> = []
  /// Claims of partitions that are being read already. They count, and the partitions are sought, when no poll is under way: what
  /// it brings may lie beyond records that were dropped.
  private var regained: [TopicAndPartition: OffsetClaim] = [:]
  /// Claims whose reading begins when no poll is under way: what it brings would be read together.
  private var unread: [TopicAndPartition: OffsetClaim] = [:]
  /// Partitions at whose offset workers have ended, and where the suspicion ends.
  private var suspects: [TopicAndPartition: Int64] = [:]
  /// What the workers that ended can have read lies before these.
  private var logEnds: [TopicAndPartition: Int64] = [:]
  /// How many polls for a single record have brought nothing, one after the other, and how many records were read alone.
  private var emptyPolls = 0
  private var probedCount: Int64 = 0
  /// Partitions whose stored offset the broker does not have: moved when what was read of them is committed.
  private var outOfRange: [TopicAndPartition: (low: Int64, high: Int64)] = [:]
  /// The record that Kafka can not hand over: stepped over then, too, and what comes after it is read again.
  private var unreadable: [TopicAndPartition: Int64] = [:]
  /// Partitions that are being moved, until they are sought: what is said of where they stood is old news.
  private var moving: Set<TopicAndPartition> = []
  /// To be written in this order.
  private var prepared: [Prepared] = []
  /// Not normalised yet: each is read alone, when nothing else is under way.
  private var fetched: [Record] = []
  private var isPolling = false
  private var isWriting = false
  private var isPaused = false
  private var isRevoking = false
  private var isStopping = false
  private var isStopped = false
  /// How many ticks the batch in flight has taken; of a worker that stops, all since then.
  private var writingTicks = 0

  /// What is to be written after what is being written.
  var next: [NormalisedRecord] { isWriting ? prepared.first?.records ?? [] : [] }

  /// A write takes longer than it should: what is polled meanwhile is no progress.
  var isWriteStuck: Bool { writingTicks >= Self.stuckTicks }

  /// After so many ticks a write counts as stuck: the partitions are paused, and polling goes on to keep the membership.
  static let stuckTicks = 4
  /// How many ticks a stopping worker waits for its last batches.
  static let drainTicks = 40
  /// After so many ends at one offset, records are read one by one.
  static let suspiciousCrashes: Int32 = 3
  /// With nothing to read in so many polls, each of at least 100 ms, there is nothing to suspect.
  static let suspiciousPolls = 30

  private let batchRecords: Int
  /// What can have been read when a worker ended: the batch in flight and the prepared ones.
  private var suspiciousRecords: Int64 { Int64(batchRecords) * 3 }

  /// - Parameter batchRecords: the most that a poll brings.
  public init(batchRecords: Int = 1_000) { self.batchRecords = batchRecords }

  private var held: [OffsetClaim] { Array(claims.merging(regained) { $1 }.merging(unread) { $1 }.values) }

  /// The first action of a run.
  public mutating func start() -> [Action] { pollIfWanted() }

  public mutating func handle(_ event: Event) -> [Action] {
    var actions: [Action] = []
    switch event {
    case .polled(let records):
      isPolling = false
      // Records of partitions that are not claimed (any more) will be read again by whoever claims them.
      if let readable = Prepared(records)?.filter(isReadable) { prepared.append(readable) }
    case .fetched(let record):
      isPolling = false
      if record != nil { emptyPolls = 0 } else if !isPaused { emptyPolls += 1 }
      if let record, isReadable(record.topicAndPartition) { fetched.append(record) }
      if emptyPolls >= Self.suspiciousPolls { actions += acquit() }
    case .assigned(let partitions):
      isPolling = false
      claiming = Set(partitions)
      actions.append(partitions.isEmpty ? .assign([]) : .claim(partitions))
    case .revoked:
      isPolling = false
      isRevoking = true
      if isWriting || !claiming.isEmpty { actions.append(.abandon) }
    case .claimed(let granted, let ends):
      logEnds.merge(ends) { $1 }
      actions += claimed(granted)
    case .outOfRange(let partition, let low, let high):
      isPolling = false
      if !moving.contains(partition) { outOfRange[partition] = (low, high) }
    case .unreadable(let partition, let offset):
      isPolling = false
      if !moving.contains(partition) { unreadable[partition] = offset }
    case .repositioned(let partition, let claim):
      if claim == nil {
        moving.remove(partition)
        if let lost = claims[partition] { actions += committed([], [lost]) }
      }
      if let claim, claims[claim.key]?.epoch == claim.epoch {
        regained[claim.key] = claim
      }
    case .written(let written):
      isWriting = false
      if !isStopping { writingTicks = 0 }
      switch written {
      case .committed(let advanced, let lost): actions += committed(advanced, lost)
      // What was polled after it must not be committed before it.
      case .abandoned: prepared = []
      }
      if probedCount >= suspiciousRecords * Int64(max(1, suspects.count)) { actions += acquit() }
    case .tick: actions += tick()
    case .stopRequested:
      isStopping = true
      writingTicks = 0
    }
    let following = settle()
    // Kafka can be told when the next batch is under way: its answer is nothing to wait for.
    if actions.count == 1, case .report = actions[0], case .write? = following.first {
      return following.prefix(1) + actions + following.dropFirst()
    }
    return actions + following
  }

  /// What follows whatever happened: finish a revocation, write what is prepared, poll for more.
  private mutating func settle() -> [Action] {
    var actions: [Action] = []
    if isStopping && !isStopped && !isWriting && (prepared.isEmpty || isRevoking) {
      isStopped = true
      actions += letGo() + [.stop]
    }
    guard !isStopped else { return actions }
    if isRevoking && !isWriting {
      isRevoking = false
      actions += letGo() + [.unassign]
    }
    if !isPolling && !isRevoking && !regained.isEmpty {
      actions.append(.seek(Array(regained.values)))
      prepared = prepared.compactMap { $0.filter { regained[$0] == nil } }
      fetched.removeAll { regained[$0.topicAndPartition] != nil }
      claims.merge(regained) { $1 }
      suspect(Array(regained.values))
      for partition in regained.keys { fenced[partition] = nil }
      moving.subtract(regained.keys)
      for partition in regained.keys {
        outOfRange[partition] = nil
        unreadable[partition] = nil
      }
      regained = [:]
    }
    if !isPolling && !isRevoking && !unread.isEmpty { actions += readUnread() }
    // The write that they waited for has ended: a slow database is no reason to wait for all that is prepared.
    let resumes = isPaused && !isWriting
    // A single record is only asked for when no batch is prepared, so that it is the older where there are both.
    fetched.removeAll { claims[$0.topicAndPartition] == nil }
    if !isWriting && !isRevoking && !isStopping, let record = fetched.first, let claim = claims[record.topicAndPartition] {
      fetched.removeFirst()
      actions.append(.probe(record, under: claim))
      isWriting = true
      probedCount += 1
    }
    prepared = prepared.compactMap { $0.filter { claims[$0] != nil } }
    if !isWriting && !isRevoking && !prepared.isEmpty {
      let batch = prepared.removeFirst()
      actions.append(.write(batch.records, under: claims.values.filter { batch.partitions.contains($0.key) }))
      isWriting = true
    }
    if !isWriting && !isRevoking && prepared.isEmpty {
      for (partition, range) in outOfRange {
        guard let claim = claims[partition] else { continue }
        moving.insert(partition)
        actions.append(.reposition(claim, low: range.low, high: range.high))
      }
      for (partition, offset) in unreadable {
        guard let claim = claims[partition] else { continue }
        moving.insert(partition)
        actions.append(.stepOver(claim, offset: offset))
      }
      outOfRange = [:]
      unreadable = [:]
    }
    if resumes {
      isPaused = false
      actions.append(.resume)
    }
    return actions + pollIfWanted()
  }

  private mutating func letGo() -> [Action] {
    let held = held
    claims = [:]
    regained = [:]
    unread = [:]
    suspects = [:]
    logEnds = [:]
    outOfRange = [:]
    unreadable = [:]
    moving = []
    fenced = [:]
    attempts = [:]
    claiming = []
    prepared = []
    fetched = []
    isPaused = false
    return held.isEmpty ? [] : [.release(held)]
  }

  private mutating func pollIfWanted() -> [Action] {
    guard !isPolling, !isStopping, !isRevoking, hasRoom || isPaused else { return [] }
    // A record that is read alone is the only one, and a partition is moved when nothing else is under way: for these, the others wait.
    let isAlone = !suspects.isEmpty || !outOfRange.isEmpty || !unreadable.isEmpty
    guard !isAlone || isPaused || !isWriting else { return [] }
    isPolling = true
    return [.poll(!suspects.isEmpty && prepared.isEmpty ? .single : isPaused ? .paused : .batch)]
  }

  /// Full batches come where records wait: the next one is made ahead of its time, so that its plan can be begun early. Small ones wait
  /// for each other in Kafka's queue.
  private var hasRoom: Bool {
    switch prepared.count {
    case 0: fetched.isEmpty
    case 1: prepared[0].records.count >= batchRecords
    default: false
    }
  }

  private mutating func claimed(_ granted: [OffsetClaim]) -> [Action] {
    // An answer that comes after a revocation is about nothing, unless the partition has come back meanwhile.
    let current = granted.filter { claiming.contains($0.key) || (claims[$0.key]?.epoch ?? .max) < $0.epoch }
    let (again, first) = (current.filter { isReading($0.key) }, current.filter { !isReading($0.key) })
    for claim in again { regained[claim.key] = claim }
    for claim in current {
      claiming.remove(claim.key)
      fenced[claim.key] = nil
    }
    guard !first.isEmpty else { return [] }
    for claim in first { unread[claim.key] = claim }
    return isPolling && unread.values.contains(where: Self.isSuspect) ? [] : readUnread()
  }

  /// Assigning is about all partitions, the ones that are being read as well.
  private mutating func readUnread() -> [Action] {
    claims.merge(unread) { $1 }
    suspect(Array(unread.values))
    unread = [:]
    return [.assign(held)]
  }

  static func isSuspect(_ claim: OffsetClaim) -> Bool { claim.crashCount >= suspiciousCrashes }

  private mutating func suspect(_ claims: [OffsetClaim]) {
    for claim in claims where Self.isSuspect(claim) {
      var end = logEnds.removeValue(forKey: claim.key) ?? .max
      if let next = claim.nextOffset { end = min(end, next + suspiciousRecords) }
      // Of a topic that nobody has written to, nothing can have been read.
      if claim.nextOffset ?? 0 < end { suspects[claim.key] = end }
    }
    (emptyPolls, probedCount) = (0, 0)
  }

  /// What is read of it now is to be written.
  private func isReadable(_ partition: TopicAndPartition) -> Bool {
    claims[partition] != nil && unreadable[partition] == nil && !moving.contains(partition)
  }

  private func isReading(_ partition: TopicAndPartition) -> Bool {
    claims[partition] != nil || fenced[partition] != nil || regained[partition] != nil
  }

  /// Ends the suspicion of all partitions that are under it still.
  private mutating func acquit() -> [Action] {
    defer { suspects = [:] }
    (emptyPolls, probedCount) = (0, 0)
    return suspects.isEmpty ? [] : [.acquit(claims.values.filter { suspects[$0.key] != nil })]
  }

  private mutating func committed(_ advanced: [OffsetClaim], _ lost: [OffsetClaim]) -> [Action] {
    for claim in advanced where claims[claim.key]?.epoch == claim.epoch {
      claims[claim.key] = claim
      attempts[claim.key] = nil
      if let end = suspects[claim.key], claim.nextOffset ?? 0 >= end { suspects[claim.key] = nil }
    }
    for claim in lost where claims[claim.key]?.epoch == claim.epoch {
      claims[claim.key] = nil
      suspects[claim.key] = nil
      let attempt = attempts[claim.key, default: 0] + 1
      attempts[claim.key] = attempt
      // One second, two, four … at most 32: whoever took it may be about to give it back.
      fenced[claim.key] = (ticks: 4 << min(attempt - 1, 5), attempt)
    }
    return advanced.isEmpty ? [] : [.report(advanced)]
  }

  private mutating func tick() -> [Action] {
    var actions: [Action] = []
    if isWriting {
      writingTicks += 1
      // Said again with every tick: the command that it is about may only just have begun.
      if isRevoking || isStopping && writingTicks >= Self.drainTicks { actions.append(.abandon) }
      if writingTicks >= Self.stuckTicks && !isPaused && !isRevoking && !isStopping {
        isPaused = true
        actions.append(.pause)
      }
    }
    var due: [TopicAndPartition] = []
    for (partition, wait) in fenced where !claiming.contains(partition) {
      if wait.ticks > 0 {
        fenced[partition] = (wait.ticks - 1, wait.attempt)
      } else {
        due.append(partition)
      }
    }
    if !due.isEmpty && !isRevoking && !isStopping {
      claiming.formUnion(due)
      actions.append(.claim(due))
    }
    return actions
  }
}

/// Records of a poll that are to be written, at least one, and which partitions they are of.
private struct Prepared: Sendable {
  let records: [NormalisedRecord]
  let partitions: Set<TopicAndPartition>

  init?(_ records: [NormalisedRecord]) {
    guard !records.isEmpty else { return nil }
    self.records = records
    partitions = Set(records.lazy.map(\.record.topicAndPartition))
  }

  /// Its records of the wanted partitions; nil where there is none. Asked after every event: mostly all of them are wanted.
  func filter(_ isWanted: (TopicAndPartition) -> Bool) -> Prepared? {
    guard !partitions.allSatisfy(isWanted) else { return self }
    return Prepared(records.filter { isWanted($0.record.topicAndPartition) })
  }
}
