import Canonical
import Glibc
import Testing

@testable import Engine

/// Property P1 of identity-and-threading.md: what a store holds does not depend on how the records were cut into batches.
///
/// A failure names its seed and the records that are needed for it; `THROUGHLINE_TEST_SEED=<seed>` runs that seed alone, and
/// `THROUGHLINE_TEST_SEEDS=<count>` so many.
@Suite struct BatchCutTests {
  /// In portions that run side by side.
  static let seeds: [Range<UInt64>] = {
    func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }
    if let seed = number("THROUGHLINE_TEST_SEED") { return [seed..<(seed &+ 1)] }
    let count = number("THROUGHLINE_TEST_SEEDS") ?? 200
    return stride(from: 0, to: count, by: 25).map { $0..<min($0 + 25, count) }
  }()

  @Test("However the records are cut into batches, the same customers, threads and events are left", arguments: seeds)
  func cuts(_ seeds: Range<UInt64>) {
    for seed in seeds {
      let story = Story(seed: seed)
      guard let flaw = Self.flaw(of: story) else { continue }
      let shortest = Self.shortest(story, with: flaw)
      Issue.record("THROUGHLINE_TEST_SEED=\(seed): \(Self.flaw(of: shortest) ?? flaw)\n\(shortest.text)")
      return
    }
  }

  /// What is wrong with the story, if anything is.
  private static func flaw(of story: Story) -> Flaw? {
    var expected: Snapshot?
    for batchRecords in [1, 2, 7, 50, .max] where batchRecords == .max || batchRecords < story.longestChapter {
      do {
        let store = try story.told(batchRecords: batchRecords)
        if let broken = store.flaw(after: story.chapters.flatMap { $0 }) {
          return Flaw(kind: broken, detail: "in batches of \(batchRecords)")
        }
        let snapshot = Snapshot(store)
        if let expected, expected != snapshot {
          return Flaw(kind: "differs", detail: "in batches of \(batchRecords):\n" + expected.difference(from: snapshot))
        }
        expected = snapshot
      } catch {
        return Flaw(kind: "\(error)", detail: "in batches of \(batchRecords)")
      }
    }
    return nil
  }

  private struct Flaw: CustomStringConvertible {
    var kind: String
    var detail: String
    var description: String { kind + " " + detail }
  }

  /// The story with every record left out that the flaw does not need.
  private static func shortest(_ story: Story, with flaw: Flaw) -> Story {
    var story = story
    for chapter in story.chapters.indices {
      for record in story.chapters[chapter].indices.reversed() {
        let shorter = story.without(chapter, record)
        if Self.flaw(of: shorter)?.kind == flaw.kind { story = shorter }
      }
    }
    return story
  }
}

extension Story {
  /// The records as a reader can follow them.
  var text: String {
    chapters.enumerated().flatMap { chapter, records in
      ["chapter \(chapter)"] + records.map { "  " + $0.elements.map { $0.text }.joined(separator: "; ") }
    }.joined(separator: "\n")
  }
}

extension NormalisedElement {
  fileprivate var text: String {
    guard case .event(let event) = self else { return "\(self)" }
    let stated = IdentityResolver.stated(in: event).map {
      "\($0.identifier.kind.rawValue):\($0.identifier.value) \($0.assurance.label)"
    }
    var line =
      "\(event.tenant) \(event.channel)/\(event.account) \(event.sentAt?.iso8601 ?? "-") \(event.receivedAt.iso8601) \(stated)"
    switch event.body {
    case .message(let message):
      let references = message.references.map { String($0.raw.high, radix: 16) }
      line += " message \(message.externalID ?? "-") \(message.direction) \(message.authorKind) to \(references)"
    case .contact(let contact): line += " contact \(contact.organization?.externalID ?? "") \(contact.traits.keys.sorted())"
    case .order(let order): line += " order \(order.externalID) \(order.updatedAt.iso8601)"
    case .survey(let response): line += " survey \(response.externalID) \(response.updatedAt.iso8601)"
    case .change(let change):
      line += " \(change.kind) \(change.status ?? "") of \(change.target.map { String($0.raw.high, radix: 16) } ?? "-")"
    case .unknown, .action, .result, .presence: line += " unknown"
    }
    return line
  }
}
