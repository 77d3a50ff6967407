import Canonical
import Testing

@testable import Channels

/// The traps of `channels.md`, section 21, by their numbers, each over the formats that it can catch: 1 to 8 here, the others in
/// `TrapTests+From9.swift` and `TrapTests+From16.swift`. What one format alone can get wrong stands in its own tests.
@Suite struct TrapTests {
  func normalise(_ type: String, _ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise(type, name, replacing: old, with: new)
  }

  private static let inHeaders: [(String, String, String, String?, String)] = [
    ("apple.message", "ids_in_headers", "http_id", "5f0d9b1c-0000-4d1a-9a7c-3d1f0c1f2b13", "malformed_payload"),
    ("twilio.sms", "as_query", "http_query", "SM24", "malformed_payload"),
    ("vonage.sms", "as_query", "http_query", "0A0000000123ABCD2", "ignored verification"),
    ("freeswitch.cdr", "uuid_in_query", "http_query", "b7e10c8e-3f9a-4f0e-8a3d-0d6b8c3a1f11", "malformed_payload"),
    ("dialogflow.cx", "turn", "http_path", nil, "malformed_payload"),
  ]

  @Test("1: what is in headers, path and query alone is read there, and missed where it is not", arguments: Self.inHeaders)
  func headers(_ type: String, _ name: String, header: String, id: String?, without: String) throws {
    var sample = try Sample.named(type, name)
    let message = try #require(Normaliser().normalise(sample.record()).messages.first)
    #expect(message.externalID == id)
    sample.headers[header] = nil
    #expect(Normaliser().normalise(sample.record()).outcomes == [without])
  }

  @Test("1: a session in the path is that of every word of the turn")
  func path() throws {
    let session = ReferenceKey.session(.bot, account: "bot_1", id: "s-71")
    #expect(try normalise("dialogflow.cx", "turn").messages.map(\.session) == [session, session, session])
  }

  private static let firstTimes: [(String, String, String?)] = [
    ("whatsapp.cloud", "text_by_number", "2026-05-12T09:14:02.000000Z"),
    ("meta.messenger", "text", "2026-05-12T09:14:02.120000Z"), ("meta.messenger", "timestamps", "2026-05-12T09:14:02.000000Z"),
    ("meta.instagram", "reply", "2026-05-12T09:14:02.120000Z"),
    ("x.activity", "dm", "2026-05-12T09:14:02.120000Z"), ("x.activity", "mention", "2026-05-12T09:14:02.120000Z"),
    ("x.activity", "legacy_posts", "2026-05-12T09:14:02.000000Z"), ("telegram.update", "text", "2026-05-12T09:14:02.000000Z"),
    ("viber.callback", "text", "2026-05-12T09:14:02.120000Z"), ("line.webhook", "media", "2026-05-12T09:14:02.120000Z"),
    ("slack.event", "message", "2026-05-12T09:13:20.000100Z"), ("rasa.event", "user", "2026-05-12T09:14:02.617099Z"),
    ("twilio.voice", "completed", "2026-05-12T09:14:07.000000Z"), ("twilio.sms", "photo", nil), ("apple.message", "text", nil),
    ("dialogflow.cx", "turn", nil), ("vonage.sms", "text", "2026-05-12T09:14:02.000000Z"),
    ("bandwidth.sms", "text", "2026-05-12T09:14:06.120000Z"), ("rcs.event", "text", "2026-05-12T09:14:02.120394Z"),
    ("asterisk.cdr", "answered", "2026-05-12T09:14:07.000000Z"), ("freeswitch.cdr", "inbound", "2026-05-12T09:14:07.000000Z"),
    ("connect.contact", "inbound", "2026-05-12T09:14:07.000000Z"), ("email.rfc822", "reply", "2026-05-12T09:14:02.000000Z"),
    ("chat.event", "created", "2026-05-12T09:14:02.120000Z"), ("chat.event", "claims", "2026-05-12T09:14:03.250000Z"),
    ("form.submission", "labels", "2026-05-12T09:13:11.402000Z"), ("store.visit", "return", "2026-05-12T16:02:11.000000Z"),
    ("bot.handoff", "requested", "2026-05-12T09:14:04.000000Z"),
  ]

  @Test("2: whatever its unit, zone and shape, a time is read exactly; who states none has none", arguments: Self.firstTimes)
  func time(_ type: String, _ name: String, time: String?) throws {
    let event = try #require(try normalise(type, name).events.first)
    #expect(event.sentAt?.iso8601 == time)
  }

  @Test("2: nonsense and skew are flagged")
  func wrongTimes() throws {
    let whatsApp = try normalise("whatsapp.cloud", "timestamps")
    #expect(
      whatsApp.events.map { $0.sentAt?.iso8601 } == [
        "2026-05-12T09:14:02.000000Z", "2026-05-12T09:14:02.120000Z", nil, nil, "1970-01-01T00:00:00.000000Z",
      ])
    #expect(whatsApp.messages.map(\.flags) == [[], [], [], ["sent_at_invalid"], ["clock_skew"]])
    #expect(try normalise("meta.messenger", "timestamps").messages.last?.flags == ["clock_skew"])
    #expect(try normalise("chat.event", "tomorrow").messages.first?.flags == ["clock_skew"])
    #expect(try normalise("email.rfc822", "nonsense_date").messages.first?.flags == ["sent_at_invalid"])
  }

  private static let bigIDs: [(String, String, String, String, String)] = [
    ("chat.event", "big_numbers", "", "", "9007199254740993"),
    ("viber.callback", "text", "", "", "4912661846655238144"),
    ("telegram.update", "text", "5527065123", "9007199254740993", "9007199254740993/84"),
    ("x.activity", "mention", #""2054117352190144513""#, "2054117352190144513", "2054117352190144513"),
    ("line.webhook", "media", #""354718705033693859""#, "354718705033693859", "354718705033693859"),
  ]

  @Test("3: ids above 2^53 keep every digit", arguments: Self.bigIDs)
  func bigID(_ type: String, _ name: String, old: String, new: String, id: String) throws {
    #expect(try normalise(type, name, replacing: old, with: new).messages.first?.externalID == id)
  }

  @Test("3: so does what a contact is known by")
  func bigIdentifier() throws {
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
    let changed = try normalise("whatsapp.cloud", "identity_changes").changes
    #expect(changed.map(\.kind) == ["identity_change", "identity_change", "identity_change"])
    #expect(
      changed.first?.customer.map(\.identifier) == [
        user, alias, Identifier(.whatsapp, scope: "102290129340398", "34600777666"), Identifier(.phone, "+34600777666"),
      ])
    #expect(
      changed.dropFirst().first?.customer.map(\.identifier) == [
        user, alias, phone, Identifier(.whatsapp, scope: "102290129340398", "ES.99"),
      ])
  }

  @Test("4: without a checked signature every identifier is a claim")
  func unsigned() throws {
    #expect(try normalise("whatsapp.cloud", "unsigned").messages.first?.customer.map(\.assurance) == [.a0, .a0])
    #expect(try normalise("whatsapp.cloud", "text_by_number").messages.first?.customer.map(\.assurance) == [.a2, .a2])
  }

  private static let echoes: [(String, String, String)] = [
    ("meta.messenger", "conversation", "7488123"), ("meta.messenger", "standby", "7488123"),
    ("meta.instagram", "conversation", "99120033"), ("whatsapp.cloud", "echoes", "ES.13491208655302741918"),
    ("x.activity", "answer", "1911830471268974593"), ("x.activity", "dm_sent", "1911830471268974593"),
    ("x.activity", "chat_sent", "1911830471268974593"), ("x.activity", "legacy_messages", "1911830471268974593"),
    ("telegram.update", "business_owner", "5527065123"), ("telegram.update", "business_our_bot", "5527065123"),
    ("slack.event", "agent_replies", "U9EXT"), ("slack.event", "own_app", "U9EXT"),
    ("email.rfc822", "own_reply", "ana@example.org"), ("chat.event", "agent_echo", "v_5f0"),
    ("dialogflow.cx", "conversation_agent", "cv-9"),
    ("twilio.voice", "agent_calls_back", "+34600123456"),
  ]

  @Test("5: an echo is an agent's message to the customer", arguments: Self.echoes)
  func echo(_ type: String, _ name: String, customer: String) throws {
    let message = try #require(try normalise(type, name).messages.last)
    #expect(message.direction == .outbound && message.authorKind == .agent)
    #expect(message.customer.first?.identifier.value == customer)
  }

  @Test("5: what we say to everybody or to ourselves is no message to a customer")
  func toNobody() throws {
    #expect(try normalise("x.activity", "own_post").outcomes == ["ignored own_post"])
    #expect(try normalise("slack.event", "own_message_to_all").outcomes == ["ignored own_message"])
    #expect(try normalise("telegram.update", "automatic_forward").outcomes == ["ignored own_post"])
    #expect(try normalise("meta.instagram", "to_itself").outcomes == ["ignored self", "event"])
  }

  @Test("5: our own address without proof is a stranger's claim")
  func ownAddressForged() throws {
    let mail = try #require(try normalise("email.rfc822", "own_address_forged").messages.first)
    #expect(mail.direction == .inbound && mail.authorKind == .customer && mail.customer.map(\.assurance) == [.a0])
    #expect(mail.flags == ["own_address_unverified"])
  }

  private static let batches: [(String, String, [String])] = [
    ("whatsapp.cloud", "many_entries", ["event", "event", "ignored verification", "malformed_payload"]),
    ("whatsapp.cloud", "receipts", ["event", "event", "event", "event", "malformed_payload"]),
    ("whatsapp.cloud", "empty", ["ignored empty"]), ("meta.messenger", "standby", ["event", "event", "event"]),
    ("meta.instagram", "changes", ["event", "event", "event", "ignored verification", "event"]),
    ("line.webhook", "consent", ["event", "event", "event"]), ("line.webhook", "empty", ["ignored verification"]),
    ("bandwidth.sms", "receipts", ["event", "event", "event", "event"]), ("bandwidth.sms", "empty", ["ignored empty"]),
    ("x.activity", "legacy_messages", ["event", "event"]),
    ("telegram.update", "business_deleted", ["event", "event", "malformed_payload", "event"]),
    ("slack.event", "block_actions", ["event", "event", "malformed_payload"]),
    ("connect.contact", "list", ["event", "event", "event", "malformed_payload", "malformed_payload", "malformed_payload"]),
    ("store.visit", "batch", ["event", "malformed_payload", "malformed_payload", "event", "malformed_payload"]),
  ]

  @Test("6: every element of a batch is read", arguments: Self.batches)
  func batch(_ type: String, _ name: String, outcomes: [String]) throws {
    #expect(try normalise(type, name).outcomes == outcomes)
  }

  private static let goodOnes: [(String, [String?])] = [
    ("whatsapp.cloud", ["uno", "dos"]), ("meta.messenger", ["uno", "dos"]), ("meta.instagram", ["uno", "dos"]),
    ("line.webhook", ["uno", "dos"]), ("x.activity", ["uno", "dos"]), ("bandwidth.sms", ["one", "two"]),
  ]

  @Test("7: a bad element spoils no other", arguments: Self.goodOnes)
  func elements(_ type: String, texts: [String?]) throws {
    #expect(try normalise(type, "one_bad_element").messages.map(\.text) == texts)
  }

  @Test("7: each bad element is a dead letter of its own")
  func badElements() throws {
    #expect(
      try normalise("whatsapp.cloud", "one_bad_element").outcomes.filter { $0 != "event" } == [
        "malformed_payload", "malformed_payload", "malformed_payload", "malformed_payload", "malformed_payload", "nul_in_text",
        "malformed_payload", "malformed_payload", "malformed_payload",
      ])
  }

  private static let unknowns: [(String, String, [String])] = [
    ("whatsapp.cloud", "unknown_things", ["account_update", "messages"]),
    ("meta.messenger", "other_events", ["account_linking", "referral", "game_play"]),
    ("meta.messenger", "comments", ["feed", "feed"]), ("meta.instagram", "comments", ["story_insights"]),
    ("telegram.update", "new_kind", ["teleported_message"]),
    ("line.webhook", "unknown_things", ["beacon", "accountLink", "membership", "botSuspended"]),
    ("x.activity", "revoke", ["oauth.revoke"]), ("viber.callback", "new_event", ["teleported"]),
    ("slack.event", "unknown_event", ["member_joined_channel"]), ("rcs.event", "unknown_event", ["BLOCKED"]),
    ("apple.message", "unknown_type", ["suggestion"]), ("bandwidth.sms", "one_bad_element", ["message-weighed"]),
    ("asterisk.cdr", "other_event", ["Hangup"]), ("connect.contact", "contact_event", ["Amazon Connect Contact Event"]),
    ("rasa.event", "unknown_event", ["telepathy"]), ("dialogflow.cx", "unknown_event", ["UNRECOVERABLE_ERROR"]),
    ("bot.handoff", "unknown_event", ["mood"]), ("chat.event", "unknown_word", ["cobrowse.started"]),
    ("form.submission", "other_event", ["form.abandoned"]), ("store.visit", "unknown_kind", ["repair"]),
  ]

  @Test("7: what is not known is kept under the provider's word for it", arguments: Self.unknowns)
  func unknown(_ type: String, _ name: String, words: [String]) throws {
    let found = try normalise(type, name).events.compactMap {
      if case .unknown(let unknown) = $0.body { unknown.what } else { nil }
    }
    #expect(found == words)
  }

  private static let targets: [(String, String, [String], [String])] = [
    ("whatsapp.cloud", "text_by_number", ["edit_and_revoke"], ["edit", "delete"]),
    (
      "meta.messenger", "conversation", ["changes_of_messages"],
      ["edit", "edit", "delete", "reaction", "reaction", "reaction"]
    ),
    ("meta.instagram", "conversation", ["edits"], ["edit", "edit", "edit"]),
    ("telegram.update", "text", ["edited"], ["edit"]), ("telegram.update", "business_text", ["business_edited"], ["edit"]),
    ("line.webhook", "text_in_group", ["unsend"], ["delete"]),
    ("slack.event", "message", ["edit", "delete"], ["edit", "delete"]),
    ("slack.event", "agent_replies", ["reaction_added", "reaction_removed"], ["reaction", "reaction"]),
    ("x.activity", "mention", ["edit"], ["edit"]), ("x.activity", "answer", ["delete"], ["delete"]),
    ("x.activity", "dm_sent", ["dm_read"], ["receipt"]), ("chat.event", "created", ["edited", "deleted"], ["edit", "delete"]),
    ("twilio.voice", "completed", ["ringing", "recording"], ["call", "call"]),
  ]

  @Test("8: what happens to a message has a key of its own and points at it", arguments: Self.targets)
  func change(_ type: String, _ original: String, _ changes: [String], kinds: [String]) throws {
    let said = try normalise(type, original)
    let records = try changes.map { try normalise(type, $0) }
    let happened = records.flatMap(\.events).filter { if case .change = $0.body { true } else { false } }
    let keys = (happened + said.events).map(\.key)
    #expect(Set(keys).count == keys.count)
    let found = records.flatMap(\.changes)
    #expect(found.map(\.kind) == kinds)
    let names = Set(said.messages.flatMap(\.names))
    #expect(found.allSatisfy { change in change.target.map { names.contains($0) } == true })
  }
}
