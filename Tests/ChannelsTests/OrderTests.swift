import Canonical
import Testing

@testable import Channels

/// Orders of shops: what their goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct OrderTests {
  private func shopify(_ name: String, _ headers: [String: String?] = [:]) throws -> NormalisedRecord {
    var sample = try Sample.named("shopify.order", name)
    for (header, value) in headers { sample.headers[header] = value }
    return Normaliser().normalise(sample.record())
  }

  private func own(_ name: String) throws -> NormalisedRecord { try Sample.normalise("order.upsert", name) }

  private func stated(_ record: NormalisedRecord) -> [String] {
    record.events.flatMap(\.stated).map {
      $0.identifier.kind.rawValue + " " + $0.identifier.value + " " + $0.assurance.label
    }
  }

  private let event = "http_x-shopify-event-id"
  private let topic = "http_x-shopify-topic"

  @Test("1: topic, shop and event are in the headers")
  func headers() throws {
    #expect(try shopify("no_topic").outcomes == ["malformed_payload"])
    let other = try shopify("paid", ["http_x-shopify-shop-domain": "Other.myshopify.com"])
    #expect(other.events.map(\.account) == ["other.myshopify.com"])
    #expect(other.events.first?.stated.first?.identifier.scope == "shopify:other.myshopify.com")
    #expect(other.events.map(\.key) != (try shopify("paid").events.map(\.key)))
  }

  @Test("The event's id makes a delivery the same, without one the version of the order does")
  func keys() throws {
    let paid = try shopify("paid")
    let same: [String: String?] = [event: "98880550-7158-44d4-b7cd-2c97c8a091b5", "http_x-shopify-topic": "orders/paid"]
    #expect(try shopify("paid", ["http_x-shopify-webhook-id": "again"]).events.map(\.key) == paid.events.map(\.key))
    #expect(try shopify("updated", same).events.map(\.key) == paid.events.map(\.key))
    let others = [
      paid, try shopify("paid", [event: "other"]), try shopify("paid", [topic: "orders/updated"]),
      try shopify("paid", [event: nil]), try shopify("updated"), try shopify("refunded"), try shopify("unsigned"),
    ]
    #expect(Set(others.flatMap(\.events).map(\.key)).count == others.count)
  }

  @Test("3: ids keep every digit")
  func digits() throws {
    #expect(orders(try shopify("paid")).map(\.externalID) == ["820982911946154508"])
    #expect(try stated(shopify("paid")).first == "contact 115310627314723954 A2")
    #expect(orders(try own("numbers")).map(\.externalID) == ["9007199254740993"])
  }

  @Test("13: no properties are an empty array or an empty object, and no customer is null")
  func empty() throws {
    let details = try #require(orders(try shopify("refunded")).first?.details.string)
    #expect(details.contains(#""properties":[{"name":"Grabado","value":"Para Eva"}]"#) && !details.contains("{}"))
    #expect(try stated(shopify("pos_nobody")).isEmpty && shopify("pos_nobody").outcomes == ["event"])
  }

  @Test("15: a number is read as the country of the bill dials it, and letters without one are none")
  func phones() throws {
    #expect(
      try stated(shopify("paid")) == [
        "contact 115310627314723954 A2", "email ana.ruiz@example.org A1", "phone +34600123456 A0",
      ])
    #expect(try stated(shopify("guest")) == ["email eva@example.net A0"])
    #expect(
      try stated(shopify("unsigned")) == [
        "contact 115310627314723954 A0", "email ana.ruiz@example.org A0", "phone +34600123456 A0",
      ])
  }

  @Test("What is typed at a checkout is a claim, unless the customer's own account says the same")
  func typed() throws {
    #expect(
      try stated(shopify("other_email")) == [
        "contact 115310627314723954 A2", "email ana.ruiz@example.org A1", "email regalo@example.net A0", "phone +34600123456 A1",
      ])
    #expect(
      try stated(shopify("email_not_verified")) == [
        "contact 115310627314723955 A2", "email ana.ruiz@example.org A0", "phone +34600123456 A0",
      ])
  }

  @Test("23: what the law demands is told, whom it is about included")
  func duties() throws {
    let duties = try ["customers_redact", "customers_data_request", "shop_redact"].flatMap { try shopify($0).changes }
    #expect(duties.map(\.kind) == ["erasure", "data_request", "erasure"])
    #expect(duties.map(\.status) == ["redact", "data_request", "redact"])
    let change = try #require(try shopify("customers_redact").changes.first)
    #expect(change.kind == "erasure" && change.customer.count == 3 && change.isAttested)
  }

  @Test("Neither the browser's address nor what opens the order or its basket is kept")
  func secrets() throws {
    for name in ["paid", "checkout_updated"] {
      let json = try shopify(name).events.map { canonicalJSON($0).string }.joined()
      #expect(!json.contains("203.0.113.7") && !json.contains("authenticate") && !json.contains("secret-token"), "\(name)")
      #expect(!json.contains("_token") && !json.contains("123123123"), "\(name)")
    }
    // Of what is not known, nothing that may be a person.
    let checkout = try #require(try shopify("checkout_updated").events.first)
    #expect(!canonicalJSON(checkout).string.contains("line_items"))
  }

  @Test("One word tells the status, a cancelled order is no refunded one")
  func status() throws {
    let told = try ["paid", "cancelled", "refunded"].flatMap { orders(try shopify($0)) }
    #expect(told.map(\.status) == ["paid", "cancelled", "partially_refunded"])
  }

  @Test("The business's own shop vouches for its customers, and a copy does not pass for it")
  func ownShop() throws {
    #expect(
      try stated(own("full")) == [
        "external_id 10042 A3", "loyalty L-5512 A1", "email ana.ruiz@example.org A1", "phone +34600123456 A1",
      ])
    #expect(
      try stated(own("identifier_list")) == [
        "external_id 10042 A3", "email ana.ruiz@example.org A3", "messenger 7712 A1", "phone +34600123456 A1",
      ])
    #expect(try own("not_attested").events.flatMap(\.stated).allSatisfy { $0.assurance == .a0 })
    let keys = try ["full", "paid_before", "not_attested"].flatMap { try own($0).events }.map(\.key)
    #expect(Set(keys).count == 3)
    #expect(orders(try own("nobody")).map(\.total) == ["0"])
  }

  private func orders(_ record: NormalisedRecord) -> [Order] {
    record.events.compactMap { if case .order(let order) = $0.body { order } else { nil } }
  }
}
