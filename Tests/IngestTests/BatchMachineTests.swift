import Canonical
import Engine
import Postgres
import Testing

@testable import Store
@testable import Workers

/// Fault after fault, what happens to a batch: `BatchMachine` without a database.
@Suite struct BatchMachineTests {
  private static let partition = TopicAndPartition("a", 0)
  private let claim = OffsetClaim(topic: "a", partition: 0, epoch: 1, nextOffset: 0)

  /// Commits a batch at a database that fails as `fault` says of the records' offsets and elements; what was asked for, in words.
  private func run(
    _ counts: [Int], isAbandonedAt abandonment: Int = .max,
    fault: (_ attempt: Int, _ elements: [(offset: Int64, element: String)]) -> String?
  ) -> (log: [String], committed: [String]) {
    let records = counts.enumerated().map { offset, count in
      NormalisedRecord(
        record: Record(
          topic: "a", partition: 0, offset: Int64(offset), timestamp: nil, key: nil, headers: [], value: nil),
        tenant: "default", elements: (0..<count).map { .ignored(reason: "\($0)") })
    }
    var machine = BatchMachine(records, under: [claim])
    var (log, committed): ([String], [String]) = ([], [])
    var step = machine.next()
    for attempt in 1...2_000 {
      switch step {
      case .commit(let records, _, let isProbe):
        let elements = records.flatMap { record in record.elements.map { (record.record.offset, Self.word($0)) } }
        let words = elements.map { "\($0.0):\($0.1)" }.joined(separator: " ")
        let state = fault(attempt, elements) ?? (isProbe ? PostgresFault.probed.sqlState : nil)
        log.append((isProbe ? "probe " : "commit ") + words + (state.map { " \($0)" } ?? ""))
        if let state {
          step = machine.failed(
            state == "00000" ? .probed : PostgresFault(sqlState: state, message: ""), isAbandoned: attempt >= abandonment)
        } else {
          committed += elements.map { "\($0.0):\($0.1)" }
          step = machine.committed(.init(advanced: [claim]))
        }
      case .pause(let attempt):
        log.append("pause \(attempt)")
        step = machine.next()
      case .done(let written):
        log.append(written == .abandoned ? "abandoned" : "done")
        return (log, committed)
      case .stop(let fault):
        log.append("stop \(fault.sqlState)")
        return (log, committed)
      }
    }
    return (log + ["never ends"], committed)
  }

  private static func word(_ element: NormalisedElement) -> String {
    switch element {
    case .ignored(let reason): reason
    case .rejected(let rejection): rejection.reason.rawValue
    case .event: "event"
    }
  }

  @Test(
    "What the server is short of, and a connection that is gone, is waited for as long as it takes",
    arguments: [
      "08006", "57P01", "57P03", "53300", "25006", "53100", "58030",
    ])
  func waits(_ state: String) {
    let (log, committed) = run([1, 1]) { attempt, _ in attempt < 60 ? state : nil }
    #expect(committed == ["0:0", "1:0"])
    #expect(log.filter { $0.hasPrefix("pause") } == (1...30).map { "pause \($0)" })
  }

  @Test("A lost race or a deadlock is planned again, eight times", arguments: ["40001", "40P01", "23505", "23503", "23514"])
  func races(_ state: String) {
    let won = run([1, 1]) { attempt, _ in attempt < 15 ? state : nil }
    #expect(won.committed == ["0:0", "1:0"] && !won.log.contains("commit 0:0 \(state)"))
    // One record that never wins costs its neighbours nothing.
    let lost = run([1, 1, 1]) { _, elements in elements.contains { $0.offset == 1 && $0.element == "0" } ? state : nil }
    #expect(lost.committed == ["0:0", "1:internal", "2:0"])
    #expect(lost.log.count { $0 == "commit 1:0 \(state)" } == 8)
  }

  @Test(
    "What the database never takes is found by halving, in the record and in its elements",
    arguments: ["22021", "54000", "23502"])
  func poison(_ state: String) {
    let (log, committed) = run([1, 3, 1]) { _, elements in
      elements.contains { $0.offset == 1 && $0.element == "1" } ? state : nil
    }
    #expect(committed == ["0:0", "1:0", "1:database_rejected", "1:2", "2:0"])
    #expect(!log.contains { $0.hasPrefix("pause") })
  }

  @Test("Elements that pass alone and fail together are the record's fault")
  func together() {
    let (_, committed) = run([2]) { _, elements in
      elements.count == 2 && elements[0].element == "0" ? "22021" : nil
    }
    #expect(committed == ["0:database_rejected", "0:database_rejected"])
  }

  @Test("What takes too long is halved; a record alone that waits for a lock is never rejected")
  func slow() {
    let halves = run([1, 1, 1, 1]) { _, elements in elements.count > 1 ? "57014" : nil }
    #expect(halves.committed == ["0:0", "1:0", "2:0", "3:0"] && !halves.log.contains { $0.hasPrefix("pause") })
    let locked = run([1]) { attempt, _ in attempt < 100 ? "55P03" : nil }
    #expect(locked.committed == ["0:0"])
    #expect(run([1]) { _, elements in elements[0].element == "0" ? "57014" : nil }.committed == ["0:internal"])
  }

  @Test("An outage while an element is sought changes nothing about what is found")
  func outageWhileSearching() {
    let (log, committed) = run([4]) { attempt, elements in
      attempt % 3 == 0 ? "08006" : elements.contains { $0.element == "2" } ? "22021" : nil
    }
    #expect(committed == ["0:0", "0:1", "0:database_rejected", "0:3"])
    #expect(log.contains { $0.hasPrefix("pause") })
  }

  @Test("An abandoned batch is given up at its next failure, a fault of our own stops the worker")
  func ends() {
    #expect(run([1], isAbandonedAt: 3) { _, _ in "08006" }.log.last == "abandoned")
    #expect(run([1], isAbandonedAt: 1) { _, _ in nil }.log.last == "done", "what is committed is committed")
    for state in ["42P01", "0A000", "XX000"] { #expect(run([1]) { _, _ in state }.log.last == "stop \(state)") }
  }

  @Test("A letter that is not taken is written without its bytes; one that fails so as well is our own bug")
  func bareLetter() {
    func write(_ fails: (Record) -> Bool) -> (last: Record?, isStopped: Bool) {
      let record = Record(
        topic: "a", partition: 0, offset: 0, timestamp: nil, key: [1], headers: [.init("h", [2])], value: [3])
      var machine = BatchMachine(
        [NormalisedRecord(record: record, tenant: "default", elements: [.ignored(reason: "x")])], under: [claim])
      var step = machine.next()
      for _ in 0..<20 {
        switch step {
        case .commit(let records, _, _):
          if fails(records[0].record) {
            step = machine.failed(PostgresFault(sqlState: "22021", message: ""), isAbandoned: false)
          } else {
            return (records[0].record, false)
          }
        case .stop: return (nil, true)
        case .pause, .done: return (nil, false)
        }
      }
      return (nil, false)
    }
    #expect(write { $0.value != nil }.last?.value == nil)
    #expect(write { $0.value != nil }.last?.offset == 0)
    #expect(write { _ in true }.isStopped)
  }
}
