import Kafka
import Store

/// What a publisher has sent and not heard of yet: pure.
///
/// A partition that nobody leads keeps what was sent to it for as long as that takes; all else goes on. Of a subject and topic only one
/// flight is under way, so that its order holds.
struct OutboxFlight: Sendable {
  /// In all, and of one topic: above, nothing more is sent. Together they fit into the producer's queue.
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

  private(set) var subjects: Set<OutboxSubject> = []
  private var topics: [String: Load] = [:]
  private var total = Load()

  var isFull: Bool { !total.isBelow(Self.limit) }
  /// Topics of which nothing more is to be read for now.
  var fullTopics: [String] { topics.filter { !$0.value.isBelow(Self.topicLimit) }.map(\.key) }

  /// Those of the records, oldest first, that are to be sent now; from here on they are under way.
  mutating func admit(_ records: [OutboxRecord]) -> [OutboxRecord] {
    var blocked = subjects
    var admitted: [OutboxRecord] = []
    for record in records where !blocked.contains(record.orderedBy) {
      guard total.isBelow(Self.limit), topics[record.topic, default: Load()].isBelow(Self.topicLimit) else {
        blocked.insert(record.orderedBy)
        continue
      }
      admitted.append(record)
      subjects.insert(record.orderedBy)
      topics[record.topic, default: Load()] += record
      total += record
    }
    return admitted
  }

  /// The broker has answered, whatever it said.
  mutating func land(_ records: [OutboxRecord]) {
    for record in records {
      subjects.remove(record.orderedBy)
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

  /// What is done with, and what failed. What follows a failure of the same subject and topic stays for later, so that its order holds.
  static func settle(
    _ records: [OutboxRecord], _ results: [Result<Int64, KafkaFault>]
  ) -> (done: [OutboxRecord], faults: [(record: OutboxRecord, fault: KafkaFault)]) {
    var done: [OutboxRecord] = []
    var faults: [(record: OutboxRecord, fault: KafkaFault)] = []
    var blocked: Set<OutboxSubject> = []
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
  fileprivate var byteCount: Int {
    headers.reduce((key?.count ?? 0) + (value?.count ?? 0)) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
  }
}
