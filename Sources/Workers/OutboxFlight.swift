import Kafka
import Store

/// What a publisher has read and not deleted yet: pure.
///
/// A partition that nobody leads keeps what was sent to it for as long as that takes; all else goes on. Of a subject and topic only one
/// flight is under way, so that its order holds; what follows waits here.
struct OutboxFlight {
  /// In all, and of one topic: above, nothing more is taken. Together they fit into the producer's queue.
  static let limit = Load(records: 10_000, bytes: 20 << 20)
  static let topicLimit = Load(records: 4_000, bytes: 4 << 20)

  struct Load: Sendable {
    var records = 0
    var bytes = 0

    func isBelow(_ limit: Load) -> Bool { records < limit.records && bytes < limit.bytes }
    static func += (load: inout Load, record: OutboxRecord) {
      load.records += 1
      load.bytes += record.byteCount
    }
    static func -= (load: inout Load, record: OutboxRecord) {
      load.records -= 1
      load.bytes -= record.byteCount
    }
  }

  /// Which records of each row the broker does not have yet, by their position.
  private var left: [OutboxRow: Set<Int>] = [:]
  /// Not sent, oldest first.
  private var waiting: [OutboxRecord] = []
  private var subjects: Set<OutboxSubject> = []
  /// Of these something has failed last: until it is there, nothing that follows is sent.
  private var failed: Set<OutboxSubject> = []
  private var topics: [String: Load] = [:]
  private var total = Load()

  /// These are not to be read again.
  var rows: [OutboxRow] { Array(left.keys) }
  var isWaiting: Bool { !waiting.isEmpty }
  var isFull: Bool { !total.isBelow(Self.limit) }
  /// Topics of which nothing more is to be read for now.
  var fullTopics: [String] { topics.filter { !$0.value.isBelow(Self.topicLimit) }.map(\.key) }

  /// Takes rows that were read, oldest first, as long as there is room.
  ///
  /// - Parameter rows: the records of each row, all of them.
  mutating func take(_ rows: [[OutboxRecord]]) {
    // What is not taken is read again, before what follows it.
    var full: Set<String> = []
    for records in rows {
      guard let first = records.first, left[first.row] == nil, !full.contains(first.topic) else { continue }
      guard total.isBelow(Self.limit), topics[first.topic, default: Load()].isBelow(Self.topicLimit) else {
        full.insert(first.topic)
        continue
      }
      left[first.row] = Set(records.indices)
      wait(for: records)
    }
  }

  /// What is to be sent now, from here on under way: what goes together, oldest first. Of one topic, which does not wait for what another
  /// takes; and what has failed alone, since a broker refuses a whole batch for one record.
  mutating func depart() -> [[OutboxRecord]] {
    var together: [String: [OutboxRecord]] = [:]
    var alone: [OutboxSubject: OutboxRecord] = [:]
    var staying: [OutboxRecord] = []
    for record in waiting {
      let subject = record.orderedBy
      if subjects.contains(subject) || alone[subject] != nil {
        staying.append(record)
      } else if failed.contains(subject) {
        alone[subject] = record
      } else {
        together[record.topic, default: []].append(record)
      }
    }
    waiting = staying
    let departing = Array(together.values) + alone.values.map { [$0] }
    subjects.formUnion(departing.joined().lazy.map(\.orderedBy))
    return departing
  }

  /// The broker has answered, whatever it said: what it does not have is sent once more, the first of each subject alone.
  ///
  /// - Parameters:
  ///   - records: all that was under way together of their subjects.
  ///   - done: those of them that are done with.
  /// - Returns: rows that nothing is left of.
  mutating func land(_ records: [OutboxRecord], done: [OutboxRecord]) -> Set<OutboxRow> {
    for record in records { subjects.remove(record.orderedBy) }
    unload(records)
    // Rows that were let go meanwhile are no longer here.
    for record in done { left[record.row]?.remove(record.position) }
    let rest = done.count < records.count ? records.filter { left[$0.row]?.contains($0.position) == true } : []
    if !failed.isEmpty { failed.subtract(records.lazy.map(\.orderedBy)) }
    failed.formUnion(rest.lazy.map(\.orderedBy))
    if !rest.isEmpty {
      wait(for: rest)
      waiting.sort { ($0.row.id, $0.position) < ($1.row.id, $1.position) }
    }
    return Set(done.lazy.map(\.row)).filter { left[$0]?.isEmpty == true }
  }

  /// The rows are deleted, or to be read again.
  mutating func close(_ rows: Set<OutboxRow>) { for row in rows { left[row] = nil } }

  /// Lets go of what belongs to other publishers now.
  mutating func keep(_ shards: [Int16]) {
    unload(waiting.filter { !shards.contains($0.row.shard) })
    failed.subtract(waiting.lazy.filter { !shards.contains($0.row.shard) }.map(\.orderedBy))
    waiting.removeAll { !shards.contains($0.row.shard) }
    left = left.filter { shards.contains($0.key.shard) }
  }

  private mutating func wait(for records: [OutboxRecord]) {
    waiting += records
    for record in records {
      topics[record.topic, default: Load()] += record
      total += record
    }
  }

  private mutating func unload(_ records: [OutboxRecord]) {
    for record in records {
      topics[record.topic, default: Load()] -= record
      total -= record
    }
  }

  /// Which are to be sent once more, each alone: a broker refuses a whole batch for one record that it does not take, or for being too
  /// long together. What follows of the same subject and topic goes with it.
  static func suspects(_ records: [OutboxRecord], _ results: [Result<Int64, KafkaFault>]) -> [Int] {
    guard records.count > 1 else { return [] }
    var subjects: Set<OutboxSubject> = []
    return records.indices.filter { index in
      if case .failure(let fault) = results[index], fault.disposition == .deadLetter { subjects.insert(records[index].orderedBy) }
      return subjects.contains(records[index].orderedBy)
    }
  }

  /// Whole subjects: those that may be let go, since all of theirs is done, and the others with what is done of them.
  static func separate(
    _ records: [OutboxRecord], done: [OutboxRecord]
  ) -> (whole: [OutboxRecord], broken: [OutboxRecord], doneOfBroken: [OutboxRecord]) {
    guard done.count < records.count else { return (records, [], []) }
    var left: [OutboxSubject: Int] = [:]
    for record in records { left[record.orderedBy, default: 0] += 1 }
    for record in done { left[record.orderedBy, default: 0] -= 1 }
    return (
      records.filter { left[$0.orderedBy] == 0 }, records.filter { left[$0.orderedBy] != 0 },
      done.filter { left[$0.orderedBy] != 0 }
    )
  }

  /// What is done with, and what failed. What follows a failure of the same subject and topic stays for later, so that its order holds.
  ///
  /// An event that the broker refuses is sent again as well: a topic's limits and a clock can be mended, a lost event can not. A letter
  /// is not, since it stays where it is.
  static func settle(
    _ records: [OutboxRecord], _ results: [Result<Int64, KafkaFault>]
  ) -> (done: [OutboxRecord], faults: [(record: OutboxRecord, fault: KafkaFault)]) {
    var done: [OutboxRecord] = []
    var faults: [(record: OutboxRecord, fault: KafkaFault)] = []
    var blocked: Set<OutboxSubject> = []
    for (record, result) in zip(records, results) where !blocked.contains(record.orderedBy) {
      if case .failure(let fault) = result {
        faults.append((record, fault))
        guard record.isLetter && fault.disposition == .deadLetter else {
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
  fileprivate var byteCount: Int {
    headers.reduce((key?.count ?? 0) + (value?.count ?? 0)) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
  }
}
