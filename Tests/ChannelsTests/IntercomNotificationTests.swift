import Canonical
import Testing

@testable import Channels

/// Intercom: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct IntercomNotificationTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("intercom.notification", name, replacing: old, with: new)
  }

  private func stated(_ name: String) throws -> [String] {
    try normalise(name).events.flatMap(\.stated).map {
      [$0.identifier.kind.rawValue, $0.identifier.scope, $0.identifier.value, $0.assurance.label].joined(separator: " ")
    }
  }

  @Test("5: staff and bots are outbound and notes internal, whoever the conversation is with")
  func echoes() throws {
    let names = ["user_replied", "admin_replied", "operator_replied", "admin_noted", "admin_started"]
    let messages = try names.map { try normalise($0) }.flatMap(\.messages)
    #expect(messages.map(\.direction) == [.inbound, .outbound, .outbound, .internal, .outbound])
    #expect(messages.map(\.authorKind) == [.customer, .agent, .bot, .agent, .agent])
    let ana = Identifier(.contact, scope: "intercom:wsp1", "6a1f0c2e9b7d4e5f8a3b2c1d")
    #expect(messages.allSatisfy { $0.customer.first == StatedIdentifier(ana, .a2) })
  }

  @Test("8: a redaction has a key of its own, and a delivery of the same part under another topic has the part's")
  func keys() throws {
    let reply = try normalise("user_replied")
    #expect(try normalise("user_replied_again").events.map(\.key) == reply.events.map(\.key))
    let elsewhere = try normalise("user_replied", replacing: "conversation.user.replied", with: "conversation.admin.assigned")
    #expect(elsewhere.events.first?.key == reply.events.first?.key && elsewhere.changes.map(\.status) == ["assigned"])
    let redaction = try normalise("part_redacted")
    #expect(redaction.changes.map(\.target) == [reply.messages.first?.names.first])
    #expect(redaction.changes.allSatisfy { $0.customer.isEmpty && $0.authorKind == .agent && $0.isAttested })
    #expect(try normalise("one_of_several_redacted").changes.map(\.targetExternalID) == ["243"])
    #expect(redaction.events.map(\.key) != reply.events.map(\.key))
    #expect(try normalise("source_redacted").changes.map(\.target) == [normalise("user_created").messages.first?.names.first])
    let again = try normalise("admin_closed", replacing: "notif_a2", with: "notif_ff")
    #expect(try normalise("admin_closed").events.map(\.key) != again.events.map(\.key))
  }

  @Test("18: the first message is the source, and no part has its name")
  func firstMessage() throws {
    let first = try #require(try normalise("user_created").messages.first)
    #expect(first.externalID == "source:403918320" && first.text == "Hola, ¿tenéis el jarrón azul en la tienda de Valencia?")
    let part = try normalise("user_replied", replacing: #""id": "41""#, with: #""id": "403918320""#)
    #expect(part.messages.first?.names != first.names && part.messages.first?.session == first.session)
  }

  @Test("5: what our side says to nobody who is named belongs to its conversation")
  func nobodyNamed() throws {
    let said = try normalise("nobody_named").changes
    #expect(said.map(\.kind) == [Change.said] && said.map(\.targetExternalID) == ["141"])
    #expect(said.map(\.target) == [.session(.ticket, account: "wsp1", id: "1341")])
    #expect(said.first?.name == .message(.ticket, account: "wsp1", id: "141") && said.first?.authorKind == .agent)
  }

  @Test("What somebody has typed is a claim, what the business says of its user is not")
  func assurance() throws {
    #expect(
      try stated("user_replied") == [
        "contact intercom:wsp1 6a1f0c2e9b7d4e5f8a3b2c1d A2", "external_id  C-88 A0", "email  ana.ruiz@example.org A0",
      ])
    #expect(
      try stated("user_of_the_business") == [
        "contact intercom:wsp1 6a1f0c2e9b7d4e5f8a3b2c1d A2", "external_id  C-88 A3", "email  ana.ruiz@example.org A1",
      ])
    for name in ["lead_created", "lead_added_email", "lead_of_the_business"] {
      #expect(
        try stated(name) == ["contact intercom:wsp1 6a1f0c2e9b7d4e5f8a3b2c99 A2", "email  ana.ruiz@example.org A0"], "\(name)")
    }
    #expect(try normalise("unsigned").events.flatMap(\.stated).allSatisfy { $0.assurance == .a0 })
  }

  @Test("7 and 22: one bad part costs no other, a ping is recognised")
  func elements() throws {
    let record = try normalise("one_bad_part")
    #expect(record.outcomes == ["event", "malformed_payload", "event", "event"])
    #expect(record.messages.map(\.text) == ["Hola", "Adiós"])
    #expect(try normalise("ping").outcomes == ["ignored verification"])
  }
}
