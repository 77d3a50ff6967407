import Canonical

@testable import Engine

/// What a store holds, with every id replaced by what it stands for: two equal snapshots differ in ids alone.
///
/// A conversation is named by its messages, a message by its provider's id (which tests keep unique), a customer by all of these.
struct Snapshot: Equatable, CustomStringConvertible {
  private(set) var lines: [String] = []

  init(_ store: ModelStore) {
    var messages: [InTenant<ID>: String] = [:]
    var inConversation: [InTenant<ID>: [String]] = [:]
    var ofCustomer: [InTenant<ID>: [String]] = [:]
    for message in store.messages {
      let name = message.message.externalID ?? "?"
      messages[InTenant(message.tenant, message.id)] = name
      inConversation[InTenant(message.tenant, message.conversation), default: []].append(name)
      ofCustomer[InTenant(message.tenant, message.customer), default: []].append(name)
    }
    for (key, identity) in store.identities {
      ofCustomer[InTenant(key.tenant, identity.customer), default: []].append(key.value.line)
    }
    let conversations = inConversation.mapValues { "(" + $0.sorted().joined(separator: " ") + ")" }
    let customers = ofCustomer.mapValues { "[" + $0.sorted().joined(separator: " ") + "]" }
    func conversation(_ tenant: String, _ id: ID?) -> String { id.map { conversations[InTenant(tenant, $0)] ?? "(?)" } ?? "nil" }
    func customer(_ tenant: String, _ id: ID?) -> String { id.map { customers[InTenant(tenant, $0)] ?? "[]" } ?? "nil" }
    func message(_ tenant: String, _ id: ID?) -> String { id.map { messages[InTenant(tenant, $0)] ?? "?" } ?? "nil" }
    func add(_ tenant: String, _ what: String, _ parts: [String]) {
      lines.append(tenant + " " + what + " " + parts.joined(separator: " | "))
    }

    for (key, stored) in store.customers {
      let profile = stored.profile
      let traits = profile.traits.map { $0.key + "=" + $0.value.json.string }.sorted().joined(separator: ",")
      add(
        key.tenant, "customer",
        [
          customer(key.tenant, key.value), stored.createdAt.line, "verified \(profile.isVerified)", profile.displayName ?? "nil",
          profile.language ?? "nil", profile.organization ?? "nil", profile.updatedAt?.line ?? "nil", traits,
          "into " + customer(key.tenant, stored.mergedInto), "seq \(profile.eventSeq)",
        ])
    }
    for (key, identity) in store.identities {
      add(
        key.tenant, "identity",
        [
          key.value.line, customer(key.tenant, identity.customer), identity.assurance.label, "shared \(identity.isShared)",
          identity.firstSeenAt.line, identity.lastSeenAt.line,
        ])
    }
    for (key, stored) in store.organizations {
      add(
        key.tenant, "organization",
        [
          key.value, stored.organization.name ?? "nil", stored.organization.domains.joined(separator: ","),
          stored.organization.accountManager ?? "nil", stored.at.line,
        ])
    }
    for (key, stored) in store.conversations {
      let events = store.events.filter { $0.subject == key.value.description }.map {
        "\($0.seq):" + $0.type.dropFirst("conversation.".count)
      }
      add(
        key.tenant, "conversation",
        [
          conversation(key.tenant, key.value), customer(key.tenant, stored.customer), stored.lane, stored.status.rawValue,
          "version \(stored.version)", "seq \(stored.eventSeq)", stored.lastChannel, stored.language ?? "nil",
          stored.subject ?? "nil", "previous " + conversation(key.tenant, stored.previous), stored.openedAt.line,
          stored.firstResponseAt?.line ?? "nil", stored.resolvedAt?.line ?? "nil", stored.lastMessageAt.line,
          "into " + conversation(key.tenant, stored.mergedInto), "moved \(stored.originCustomer != nil)",
          "seen \(stored.customerVersion)", "waits " + (stored.waitingSince?.line ?? "nil"), stored.lastAccount ?? "nil",
          events.joined(separator: " "),
        ])
    }
    for stored in store.messages {
      add(
        stored.tenant, "message",
        [
          message(stored.tenant, stored.id), conversation(stored.tenant, stored.conversation),
          customer(stored.tenant, stored.customer), stored.orderedAt.line, stored.message.flags.joined(separator: ","),
          "moved \(stored.originConversation != nil) \(stored.originCustomer != nil)", stored.deletedAt?.line ?? "nil",
          stored.deliveryStatus ?? "nil",
        ])
    }
    for (key, done) in store.changes {
      let texts = done.flatMap(\.edits).map { $0.at.line + " " + ($0.text ?? "nil") }
      let deletion = done.compactMap(\.deletion).map { $0.at.line + " " + ($0.by?.rawValue ?? "nil") }
      let others = [done.compactMap(\.transcript).joined(separator: "\n")] + done.flatMap(\.parts).map(\.string)
      let files = done.flatMap(\.attachments).map(\.string) + done.flatMap(\.removedAttachments).map { "-" + $0.string }
      let pieces = done.reduce(into: [Int64: String]()) { $0.merge($1.pieces) { first, _ in first } }
        .sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      // An edit before a deletion leaves nothing behind.
      add(
        key.tenant, "changes",
        [message(key.tenant, key.value)]
          + (deletion.isEmpty ? texts + others + pieces + files + done.flatMap(\.removedPieces) : deletion))
    }
    for (key, stored) in store.reactions {
      let place = message(key.message.tenant, key.message.value)
      add(key.message.tenant, "reaction", [place, key.actor, key.slot, stored.reaction ?? "nil", stored.at.line])
    }
    for (key, at) in store.receipts {
      let place = message(key.message.tenant, key.message.value)
      add(key.message.tenant, "receipt", [place, key.status, key.recipient, at.line])
    }
    for (key, upTo) in store.watermarks {
      add(key.address.tenant, "watermark", [key.address.account, key.address.address, key.status, upTo.line])
    }
    for (key, stored) in store.consents {
      add(key.tenant, "consent", [key.account, key.address, "\(stored.isGiven)", stored.at.line])
    }
    for event in store.customerEvents {
      add(event.tenant, "event", [customer(event.tenant, event.customer), event.kind, event.status ?? "nil", event.at.line])
    }
    for (key, stored) in store.orders {
      add(key.tenant, "order", [key.externalID, stored.order.status ?? "nil", customer(key.tenant, stored.customer)])
    }
    for (key, stored) in store.surveys {
      let parts = [
        stored.response.comment ?? "nil", customer(key.tenant, stored.customer), conversation(key.tenant, stored.conversation),
      ]
      add(key.tenant, "survey", [key.externalID] + parts)
    }
    for (key, stored) in store.references {
      let name = String(key.value.raw.high, radix: 16)
      add(key.tenant, "reference", [name, conversation(key.tenant, stored.conversation), message(key.tenant, stored.message)])
    }
    for (link, by) in store.links {
      add(
        link.tenant, "link",
        [
          conversation(link.tenant, link.conversation), conversation(link.tenant, link.linked), link.reason,
          message(link.tenant, by),
        ])
    }
    for claim in store.claims {
      add(
        claim.tenant, "claim",
        [customer(claim.tenant, claim.customer), claim.identifier.line, message(claim.tenant, claim.message), claim.at.line])
    }
    for (suggestion, evidence) in store.suggestions {
      let pair = [customer(suggestion.tenant, suggestion.customer), customer(suggestion.tenant, suggestion.other)].sorted()
      add(suggestion.tenant, "suggestion", pair + [suggestion.rule, evidence.string])
    }
    for (merge, members, conversations) in store.merges {
      add(merge.tenant, "merge", [merge.rule, customer(merge.tenant, merge.survivor), "\(members.count) \(conversations.count)"])
    }
    for parked in store.parked {
      add(
        parked.tenant, "parked",
        [parked.kind, customer(parked.tenant, parked.customer), parked.targetExternalID ?? "nil", parked.receivedAt.line])
    }
    for letter in store.deadLetters {
      add(letter.tenant, "dead letter", [letter.rejection.reason.rawValue, letter.rejection.detail, "\(letter.element ?? -1)"])
    }
    lines.sort()
    lines.append("outcomes " + store.outcomes.map { $0.map(\.label).joined(separator: ",") }.joined(separator: " "))
  }

  /// The lines that only one of the two has.
  func difference(from other: Snapshot) -> String {
    let (mine, theirs) = (Set(lines), Set(other.lines))
    return (mine.subtracting(theirs).sorted().map { "- " + $0 } + theirs.subtracting(mine).sorted().map { "+ " + $0 })
      .joined(separator: "\n")
  }

  var description: String { lines.joined(separator: "\n") }
}

extension Identifier {
  fileprivate var line: String { kind.rawValue + ":" + (scope.isEmpty ? "" : scope + ":") + value }
}

extension Timestamp {
  fileprivate var line: String { String(iso8601.prefix(16)) }
}
