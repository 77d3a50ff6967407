import Canonical
import Parsing

/// `store.visit`: what the staff of a store note of a visit (`schemas/payloads/store.visit.json`), one or an array of them.
///
/// The staff write for each other: a note is internal unless it says that the words are the customer's. Registers work without a
/// connection and upload late, in any order. Without `attested: business` every identifier is a claim.
enum StoreVisit {
  static func read(_ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard payload.isArray else {
      guard payload.isObject else { throw Rejection(.malformedPayload, "not an object") }
      return elements.add { () throws(Rejection) in try visit(payload, delivery) }
    }
    for item in payload.elements {
      elements.add { () throws(Rejection) in
        guard item.isObject else { throw Rejection(.malformedPayload, "[]") }
        return try visit(item, delivery)
      }
    }
  }

  private static let kinds: Set<String> = ["visit", "note", "return", "purchase", "complaint"]

  private static func visit(_ item: JSONValue, _ delivery: Delivery) throws(Rejection) -> NormalisedElement {
    let id = try item.requiredID("event_id")
    let kind = try item.requiredID("kind")
    let occurredAt = item["occurred_at"]
    let time = hasZone(occurredAt) ? occurredAt.time : nil
    guard kinds.contains(kind) else {
      return delivery.event(
        delivery.key("unknown", kind, id), sentAt: time, .unknown(Unknown(what: kind, details: item.json)))
    }
    let isCustomers: Bool
    switch item["author"].string {
    case "customer": isCustomers = true
    case "staff", nil: isCustomers = false
    default: throw Rejection(.malformedPayload, "author")
    }
    let customer = try identifiers(item, delivery)
    let text = try item.text("text")
    var flags = occurredAt.exists && !occurredAt.isNull && time == nil ? ["sent_at_invalid"] : []
    if customer.isEmpty { flags.append("customer_unknown") }
    let name = ReferenceKey.message(.store, account: delivery.account, id: id)
    let message = Message(
      direction: isCustomers ? .inbound : .internal, authorKind: isCustomers ? .customer : .agent,
      authorID: isCustomers ? nil : item["agent_id"].id ?? item["staff_id"].id, customer: customer,
      customerName: item["customer"]["name"].string?.trimmed.nonEmpty,
      // The register's locale says nothing about the customer.
      language: isCustomers ? text.flatMap(Language.detect) : nil, externalID: id, names: [name], text: text,
      attachments: ChatEvent.attachments(item["attachments"], limit: delivery.limits.attachments + 1),
      details: item.rest(without: ["event_id", "occurred_at", "text", "attachments"]), flags: flags)
    return delivery.event(MessageKey(name), sentAt: time, .message(message))
  }

  /// A register's clock without its zone may be hours off.
  private static func hasZone(_ time: JSONValue) -> Bool {
    guard let text = time.string(atMost: 64), Int64(text) == nil else { return true }
    return text.utf8.dropFirst("2026-05-12T18:02".utf8.count).contains { "+-ZzU".utf8.contains($0) }
  }

  /// The business's own number is its word, what was scanned or typed at the till is not verified.
  static func identifiers(_ item: JSONValue, _ delivery: Delivery) throws(Rejection) -> [StatedIdentifier] {
    let isVouchedFor = delivery.envelope.attested.contains(.business)
    let stated: Assurance = isVouchedFor ? .a1 : .a0
    let customer = item["customer"]
    // As people of the country dial it.
    let phone = customer["phone"].id.map { PhoneNumber.e164($0, region: item["country"].string(atMost: 2)) ?? $0 }
    var identifiers = StatedIdentifiers(delivery.limits)
    try identifiers.add(.externalID, customer["external_id"].id, isVouchedFor ? .a3 : .a0)
    try identifiers.add(.loyalty, customer["loyalty"].id ?? customer["loyalty_id"].id, stated)
    try identifiers.add(.email, customer["email"].string(atMost: JSONValue.longestID), stated)
    try identifiers.add(.phone, phone, stated)
    try identifiers.add(.order, item["order_ref"].id, stated)
    return identifiers.list
  }
}
