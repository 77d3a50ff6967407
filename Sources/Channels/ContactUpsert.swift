import Canonical
import Parsing

/// `contact.upsert`: what the business knows of a customer (`schemas/payloads/contact.upsert.json`), one contact a record.
///
/// Without `attested: business` it is nobody's statement and every identifier a claim.
enum ContactUpsert {
  static func read(_ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard payload.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in
      let identifiers = try identifiers(payload, delivery)
      let updatedAt = payload["updated_at"].time
      guard updatedAt != nil || payload["updated_at"].timeFlags.isEmpty else { throw Rejection(.malformedPayload, "updated_at") }
      let contact = Contact(
        identifiers: identifiers, displayName: try payload.text("display_name"),
        language: payload["language"].string?.languageOfLocale, organization: try organization(payload["organization"], delivery),
        traits: try traits(payload["traits"], delivery), updatedAt: updatedAt ?? delivery.receivedAt)
      let who =
        payload["external_id"].id.map { ["external_id", $0] }
        ?? identifiers.map(\.identifier).sorted().flatMap { [$0.kind.rawValue, $0.scope, $0.value] }
      let version = updatedAt?.iso8601 ?? delivery.envelope.id
      // A claim must not pass for the statement that it copies.
      let kind = isVouchedFor(delivery) ? "contact" : "claimed_contact"
      return delivery.event(delivery.key(kind, [version] + who), sentAt: updatedAt, .contact(contact))
    }
  }

  private static func isVouchedFor(_ delivery: Delivery) -> Bool { delivery.envelope.attested.contains(.business) }

  private static func identifiers(_ payload: JSONValue, _ delivery: Delivery) throws(Rejection) -> [StatedIdentifier] {
    let isVouchedFor = isVouchedFor(delivery)
    var identifiers = StatedIdentifiers(delivery.limits)
    try identifiers.add(.externalID, payload["external_id"].id, isVouchedFor ? .a3 : .a0)
    let stated = payload["identifiers"]
    guard stated.isArray || !stated.exists || stated.isNull else { throw Rejection(.malformedPayload, "identifiers") }
    try add(stated, to: &identifiers, in: "identifiers[].", delivery)
    guard !identifiers.list.isEmpty else { throw Rejection(.malformedPayload, "identifiers") }
    return identifiers.list
  }

  /// A list of `{"kind", "scope", "value", "verified"}`.
  static func add(
    _ list: JSONValue, to identifiers: inout StatedIdentifiers, in place: String, _ delivery: Delivery
  ) throws(Rejection) {
    for item in list.elements {
      let kind = IdentifierKind(rawValue: try item.requiredID("kind", in: place))
      guard kinds.contains(kind) else { throw Rejection(.malformedPayload, place + "kind") }
      let value = try item.requiredID("value", in: place)
      let scope = kind.isScoped ? try item.requiredID("scope", in: place) : ""
      let isVerified = item["verified"].bool == true || kind == .externalID
      try identifiers.add(kind, scope: scope, value, !isVouchedFor(delivery) ? .a0 : isVerified ? .a3 : .a1)
    }
  }

  /// The kinds that a contact may name.
  private static let kinds: Set<IdentifierKind> = [
    .externalID, .email, .phone, .loyalty, .order, .whatsapp, .messenger, .instagram, .telegram, .x, .line, .viber, .slack,
    .apple, .visitor, .device,
  ]

  private static func organization(_ value: JSONValue, _ delivery: Delivery) throws(Rejection) -> Organization? {
    guard value.exists, !value.isNull else { return nil }
    let id = try value.requiredID("external_id", in: "organization.")
    guard id.utf8.count <= Identifier.maximumBytes else { throw Rejection(.malformedPayload, "organization.external_id") }
    var domains: [String] = []
    for domain in value["domains"].elements {
      // The longest domain that DNS can hold.
      guard let name = domain.string?.trimmed.lowercased().nonEmpty, name.utf8.count <= 253 else {
        throw Rejection(.malformedPayload, "organization.domains")
      }
      guard domains.count < delivery.limits.traits else { throw Rejection(.tooLarge, "organization.domains") }
      domains.append(name)
    }
    return Organization(
      externalID: id, name: try value.text("name"), domains: domains, accountManager: value["account_manager"].id)
  }

  private static func traits(_ value: JSONValue, _ delivery: Delivery) throws(Rejection) -> [String: JSONText] {
    guard value.exists, !value.isNull else { return [:] }
    guard value.isObject else { throw Rejection(.malformedPayload, "traits") }
    var traits: [String: JSONText] = [:]
    for (name, trait) in value.members {
      guard traits.count < delivery.limits.traits else { throw Rejection(.tooLarge, "traits") }
      traits[name] = trait.json
    }
    return traits
  }
}
