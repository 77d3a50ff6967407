import Canonical
import Testing

@testable import Channels

/// The traps of `channels.md`, section 21, by their numbers, as far as these formats meet them.
@Suite struct TrapTests {
  private func normalise(_ type: String, _ name: String) throws -> NormalisedRecord {
    try Sample.normalise(type, name)
  }

  @Test("2: seconds, milliseconds and text are told apart, nonsense and skew are flagged")
  func timestamps() throws {
    let whatsApp = try normalise("whatsapp.cloud", "timestamps")
    #expect(
      whatsApp.events.map { $0.sentAt?.iso8601 } == [
        "2026-05-12T09:14:02.000000Z", "2026-05-12T09:14:02.120000Z", nil, nil, "1970-01-01T00:00:00.000000Z",
      ])
    #expect(whatsApp.messages.map(\.flags) == [[], [], [], ["sent_at_invalid"], ["clock_skew"]])
    #expect(try normalise("chat.event", "created").events.first?.sentAt?.iso8601 == "2026-05-12T09:14:02.120000Z")
    #expect(try normalise("chat.event", "claims").events.first?.sentAt?.iso8601 == "2026-05-12T09:14:03.250000Z")
    #expect(try normalise("chat.event", "tomorrow").messages.first?.flags == ["clock_skew"])
    #expect(try normalise("email.rfc822", "nonsense_date").messages.first?.flags == ["sent_at_invalid"])
  }

  @Test("3: ids above 2^53 keep every digit")
  func bigIDs() throws {
    #expect(try normalise("chat.event", "big_numbers").messages.first?.externalID == "9007199254740993")
    guard case .contact(let contact) = try normalise("contact.upsert", "number_as_id").events.first?.body else {
      return #expect(Bool(false), "no contact")
    }
    #expect(contact.identifiers.map(\.identifier) == [Identifier(.externalID, "9007199254740993")])
  }

  @Test("4: the business-scoped id comes first, the number is an alias and optional")
  func whatsAppIdentity() throws {
    let user = Identifier(.whatsapp, scope: "102290129340398", "ES.13491208655302741918")
    let alias = Identifier(.whatsapp, scope: "102290129340398", "34600111222")
    let phone = Identifier(.phone, "+34600111222")
    func customers(_ name: String) throws -> [[Identifier]] {
      try normalise("whatsapp.cloud", name).messages.map { $0.customer.map(\.identifier) }
    }
    #expect(try customers("image_and_receipt") == [[user]])
    #expect(try customers("text_by_number") == [[alias, phone]])
    #expect(try customers("bsuid_in_from") == [[user]])
    #expect(try customers("contacts_by_id").first == [user, alias, phone])
    #expect(try normalise("whatsapp.cloud", "contacts_by_id").messages.map(\.customerName) == ["Ana", "Bea"])
    let receipts = try normalise("whatsapp.cloud", "receipts")
    #expect(receipts.changes.map { $0.customer.isEmpty } == [false, false, true, false])
    let changed = try #require(try normalise("whatsapp.cloud", "identity_changes").changes.first)
    #expect(changed.kind == "identity_change")
    #expect(
      changed.customer.map(\.identifier) == [
        user, alias, Identifier(.whatsapp, scope: "102290129340398", "34600777666"), Identifier(.phone, "+34600777666"),
      ])
  }

  @Test("4: without a checked signature every identifier is a claim")
  func unsigned() throws {
    #expect(try normalise("whatsapp.cloud", "unsigned").messages.first?.customer.map(\.assurance) == [.a0, .a0])
    #expect(try normalise("whatsapp.cloud", "text_by_number").messages.first?.customer.map(\.assurance) == [.a2, .a2])
  }

  @Test("5: an echo is an agent's message to the customer")
  func echoes() throws {
    let whatsApp = try normalise("whatsapp.cloud", "echoes")
    #expect(
      whatsApp.messages.map(\.direction) == [.outbound, .outbound] && whatsApp.messages.map(\.authorKind) == [.agent, .agent])
    #expect(whatsApp.messages.first?.customer.last?.identifier == Identifier(.phone, "+34600111222"))
    let mail = try #require(try normalise("email.rfc822", "own_reply").messages.first)
    #expect(mail.direction == .outbound && mail.authorKind == .agent)
    #expect(mail.customer == [StatedIdentifier(Identifier(.email, "ana@example.org"), .a1)])
    let chat = try #require(try normalise("chat.event", "agent_echo").messages.first)
    #expect(chat.direction == .outbound && chat.authorKind == .agent && chat.authorID == "ag_3")
  }

  @Test("5: our own address without proof is a stranger's claim")
  func ownAddressForged() throws {
    let mail = try #require(try normalise("email.rfc822", "own_address_forged").messages.first)
    #expect(mail.direction == .inbound && mail.authorKind == .customer && mail.customer.map(\.assurance) == [.a0])
    #expect(mail.flags == ["own_address_unverified"])
  }

  @Test("6: every entry and change of a batch is read")
  func batches() throws {
    let record = try normalise("whatsapp.cloud", "many_entries")
    #expect(record.outcomes == ["event", "event", "ignored verification", "malformed_payload"])
    #expect(record.messages.map { $0.customer.first?.identifier.scope } == ["102290129340398", "7"])
    #expect(try normalise("whatsapp.cloud", "empty").outcomes == ["ignored empty"])
  }

  @Test("7: a bad element spoils no other, an unknown one is kept")
  func elements() throws {
    let record = try normalise("whatsapp.cloud", "one_bad_element")
    #expect(record.messages.map(\.text) == ["uno", "dos"])
    #expect(
      record.outcomes.filter { $0 != "event" } == [
        "malformed_payload", "malformed_payload", "malformed_payload", "malformed_payload", "malformed_payload", "nul_in_text",
        "malformed_payload", "malformed_payload", "malformed_payload",
      ])
    let unknown = try normalise("whatsapp.cloud", "unknown_things").events.compactMap {
      if case .unknown(let unknown) = $0.body { unknown.what } else { nil }
    }
    #expect(unknown == ["calls", "account_update", "user_preferences", "messages"])
  }

  @Test("8: an edit, a deletion and a reaction have keys of their own and point at their target")
  func keysOfChanges() throws {
    let original = try normalise("whatsapp.cloud", "text_by_number")
    let changes = try normalise("whatsapp.cloud", "edit_and_revoke")
    let reactions = try normalise("whatsapp.cloud", "reactions")
    let receipts = try normalise("whatsapp.cloud", "receipts")
    let keys = (original.events + changes.events + reactions.events + receipts.events).map(\.key)
    #expect(Set(keys).count == keys.count)
    #expect(changes.changes.map(\.target) == [original.messages.first?.names.first, original.messages.first?.names.first])
    let created = try normalise("chat.event", "created")
    for name in ["edited", "deleted"] {
      let change = try normalise("chat.event", name)
      #expect(change.changes.first?.target == created.messages.first?.names.first)
      #expect(change.events.first?.key != created.events.first?.key)
    }
  }

  @Test("13: an empty emoji and an absent one both take the reaction back")
  func emptyAndAbsent() throws {
    let changes = try normalise("whatsapp.cloud", "reactions").changes
    #expect(changes.map(\.status) == ["add", "remove", "remove"] && changes.map(\.reaction) == ["👍", nil, nil])
    #expect(changes.allSatisfy { $0.authorKind == .customer && $0.details.isEmpty })
  }

  @Test("9: a receipt has a word of ours, and the provider's own where it is another")
  func receipts() throws {
    let changes = try normalise("whatsapp.cloud", "receipts").changes
    #expect(changes.map(\.status) == ["read", "delivered", "failed", "read"])
    #expect(changes.map(\.error) == [nil, nil, "131026 Message undeliverable", nil])
    #expect(changes.allSatisfy { !$0.details.string.contains("status") && !$0.details.string.contains("errors") })
    var sample = try Sample.named("whatsapp.cloud", "receipts")
    sample.payload = Array(String(decoding: sample.payload, as: UTF8.self).replacing(#""delivered""#, with: #""played""#).utf8)
    let played = try #require(Normaliser().normalise(sample.record()).changes.dropFirst().first)
    #expect(played.status == "read" && played.details.string.hasPrefix(#"{"status":"played""#))
  }

  @Test("An edit says the whole text and all that is attached, and is an agent's where somebody vouches for it")
  func chatEdits() throws {
    let agent = #""message": {"attachments": [{"id": "f1", "mime": "image/png"}],"#
    func edit(attested: String?) throws -> Change {
      var sample = try Sample.named("chat.event", "edited")
      let text = String(decoding: sample.payload, as: UTF8.self)
      sample.payload = Array(text.replacing(#""message": {"#, with: #""author": {"kind": "agent"},"# + agent).utf8)
      sample.headers["ce_attested"] = attested
      return try #require(Normaliser().normalise(sample.record()).changes.first)
    }
    let edited = try edit(attested: "business")
    #expect(edited.text == "¿Dónde está mi pedido 1004?" && edited.attachments?.map(\.providerID) == ["f1"])
    #expect(edited.authorKind == .agent)
    #expect(try edit(attested: nil).authorKind == .customer)
    let plain = try #require(try normalise("chat.event", "edited").changes.first)
    #expect(plain.authorKind == .customer && plain.attachments == nil)
    #expect(try normalise("chat.event", "deleted").changes.map(\.authorKind) == [.customer])
    let corrected = try #require(try normalise("whatsapp.cloud", "edit_and_revoke").changes.first)
    #expect(corrected.text == "Hola, corregido" && corrected.attachments == [])
  }

  @Test("14: the answers of a flow are read out of their string, broken ones stay a string")
  func nestedJSON() throws {
    let messages = try normalise("whatsapp.cloud", "buttons_and_flows").messages
    #expect(messages.dropFirst(3).first?.details.string.contains(#""form":{"flow_token":"t","size":38}"#) == true)
    #expect(messages.last?.details.string.contains(#""response_json":"{broken""#) == true)
  }

  @Test("16: the same id in two accounts is two messages and two customers")
  func scopes() throws {
    let record = try normalise("whatsapp.cloud", "many_entries")
    #expect(record.messages.first?.customer.first != record.messages.last?.customer.first)
    var other = try Sample.named("chat.event", "created")
    other.headers["ce_source"] = "/channels/chat/w_other"
    let here = try normalise("chat.event", "created")
    let there = Normaliser().normalise(other.record())
    #expect(here.events.first?.key != there.events.first?.key)
    #expect(here.messages.first?.names != there.messages.first?.names)
    #expect(here.messages.first?.customer.first != there.messages.first?.customer.first)
  }

  @Test(
    "20: mail of machines is marked and no customer's",
    arguments: [
      ("vacation", AuthorKind.system, ["auto_submitted", "bulk"]), ("newsletter", .customer, ["bulk"]),
      ("bounce", .system, ["auto_submitted", "report"]), ("plain", .customer, []),
    ])
  func machines(_ name: String, author: AuthorKind, flags: [String]) throws {
    let mail = try #require(try normalise("email.rfc822", name).messages.first)
    #expect(mail.authorKind == author && mail.flags == flags)
  }

  @Test("22: test traffic of the dashboard is recognised")
  func verification() throws {
    #expect(try normalise("whatsapp.cloud", "dashboard_sample").outcomes == ["ignored verification"])
    #expect(try normalise("whatsapp.cloud", "other_object").outcomes == ["malformed_payload"])
  }
}
