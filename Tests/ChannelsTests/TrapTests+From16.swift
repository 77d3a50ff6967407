import Canonical
import Testing

@testable import Channels

extension TrapTests {
  private static let accounts: [(String, String, String)] = [
    ("meta.messenger", "text", "682498302938465"), ("meta.instagram", "reply", "17841400"),
    ("line.webhook", "text_in_group", "U8189cf6745fc0d808977bdb0b9f22995"), ("telegram.update", "text", "6512345678"),
    ("viber.callback", "text", "pa_5036841"), ("apple.message", "text", "93f0-business-id"), ("slack.event", "message", "T111"),
    ("chat.event", "created", "w_shop"), ("rasa.event", "user", "bot_1"),
  ]

  @Test("16: the same ids in two accounts are two customers and two messages", arguments: Self.accounts)
  func scopes(_ type: String, _ name: String, account: String) throws {
    var sample = try Sample.named(type, name)
    let here = Normaliser().normalise(sample.record())
    sample.payload = Array(String(decoding: sample.payload, as: UTF8.self).replacing(account, with: "8").utf8)
    sample.headers["ce_source"] = sample.headers["ce_source"]?.replacing(account, with: "8")
    let there = Normaliser().normalise(sample.record())
    let (one, other) = (here.messages.first?.customer.first?.identifier, there.messages.first?.customer.first?.identifier)
    #expect(one?.value != nil && one?.value == other?.value && one?.scope == account && other?.scope == "8")
    #expect(here.events.map(\.key) != there.events.map(\.key))
    #expect(here.messages.map(\.names) != there.messages.map(\.names))
  }

  @Test("16: of WhatsApp, the business is the scope; of X, everybody's id is their own everywhere")
  func otherScopes() throws {
    let whatsApp = try normalise("whatsapp.cloud", "many_entries").messages
    #expect(whatsApp.map { $0.customer.first?.identifier.scope } == ["102290129340398", "7"])
    #expect(whatsApp.first?.customer.first?.identifier.value == whatsApp.last?.customer.first?.identifier.value)
    for name in ["mention", "dm"] {
      let there = try normalise("x.activity", name, replacing: "1716450569358098433", with: "42").messages
      #expect(there.map { $0.customer.map(\.identifier) } == [[Identifier(.x, "1911830471268974593")]], "\(name)")
    }
  }

  @Test(
    "17: a chat without end has no thread of its own",
    arguments: [
      ("whatsapp.cloud", "text_by_number"), ("meta.messenger", "text"), ("twilio.sms", "photo"), ("viber.callback", "text"),
      ("telegram.update", "text"), ("x.activity", "mention"), ("x.activity", "dm"),
    ])
  func endless(_ type: String, _ name: String) throws {
    let message = try #require(try normalise(type, name).messages.first)
    #expect(message.session == nil && message.references == [] && message.replyToExternalID == nil)
  }

  @Test("17: an answer names what it answers, a session is named, and X says whether it is public")
  func threads() throws {
    let mail = try normalise("email.rfc822", "reply").messages
    let (nearest, older) = ("conv.9f2.41@shop.example", "conv.9f2.40@shop.example")
    #expect(mail.map(\.references) == [[.mail(messageID: nearest), .mail(messageID: older)]])
    let root = ReferenceKey.message(.slack, account: "T111", id: "C111:1778577200.000100")
    #expect(try normalise("slack.event", "thread_reply").messages.map(\.references) == [[root]])
    let chat = ReferenceKey.session(.chat, account: "w_shop", id: "c_71")
    #expect(try normalise("chat.event", "created").messages.map(\.session) == [chat])
    #expect(try normalise("x.activity", "mention").messages.map(\.visibility) == [.public])
    #expect(try normalise("x.activity", "dm").messages.map(\.visibility) == [.private])
  }

  @Test("18: what was said before the hand-off comes with it, and what opens a chat is its first message")
  func firstMessages() throws {
    let handoff = try normalise("bot.handoff", "requested").changes.first?.details.string
    let said = #""transcript":[{"id":"01JV2M6Q3T8","author":"customer","text":"¿Dónde está mi pedido?","#
    #expect(handoff?.contains(said) == true)
    let partly = try normalise("bot.handoff", "bad_transcript_entries").changes.first?.details.string
    #expect(partly?.contains(#""transcript_left_out":4"#) == true)
    #expect(try normalise("meta.messenger", "buttons").messages.first?.text == "Empezar")
    #expect(try normalise("telegram.update", "start").messages.first?.details.string.contains(#""start":"pedido_4711""#) == true)
  }

  @Test("19: what has to be fetched is a reference with all that fetching takes, and nothing is missed until then")
  func thinWebhooks() throws {
    let file = try normalise("slack.event", "files").messages.first?.attachments.last
    #expect(file == Attachment(kind: "file", providerID: "F2"))
    let answer = try #require(try normalise("apple.message", "answer_by_reference").messages.first)
    #expect(answer.text == "Formulario" && answer.attachments.map(\.url) == ["https://p61-content.icloud.example/M99"])
    #expect(answer.attachments.map(\.providerID) == ["M99C0A2A1.C01USN00"])
    #expect(answer.details.string.contains(#""signature-base64":"gaYZ""#) && answer.details.string.contains(#""key":"00aa""#))
    let voice = try normalise("whatsapp.cloud", "media").messages.first?.attachments
    #expect(voice == [Attachment(kind: "audio", type: "audio/ogg; codecs=opus", providerID: "1")])
  }

  @Test(
    "20: mail of machines is marked and no customer's",
    arguments: [
      ("vacation", AuthorKind.system, ["auto_submitted", "bulk"]), ("newsletter", .system, ["bulk"]),
      ("bounce_unattested", .system, ["auto_submitted", "report"]), ("bounce_delayed", .system, ["auto_submitted", "report"]),
      ("plain", .customer, []),
    ])
  func machines(_ name: String, author: AuthorKind, flags: [String]) throws {
    let mail = try #require(try normalise("email.rfc822", name).messages.first)
    #expect(mail.authorKind == author && mail.flags == flags)
  }

  @Test("20: a bounce is that the mail was not delivered, and a receipt that it was read")
  func reports() throws {
    let bounce = try #require(try normalise("email.rfc822", "bounce").changes.first)
    #expect(bounce.target == .mail(messageID: "conv.1@shop.example") && bounce.customer.isEmpty && bounce.isAttested)
    #expect(bounce.kind == "receipt" && bounce.status == "failed" && bounce.error == "5.1.1")
    let own = try #require(try normalise("email.rfc822", "bounce_own_receiver").changes.first)
    #expect(own.error == "5.2.2 smtp; 552 5.2.2 Mailbox full" && own.isAttested)
    let read = try #require(try normalise("email.rfc822", "read_receipt").changes.first)
    #expect(read.target == bounce.target && read.kind == "receipt" && read.status == "read")
    #expect(read.customer == [StatedIdentifier(Identifier(.email, "ana@example.org"), .a1)])
    let deleted = try normalise("email.rfc822", "read_receipt", replacing: "displayed", with: "deleted").changes
    #expect(deleted.map(\.kind) == ["receipt"] && deleted.map(\.status) == [nil])
  }

  @Test("20: a complaint is no message, and takes nobody's consent back")
  func complaints() throws {
    let record = try normalise("email.rfc822", "complaint")
    #expect(record.outcomes == ["event"] && record.messages.isEmpty && record.changes.isEmpty)
  }

  @Test(
    "21: what a provider delivers again a week later has the same key",
    arguments: [
      ("whatsapp.cloud", "text_by_number"), ("whatsapp.cloud", "receipts"), ("meta.messenger", "text"),
      ("meta.messenger", "buttons"), ("meta.instagram", "edits"), ("x.activity", "mention"), ("x.activity", "dm_read"),
      ("telegram.update", "text"), ("viber.callback", "text"), ("line.webhook", "text_in_group"), ("slack.event", "message"),
      ("slack.event", "block_actions"), ("twilio.sms", "photo"), ("twilio.voice", "ringing"), ("vonage.sms", "text"),
      ("bandwidth.sms", "text"), ("apple.message", "text"), ("rcs.event", "text"), ("dialogflow.cx", "turn"),
      ("asterisk.cdr", "answered"), ("connect.contact", "inbound"), ("email.rfc822", "no_message_id"),
    ])
  func again(_ type: String, _ name: String) throws {
    var sample = try Sample.named(type, name)
    let first = Normaliser().normalise(sample.record()).events
    sample.headers.merge(["ce_id": "again", "ce_time": "2026-05-19T09:14:05Z", "http_x-slack-retry-num": "3"]) { $1 }
    var record = sample.record()
    (record.partition, record.offset, record.timestamp) = (1, 8, Timestamp(seconds: 1_778_577_245 + 7 * 86_400))
    let second = Normaliser().normalise(record).events
    #expect(Set(second.map(\.receivedAt.iso8601)) == ["2026-05-19T09:14:05.000000Z"])
    #expect(second.map(\.key) == first.map(\.key))
  }

  @Test("21: so has what comes again under another event's id")
  func redelivered() throws {
    let keys = try normalise("slack.event", "message").events.map(\.key)
    #expect(try normalise("slack.event", "message", replacing: "Ev0JV2M1", with: "Ev0JV2ZZ").events.map(\.key) == keys)
    let line = try normalise("line.webhook", "text_in_group").events.map(\.key)
    #expect(try normalise("line.webhook", "redelivered").events.map(\.key) == line)
  }

  @Test(
    "22: what only tries a webhook out is recognised",
    arguments: [
      ("whatsapp.cloud", "dashboard_sample"), ("meta.messenger", "dashboard_sample"), ("line.webhook", "empty"),
      ("viber.callback", "webhook"), ("slack.event", "url_verification"), ("slack.event", "ssl_check"),
      ("rcs.event", "webhook_check"), ("vonage.sms", "empty"),
    ])
  func verification(_ type: String, _ name: String) throws {
    #expect(try normalise(type, name).outcomes == ["ignored verification"])
  }

  @Test("22: another product's body is not taken for a trial")
  func otherProducts() throws {
    for type in ["whatsapp.cloud", "meta.messenger"] {
      #expect(try normalise(type, "other_object").outcomes == ["malformed_payload"], "\(type)")
    }
    #expect(try normalise("meta.instagram", "page_body").outcomes == ["malformed_payload"])
    #expect(try normalise("line.webhook", "no_events").outcomes == ["malformed_payload"])
  }

  private static let takenBack: [(String, String, [String?])] = [
    ("whatsapp.cloud", "edit_and_revoke", ["wamid.t1"]), ("whatsapp.cloud", "echoes", ["wamid.e1"]),
    ("meta.messenger", "changes_of_messages", ["m_1fTq8"]), ("meta.instagram", "conversation", ["aWdf0"]),
    ("line.webhook", "unsend", ["444573844083572737"]), ("slack.event", "delete", ["C111:1778577200.000100"]),
    ("x.activity", "delete", ["2054117352190144515"]), ("x.activity", "legacy_other", ["2054117352190144513"]),
    ("chat.event", "deleted", ["01JV2M6Q3T8"]),
  ]

  @Test("23: who takes a message back is heard, and what they said is not said again", arguments: Self.takenBack)
  func deletions(_ type: String, _ name: String, ids: [String?]) throws {
    let deletions = try normalise(type, name).changes.filter { $0.kind == "delete" }
    #expect(deletions.map(\.targetExternalID) == ids)
    #expect(deletions.allSatisfy { $0.target != nil && $0.text == nil && $0.attachments == nil })
    #expect(deletions.allSatisfy { !$0.details.string.contains("pedido 1004") })
  }

  @Test("23: a list of deleted messages is as many deletions, each with its key")
  func listOfDeletions() throws {
    let record = try normalise("telegram.update", "business_deleted")
    #expect(record.changes.map { $0.targetExternalID?.lastPart } == ["84", "85", "86"])
    #expect(record.changes.map(\.kind) == ["delete", "delete", "delete"] && Set(record.events.map(\.key)).count == 3)
  }

  @Test(
    "24: a call lasts seconds, whatever else is counted beside them",
    arguments: [
      ("twilio.voice", "completed", #""duration_seconds":74,"billed_minutes":2"#),
      ("asterisk.cdr", "answered", #""duration_seconds":74,"talk_seconds":66"#),
      ("freeswitch.cdr", "inbound", #""duration_seconds":74,"talk_seconds":66"#),
      ("connect.contact", "inbound", #""duration_seconds":74,"from""#),
    ])
  func durations(_ type: String, _ name: String, duration: String) throws {
    let call = try #require(try normalise(type, name).messages.first)
    #expect(call.details.string.contains(duration))
  }

  @Test(
    "24: a leg is no call of its own, it is the call's",
    arguments: [
      ("twilio.voice", "completed", "leg_to_agent"), ("asterisk.cdr", "answered", "transfer_leg"),
      ("freeswitch.cdr", "inbound", "leg_to_agent"), ("connect.contact", "inbound", "transfer"),
    ])
  func legs(_ type: String, _ name: String, leg: String) throws {
    let call = try #require(try normalise(type, name).messages.first)
    let record = try normalise(type, leg)
    #expect(record.messages.isEmpty && record.changes.map(\.target) == [call.names.first])
    #expect(record.changes.map(\.kind) == ["call"])
  }
}
