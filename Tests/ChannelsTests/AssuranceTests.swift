import Canonical
import Testing

@testable import Channels

/// Who vouches for an identifier (`identity-and-threading.md`).
@Suite struct AssuranceTests {
  private func customer(_ type: String, _ name: String, attested: String?) throws -> [String] {
    var sample = try Sample.named(type, name)
    sample.headers["ce_attested"] = attested
    let stated = Normaliser().normalise(sample.record()).events.flatMap(\.stated)
    return stated.map { $0.identifier.kind.rawValue + " " + $0.assurance.label }
  }

  @Test("What a visitor types is a claim, what the signed token says is the business's word, the cookie is a bearer's")
  func chat() throws {
    let typed = ["visitor bearer", "external_id A0", "email A0", "phone A0"]
    #expect(try customer("chat.event", "claims", attested: nil) == typed)
    #expect(try customer("chat.event", "claims", attested: "signature dmarc business") == typed)
    #expect(
      try customer("chat.event", "claims", attested: "token") == ["visitor bearer", "external_id A3", "email A3", "phone A3"])
    #expect(
      try customer("chat.event", "identified", attested: "token") == ["visitor bearer", "external_id A3", "email A3"])
  }

  @Test("A sender of mail is known by an aligned DMARC pass alone")
  func mail() throws {
    #expect(try customer("email.rfc822", "plain", attested: "dmarc") == ["email A1"])
    #expect(try customer("email.rfc822", "plain", attested: "signature token") == ["email A0"])
    #expect(try customer("email.rfc822", "several_senders", attested: "dmarc") == ["email A0"])
    #expect(try customer("email.rfc822", "no_sender", attested: "dmarc") == [])
  }

  @Test("The business's word needs the business")
  func contact() throws {
    #expect(
      try customer("contact.upsert", "full", attested: "business") == [
        "external_id A3", "email A3", "phone A1", "messenger A1", "loyalty A3",
      ])
    #expect(
      try customer("contact.upsert", "full", attested: nil) == [
        "external_id A0", "email A0", "phone A0", "messenger A0", "loyalty A0",
      ])
    // A cookie stays a cookie, a number that cannot be read is left out.
    #expect(try customer("contact.upsert", "only_identifiers", attested: "business") == ["email A1", "visitor bearer"])
  }

  @Test("A copied contact that the business does not vouch for takes nothing's place")
  func copiedContact() throws {
    var sample = try Sample.named("contact.upsert", "full")
    let stated = Normaliser().normalise(sample.record())
    sample.headers["ce_attested"] = nil
    #expect(Normaliser().normalise(sample.record()).events.map(\.key) != stated.events.map(\.key))
  }

  @Test("Our own address among several senders is no echo")
  func ownAddressAmongSeveral() throws {
    var sample = try Sample.named("email.rfc822", "several_senders")
    sample.headers["ce_source"] = "/channels/email/ana%40example.org"
    let mail = try #require(Normaliser().normalise(sample.record()).messages.first)
    #expect(mail.direction == .inbound && mail.customer.map(\.assurance) == [.a0])
    #expect(mail.flags == ["own_address_unverified", "several_senders"])
  }

  @Test("Nobody becomes a customer through Reply-To")
  func replyTo() throws {
    let mail = try #require(
      Normaliser().normalise(try Sample.named("email.rfc822", "reply_elsewhere").record()).messages.first)
    #expect(mail.customer.map(\.identifier.value) == ["ana@example.org"] && mail.flags == ["reply_to_differs"])
  }
}
