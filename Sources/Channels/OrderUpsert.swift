import Canonical
import Parsing

/// `order.upsert`: an order as the business's own shop knows it (`schemas/payloads/order.upsert.json`), one version a record.
///
/// Without `attested: business` every identifier is a claim.
enum OrderUpsert {
  static func read(_ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard payload.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in
      guard let number = try payload.optionalID("order_number") else { throw Rejection(.malformedPayload, "order_number") }
      guard let updatedAt = payload["updated_at"].time else { throw Rejection(.malformedPayload, "updated_at") }
      guard payload["placed_at"].timeFlags.isEmpty else { throw Rejection(.malformedPayload, "placed_at") }
      let status = try payload.text("status")
      let (items, isPlain) = try items(payload["items"], limit: delivery.limits.attachments + 1)
      var details = JSONObjectWriter()
      details.members(of: payload, without: shown, or: isPlain ? "items" : nil)
      let order = Order(
        externalID: number, number: number, status: status, total: try payload.decimal("total"),
        currency: try payload.text("currency"), items: items, placedAt: payload["placed_at"].time, updatedAt: updatedAt,
        customer: try identifiers(payload, delivery), customerName: payload["customer"]["name"].personName,
        language: payload["language"].string?.languageOfLocale, details: details.finished)
      // A claim must not pass for the statement that it copies.
      let kind = delivery.envelope.attested.contains(.business) ? "order" : "claimed_order"
      return delivery.event(delivery.key(kind, number, updatedAt.iso8601, status ?? ""), sentAt: updatedAt, .order(order))
    }
  }

  private static let shown: Set<String> = [
    "order_number", "status", "total", "currency", "placed_at", "updated_at", "language",
  ]

  /// What was ordered, and whether that is all that is said of it.
  private static func items(_ list: JSONValue, limit: Int) throws(Rejection) -> (items: [Order.Item], isPlain: Bool) {
    guard list.isArray || !list.exists || list.isNull else { throw Rejection(.malformedPayload, "items") }
    var items: [Order.Item] = []
    var isPlain = true
    for item in list.elements.prefix(limit) {
      let title = try item.requiredID("title", in: "items[].")
      items.append(Order.Item(title: title, quantity: try item.integer("quantity")))
      if item.members.contains(where: { $0.key != "title" && $0.key != "quantity" }) { isPlain = false }
    }
    return (items, isPlain)
  }

  /// `customer`: the identifiers of a visit to a store, or a list of them as a contact has it.
  static func identifiers(_ payload: JSONValue, _ delivery: Delivery) throws(Rejection) -> [StatedIdentifier] {
    let customer = payload["customer"]
    guard customer.isArray else {
      guard customer.isObject || !customer.exists || customer.isNull else { throw Rejection(.malformedPayload, "customer") }
      return try StoreVisit.identifiers(payload, delivery)
    }
    var identifiers = StatedIdentifiers(delivery.limits)
    try ContactUpsert.add(customer, to: &identifiers, in: "customer[].", delivery)
    return identifiers.list
  }
}
