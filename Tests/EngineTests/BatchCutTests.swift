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
        if let broken = broken(store, story) { return Flaw(kind: broken, detail: "in batches of \(batchRecords)") }
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

  /// What must hold in every store.
  private static func broken(_ store: ModelStore, _ story: Story) -> String? {
    let records = story.chapters.flatMap { $0 }
    if store.outcomes.map(\.count) != records.map(\.elements.count) { return "an element has not one outcome" }
    let events = records.flatMap(\.events)
    let outcomes = store.outcomes.flatMap { $0 }
    if Set(events.map { InTenant($0.tenant, $0.key) }) != store.keys { return "a delivery is not remembered" }
    if outcomes.count(where: { $0 == .stored || $0 == .parked }) != store.keys.count {
      return "a delivery was stored twice, or never"
    }
    if outcomes.count(where: { $0 == .duplicate }) != events.count - store.keys.count { return "a duplicate is not told apart" }

    for customer in store.customers.values {
      guard let root = customer.mergedInto else { continue }
      if store.customers[InTenant(customer.tenant, root)]?.mergedInto != nil {
        return "a merged customer does not point at the root"
      }
      if store.identities.contains(where: { $0.value.customer == customer.id }) { return "a merged customer has an identity" }
      if store.conversations.values.contains(where: { $0.customer == customer.id }) {
        return "a merged customer has a conversation"
      }
    }
    for conversation in store.conversations.values {
      guard let root = conversation.mergedInto else { continue }
      if store.conversations[InTenant(conversation.tenant, root)]?.mergedInto != nil {
        return "a merged conversation does not point at the root"
      }
      if store.messages.contains(where: { $0.conversation == conversation.id }) { return "a merged conversation has a message" }
    }
    if Dictionary(grouping: store.conversations.values.filter(\.status.isLive), by: \.laneKey).contains(where: { $1.count > 1 }) {
      return "two conversations are live in one lane"
    }
    for message in store.messages
    where store.conversations[InTenant(message.tenant, message.conversation)]?.customer != message.customer {
      return "a message is in another customer's conversation"
    }
    for conversation in store.conversations.values {
      let seqs = store.events.filter { $0.subject == conversation.id.description }.map(\.seq)
      if seqs != Array(1...max(1, conversation.eventSeq)) { return "a conversation's events are not numbered one by one" }
      if conversation.openedAt > conversation.lastMessageAt { return "a conversation ends before it begins" }
      if conversation.status.isLive == (conversation.resolvedAt != nil) {
        return "a live conversation has an end, or an ended one none"
      }
    }
    for (customer, kinds) in Dictionary(grouping: store.identities, by: { InTenant($0.key.tenant, $0.value.customer) }) {
      let claimed = kinds.count(where: { $0.key.value.kind.isClaimed })
      if claimed > 0 && kinds.count > 1 { return "a claim leads to a customer who is known otherwise" }
      if claimed > 0 && store.customers[customer]?.profile.isVerified == true { return "a claim leads to a verified customer" }
      for (kind, count) in Dictionary(grouping: kinds, by: \.key.value.kind).mapValues(\.count)
      where count > store.policy.identityLimit(kind) {
        return "a customer is over their limit of \(kind.rawValue)"
      }
    }
    // Ids are unique, so whatever belongs to two tenants has an id in both.
    let owners = store.customers.keys.map { ($0.value, $0.tenant) } + store.conversations.keys.map { ($0.value, $0.tenant) }
    if Dictionary(grouping: owners, by: \.0).contains(where: { $1.count > 1 }) { return "two tenants share something" }
    return nil
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
    case .change(let change): line += " \(change.kind)"
    case .unknown, .action, .result, .presence: line += " unknown"
    }
    return line
  }
}
