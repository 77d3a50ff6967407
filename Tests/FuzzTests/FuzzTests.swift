import Canonical
import Channels
import Foundation
import FuzzTargets
import Testing

/// Every reader of what comes from outside, on inputs that are made from the samples: the same ones each time. `scripts/fuzz` goes on
/// from there, led by coverage.
///
/// `THROUGHLINE_FUZZ_SEED` gives other inputs, `THROUGHLINE_FUZZ_ROUNDS` more of them.
@Suite struct FuzzTests {
  private static let seed = number("SEED") ?? 1
  private static let rounds = number("ROUNDS") ?? 250

  private static func number(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment["THROUGHLINE_FUZZ_" + name].flatMap { UInt64($0) }
  }

  @Test("Whatever comes, what is promised of it holds", arguments: FuzzTarget.all)
  func promises(_ target: FuzzTarget) throws {
    // A trap ends the process: the input that did it is in this file then.
    let file = FileManager.default.temporaryDirectory.appending(path: "throughline-fuzz-\(getpid())-\(target.name)")
    try Data().write(to: file)
    let handle = try FileHandle(forWritingTo: file)
    func check(_ input: [UInt8], _ place: String) throws {
      try handle.seek(toOffset: 0)
      try handle.write(contentsOf: input)
      try handle.truncate(atOffset: UInt64(input.count))
      let broken = target.check(input)
      try #require(broken.isEmpty, "\(broken), \(place), input in \(file.path)")
    }
    for (number, input) in target.regressions.enumerated() { try check(input, "regression \(number)") }
    for (number, input) in target.seeds.enumerated() { try check(input, "sample \(number)") }
    var mutator = Mutator(seed: Self.seed)
    for round in 0..<Self.rounds { try check(mutator.next(target.seeds), "seed \(Self.seed), round \(round)") }
    try FileManager.default.removeItem(at: file)
  }

  @Test("Every target has inputs to begin with, and every folder of regressions has a target")
  func seeds() throws {
    #expect(FuzzTarget.all.filter(\.seeds.isEmpty).map(\.name) == [])
    let folders = try FileManager.default.contentsOfDirectory(atPath: FuzzTarget.regressionsFolder.path)
    #expect(Set(folders).subtracting(FuzzTarget.all.map(\.name) + ["README.md"]) == [])
  }

  @Test("A promise that is broken is seen")
  func broken() {
    let headers = ["ce_id": "1", "ce_type": "chat.event", "ce_source": "/channels/chat/w"]
    let record = Record(
      topic: "channel.chat", partition: 0, offset: 0, timestamp: nil, key: nil,
      headers: headers.map { Record.Header($0.key, Array($0.value.utf8)) },
      value: Array(#"{"event":"message.created","event_id":"1","visitor":{"id":"v"},"message":{"text":"1234"}}"#.utf8))
    #expect(Promises.broken(by: record) == [])
    var tighter = Limits()
    (tighter.textBytes, tighter.lineBytes) = (3, 0)
    #expect(Promises.broken(by: record, promising: tighter) == ["a text is bounded", "a line of a message is bounded"])
  }
}

extension FuzzTarget: CustomTestStringConvertible {
  public var testDescription: String { name }
}
