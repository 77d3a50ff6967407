import Canonical

@testable import Engine

/// Hours after the first of January 2026, when nothing has happened yet.
func hour(_ hours: Double) -> Timestamp { Timestamp(seconds: 1_767_225_600 + Int64(hours * 3_600)) }
func day(_ days: Double) -> Timestamp { hour(days * 24) }

func whatsapp(_ value: String, _ assurance: Assurance = .a2) -> StatedIdentifier {
  StatedIdentifier(Identifier(.whatsapp, scope: "page", value), assurance)
}
func email(_ value: String, _ assurance: Assurance = .a1) -> StatedIdentifier {
  StatedIdentifier(Identifier(.email, value), assurance)
}
func phone(_ value: String, _ assurance: Assurance = .a1) -> StatedIdentifier {
  StatedIdentifier(Identifier(.phone, value), assurance)
}
func number(_ value: String, _ assurance: Assurance = .a3) -> StatedIdentifier {
  StatedIdentifier(Identifier(.externalID, value), assurance)
}
func cookie(_ value: String) -> StatedIdentifier { StatedIdentifier(Identifier(.visitor, scope: "widget", value), .bearer) }
func order(_ value: String, _ assurance: Assurance) -> StatedIdentifier { StatedIdentifier(Identifier(.order, value), assurance) }

/// 16 bytes for a word; the same in every run.
func hash(_ text: String) -> Bytes16 {
  var state: UInt64 = 0xcbf2_9ce4_8422_2325
  for byte in text.utf8 { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
  var generator = SplitMix64(seed: state)
  return Bytes16(high: generator.next(), low: generator.next())
}

/// A message that is called `id`: its provider's id, its name for references and what makes its delivery the same.
func message(
  _ id: String, from customer: [StatedIdentifier], at sentAt: Timestamp?, received: Timestamp? = nil,
  on channel: Channel = .whatsapp,
  account: String = "page", tenant: String = "shop", key: String? = nil, named names: [String]? = nil,
  to references: [String] = [],
  session: String? = nil, direction: Direction = .inbound, author: AuthorKind = .customer, name: String? = nil
) -> Event {
  Event(
    tenant: tenant, channel: channel, account: account, key: MessageKey(hash("key " + (key ?? id))), sentAt: sentAt,
    receivedAt: received ?? sentAt ?? hour(0),
    body: .message(
      Message(
        direction: direction, authorKind: author, customer: customer, customerName: name, externalID: id,
        names: (names ?? [id]).map { ReferenceKey(hash($0)) }, references: references.map { ReferenceKey(hash($0)) },
        session: session.map { ReferenceKey(hash($0)) })))
}

/// What the agent wrote in the provider's own inbox.
func echo(
  _ id: String, to customer: [StatedIdentifier], at sentAt: Timestamp, on channel: Channel = .whatsapp, account: String = "page"
) -> Event {
  message(id, from: customer, at: sentAt, on: channel, account: account, direction: .outbound, author: .agent)
}

func contact(
  _ id: String, _ identifiers: [StatedIdentifier], at updatedAt: Timestamp, received: Timestamp? = nil, tenant: String = "shop",
  name: String? = nil, language: String? = nil, organization: Organization? = nil, traits: [String: String] = [:]
) -> Event {
  Event(
    tenant: tenant, channel: .crm, account: "crm", key: MessageKey(hash("key " + id)), sentAt: updatedAt,
    receivedAt: received ?? updatedAt,
    body: .contact(
      Contact(
        identifiers: identifiers, displayName: name, language: language, organization: organization,
        traits: traits.mapValues { JSONText(utf8: Array(("\"" + $0 + "\"").utf8)) }, updatedAt: updatedAt)))
}

/// A change that the provider vouches for, unless `adjust` says otherwise.
func change(
  _ id: String, _ kind: String, of target: String?, at sentAt: Timestamp, from customer: [StatedIdentifier] = [],
  on channel: Channel = .whatsapp, tenant: String = "shop", _ adjust: (inout Change) -> Void = { _ in }
) -> Event {
  var change = Change(
    kind: kind, target: target.map { ReferenceKey(hash($0)) }, targetExternalID: target, customer: customer)
  change.isAttested = true
  adjust(&change)
  return Event(
    tenant: tenant, channel: channel, account: "page", key: MessageKey(hash("key " + id)), sentAt: sentAt, receivedAt: sentAt,
    body: .change(change))
}

func record(_ elements: [NormalisedElement], offset: Int64 = 0, tenant: String = "shop") -> NormalisedRecord {
  NormalisedRecord(
    record: Record(topic: "channel", partition: 0, offset: offset, timestamp: nil, key: nil, headers: [], value: nil),
    tenant: tenant,
    elements: elements)
}

extension ModelStore {
  /// Each event is a record, and each record a batch.
  init(_ events: Event..., policy: Policy = Policy()) throws {
    self.policy = policy
    for event in events { try receive(event) }
  }

  mutating func receive(_ events: Event...) throws {
    for event in events { try commit([record([.event(event)])]) }
  }

  /// The customer of the message with this provider's id.
  func customer(_ message: String) -> ID? { row(message)?.customer }
  func conversation(_ message: String) -> ConversationState? {
    row(message).flatMap { conversations[InTenant($0.tenant, $0.conversation)] }
  }
  func row(_ message: String) -> WriteSet.NewMessage? { messages.first { $0.message.externalID == message } }
  func flags(_ message: String) -> [String] { row(message)?.message.flags ?? [] }

  /// The customer whose identity this is.
  func owner(_ stated: StatedIdentifier, tenant: String = "shop") -> ID? {
    identities[InTenant(tenant, stated.identifier)]?.customer
  }
  func assurance(_ stated: StatedIdentifier) -> Assurance? { identities[InTenant("shop", stated.identifier)]?.assurance }
  func profile(_ stated: StatedIdentifier) -> CustomerProfile? {
    owner(stated).flatMap { customers[InTenant("shop", $0)]?.profile }
  }
  func claims(of customer: ID?) -> [Identifier] { claims.filter { $0.customer == customer }.map(\.identifier) }

  /// From whose conversation to whose, by the ids of a message in each, and why.
  func isLinked(_ message: String, to other: String, _ reason: String) -> Bool {
    guard let from = row(message), let to = row(other) else { return false }
    return links[.init(tenant: from.tenant, conversation: from.conversation, linked: to.conversation, reason: reason)] != nil
  }

  /// The types and numbers of the events about the message's conversation, as they were emitted.
  func events(about message: String) -> [String] {
    events.filter { $0.subject == row(message)?.conversation.description }.map {
      "\($0.seq) " + $0.type.dropFirst("conversation.".count)
    }
  }
}
