import Canonical
import Parsing

/// `shopify.order`: the body of a shop's webhook; topic, shop and event are in its headers.
///
/// An order comes whole, in any order of its versions. Of what else the shop tells only the duties of data protection are read.
/// Source: `channels.md`, section 19.
enum ShopifyOrder {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    let headers = delivery.envelope.headers
    guard let topic = headers["http_x-shopify-topic"]?.trimmed.nonEmpty else {
      throw Rejection(.malformedPayload, "http_x-shopify-topic")
    }
    var delivery = delivery
    delivery.account = headers["http_x-shopify-shop-domain"]?.trimmed.nonEmpty?.lowercased() ?? delivery.account
    let reader = Reader(root: root, topic: topic, delivery: delivery)
    elements.add { () throws(Rejection) in try reader.element() }
  }

  private struct Reader {
    let root: JSONValue
    let topic: String
    let delivery: Delivery

    func element() throws(Rejection) -> NormalisedElement {
      switch topic {
      case "orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/fulfilled", "orders/partially_fulfilled":
        return try order()
      case "customers/redact", "customers/data_request", "shop/redact": return try duty()
      default:
        return delivery.event(
          key("unknown", else: root.json.string), sentAt: triggeredAt, .unknown(Unknown(what: topic, details: scalars)))
      }
    }

    private func order() throws(Rejection) -> NormalisedElement {
      guard let id = try root.optionalID("id") else { throw Rejection(.malformedPayload, "id") }
      guard let updatedAt = root["updated_at"].time else { throw Rejection(.malformedPayload, "updated_at") }
      let items = root["line_items"].elements.prefix(delivery.limits.attachments + 1).compactMap { item in
        item["title"].personName.map { Order.Item(title: $0, quantity: item["quantity"].int64) }
      }
      let order = Order(
        externalID: id, number: root["name"].id ?? root["order_number"].id,
        status: root["cancelled_at"].id == nil ? root["financial_status"].string?.nonEmpty : "cancelled",
        total: try? root.decimal("total_price"), currency: root["currency"].string?.nonEmpty, items: items,
        placedAt: root["processed_at"].time ?? root["created_at"].time, updatedAt: updatedAt,
        customer: try identifiers(root["customer"]), customerName: name(root["customer"]) ?? name(root["billing_address"]),
        language: root["customer_locale"].string?.languageOfLocale, details: details)
      // A claim must not pass for the statement that it copies.
      let kind = delivery.isVouchedFor ? "order" : "claimed_order"
      return delivery.event(key(kind, else: id, updatedAt.iso8601), sentAt: updatedAt, .order(order))
    }

    /// What data protection demands: to erase, or to tell what is known.
    private func duty() throws(Rejection) -> NormalisedElement {
      let kind = topic == "customers/data_request" ? "data_request" : "erasure"
      var details = JSONObjectWriter()
      details.member("topic", topic)
      details.members(of: root, without: ["topic", "customer"])
      let change = Change(
        kind: kind, customer: try identifiers(root["customer"]), status: topic.lastPart, details: details.finished)
      return delivery.event(key(kind, else: root.json.string), sentAt: triggeredAt, .change(change))
    }

    /// A delivery is known by the event's id, which another topic may have too.
    private func key(_ kind: String, else parts: String...) -> MessageKey {
      let event = delivery.envelope.headers["http_x-shopify-event-id"]?.trimmed.nonEmpty
      return delivery.key(kind, [topic] + (event.map { ["event", $0] } ?? parts))
    }

    private var triggeredAt: Timestamp? {
      delivery.envelope.headers["http_x-shopify-triggered-at"].flatMap(ISO8601.microseconds).map(Timestamp.init(microseconds:))
        .flatMap { Timestamp.storable.contains($0) ? $0 : nil }
    }

    /// What is typed at a checkout is a claim, unless the shop has verified that its customer's account says the same.
    private func identifiers(_ customer: JSONValue) throws(Rejection) -> [StatedIdentifier] {
      let isVerified = customer["id"].id != nil && customer["verified_email"].bool != false
      let stated: Assurance = delivery.isVouchedFor && isVerified ? .a1 : .a0
      let (billing, address) = (root["billing_address"], customer["default_address"])
      let country = billing["country_code"].string(atMost: 2) ?? address["country_code"].string(atMost: 2)
      var identifiers = StatedIdentifiers(delivery.limits)
      try identifiers.add(.contact, scope: "shopify:" + delivery.account, customer["id"].id, delivery.recordAssurance)
      try identifiers.add(.email, customer["email"].string(atMost: Identifier.maximumBytes), stated)
      for email in [root["email"], root["contact_email"]] {
        try identifiers.add(.email, email.string(atMost: Identifier.maximumBytes), .a0)
      }
      // As people of the country dial them, and sometimes in letters.
      func number(_ phone: JSONValue) -> String? { phone.id.flatMap { PhoneNumber.e164($0, region: country) } }
      try identifiers.add(.phone, number(customer["phone"]), stated)
      for phone in [root["phone"], billing["phone"], address["phone"]] {
        try identifiers.add(.phone, number(phone), .a0)
      }
      return identifiers.list
    }

    private func name(_ person: JSONValue) -> String? {
      [person["first_name"], person["last_name"]].compactMap(\.personName).joined(separator: " ").nonEmpty
    }

    private var details: JSONText {
      var details = JSONObjectWriter()
      details.members(Self.kept, of: root)
      if root["fulfillment_status"].exists {
        details.member("fulfillment_status", root["fulfillment_status"].string ?? "unfulfilled")
      }
      details.member("line_items", list("line_items", Self.keptOfItem))
      details.member("fulfillments", list("fulfillments", Self.keptOfFulfillment))
      details.member("refunds", list("refunds", Self.keptOfRefund))
      return details.finished
    }

    private func list(_ name: String, _ kept: [String]) -> JSONText {
      let items = root[name].elements.prefix(delivery.limits.attachments).map { item in
        var writer = JSONObjectWriter()
        writer.members(kept, of: item)
        return writer.finish()
      }
      return items.isEmpty ? JSONText() : JSONText(array: items)
    }

    /// Neither addresses and payments nor what the browser told: an order has more of a person than a desk needs.
    private static let kept = [
      "financial_status", "cancelled_at", "cancel_reason", "closed_at", "note", "note_attributes", "tags", "source_name",
      "referring_site", "landing_site", "landing_site_ref", "location_id", "user_id", "device_id", "admin_graphql_api_id", "test",
    ]
    private static let keptOfItem = ["title", "sku", "product_id", "variant_id", "price", "properties"]
    private static let keptOfFulfillment = [
      "status", "shipment_status", "tracking_company", "tracking_number", "tracking_numbers", "tracking_url", "tracking_urls",
      "created_at", "updated_at",
    ]
    private static let keptOfRefund = ["id", "created_at", "note"]

    /// Of what is not known, nothing that is made of parts: it may be a person. Who has a token or one of the links reads the order
    /// or completes the purchase.
    private var scalars: JSONText {
      var details = JSONObjectWriter()
      for (name, value) in root.members
      where !value.isObject && !value.isArray && !name.hasSuffix("token") && !Self.secrets.contains(name) {
        details.member(name, value.json)
      }
      return details.finished
    }

    private static let secrets: Set<String> = ["browser_ip", "order_status_url", "abandoned_checkout_url"]
  }
}

extension JSONObjectWriter {
  /// Those of an object's members that say something.
  fileprivate mutating func members(_ names: [String], of value: JSONValue) {
    for name in names {
      let json = value[name].json
      // Of no properties there is an empty object, or an empty array.
      if !["null", "\"\"", "[]", "{}"].contains(json.string) { member(name, json) }
    }
  }
}
