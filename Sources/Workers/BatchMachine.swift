import Canonical
import Engine
import Postgres
import Store

/// The course of one batch at the database, whatever it takes: a pure state machine that `BatchWriter` feeds and obeys.
///
/// Faults that pass are waited out, a batch that fails is halved down to the record, and a record down to the element.
struct BatchMachine: Sendable {
  enum Step: Sendable {
    /// Commit these records, all or nothing; a probe is rolled back, and its answer is the fault `probed` when nothing failed.
    case commit([NormalisedRecord], under: [OffsetClaim], isProbe: Bool)
    /// Wait for the backoff of this attempt, then ask for `next`.
    case pause(attempt: Int)
    case done(IngestMachine.Written)
    case stop(PostgresFault)
  }

  /// What is left to do; the first is under way.
  private var slices: [[NormalisedRecord]]
  private let held: [OffsetClaim]
  private var advanced: [TopicAndPartition: OffsetClaim] = [:]
  private var fenced: [TopicAndPartition: OffsetClaim] = [:]
  private var attempts = BatchAttempts()
  /// The one record of the first slice, while its elements are tried.
  private var search: ElementSearch?
  /// One entry per element that was committed.
  private(set) var outcomes: [(channel: String, outcome: Outcome)] = []

  init(_ records: [NormalisedRecord], under held: [OffsetClaim]) {
    slices = [records]
    self.held = held
  }

  func next() -> Step {
    guard let slice = slices.first else {
      return .done(.committed(advanced: Array(advanced.values), fenced: Array(fenced.values)))
    }
    let records = search.map { [$0.probe] } ?? slice
    let touched = Set(records.map(\.record.topicAndPartition))
    return .commit(
      records, under: held.filter { touched.contains($0.key) && fenced[$0.key] == nil }, isProbe: search != nil)
  }

  mutating func committed(_ commit: IngestPipeline.Commit) -> Step {
    slices.replaceSubrange(0..<1, with: commit.rest.isEmpty ? [] : [commit.rest])
    attempts = .init()
    for claim in commit.advanced { advanced[claim.key] = claim }
    for claim in commit.fenced { fenced[claim.key] = claim }
    outcomes += commit.outcomes
    return next()
  }

  /// - Parameter isAbandoned: somebody else shall read what is not committed yet.
  mutating func failed(_ fault: PostgresFault, isAbandoned: Bool) -> Step {
    if isAbandoned && fault != .probed { return .done(.abandoned) }
    if var search {
      let verdict = search.answered(fault)
      self.search = search
      switch verdict {
      case .again(let attempt): return .pause(attempt: attempt)
      case .stop: return .stop(fault)
      case .halve, .reject: break
      }
      if let rejected = search.result {
        slices[0] = [rejected]
        self.search = nil
      }
      return next()
    }
    let slice = slices[0]
    switch attempts.failed(fault, count: slice.count) {
    case .again(let attempt): return .pause(attempt: attempt)
    case .stop: return .stop(fault)
    case .halve:
      let middle = slice.count / 2
      slices.replaceSubrange(0..<1, with: [Array(slice[..<middle]), Array(slice[middle...])])
    case .reject(let reason):
      let rejection = Rejection(reason, "SQLSTATE \(fault.sqlState)")
      if slice[0].isLetter {
        // Not even the letter is taken: where the record was says enough. One that fails so as well is our own bug.
        guard reason == .databaseRejected else { return .pause(attempt: BatchAttempts.limit) }
        guard !slice[0].isBare else { return .stop(fault) }
        slices[0][0] = slice[0].bare
      } else if slice[0].elements.count > 1 {
        search = ElementSearch(slice[0], rejection)
      } else {
        slices[0][0] = slice[0].with([.rejected(rejection)])
      }
    }
    return next()
  }
}

extension NormalisedRecord {
  /// All that is to be stored of it is dead letters.
  fileprivate var isLetter: Bool { !elements.isEmpty && elements.allSatisfy { if case .rejected = $0 { true } else { false } } }
  fileprivate var isBare: Bool { record.key == nil && record.headers.isEmpty && record.value == nil }
  /// Where it was, without its content.
  var bare: NormalisedRecord {
    var place = record
    (place.key, place.headers, place.value) = (nil, [], nil)
    return NormalisedRecord(record: place, tenant: tenant, elements: elements)
  }
}

/// Finds the elements of a record that fail alone: one bad element never costs its siblings.
private struct ElementSearch: Sendable {
  private let record: NormalisedRecord
  private let rejection: Rejection
  /// With the bad ones rejected, as far as they are found.
  private var elements: [NormalisedElement]
  private var isFound = false
  private var attempts = BatchAttempts()
  /// What is left to try; the last is under way.
  private var ranges: [Range<Int>]

  init(_ record: NormalisedRecord, _ rejection: Rejection) {
    self.record = record
    self.rejection = rejection
    elements = record.elements
    ranges = [record.elements.indices]
  }

  var probe: NormalisedRecord { record.with(Array(record.elements[ranges.last ?? record.elements.indices])) }

  /// The record with its bad elements rejected; nil while some are to be tried.
  var result: NormalisedRecord? {
    guard ranges.isEmpty else { return nil }
    guard !isFound else { return record.with(elements) }
    // Each element passes alone and all of them together do not: the record is the unit that fails.
    return record.with(record.elements.map { _ in .rejected(rejection) })
  }

  mutating func answered(_ fault: PostgresFault) -> BatchAttempts.Verdict {
    guard let range = ranges.last else { return .stop }
    var verdict = BatchAttempts.Verdict.halve
    if fault != .probed {
      verdict = attempts.failed(fault, count: range.count)
      switch verdict {
      case .again, .stop: return verdict
      case .halve:
        let middle = range.lowerBound + range.count / 2
        ranges.replaceSubrange(ranges.count - 1..<ranges.count, with: [middle..<range.upperBound, range.lowerBound..<middle])
        return verdict
      case .reject(let reason):
        elements[range.lowerBound] = .rejected(Rejection(reason, "SQLSTATE \(fault.sqlState)"))
        isFound = true
      }
    }
    ranges.removeLast()
    attempts = .init()
    return verdict
  }
}
