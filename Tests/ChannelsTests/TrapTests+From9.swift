import Canonical
import Testing

@testable import Channels

extension TrapTests {
  private static let receiptsByID: [(String, [String], [String?])] = [
    ("whatsapp.cloud", ["receipts"], ["read", "delivered", "failed", "read"]),
    ("viber.callback", ["delivered", "seen", "failed"], ["delivered", "read", "failed"]),
    ("rcs.event", ["delivered", "read"], ["delivered", "read"]), ("x.activity", ["dm_read"], ["read"]),
    ("bandwidth.sms", ["group_receipts", "failed"], ["delivered", "delivered", "failed"]),
    ("twilio.sms", ["delivered", "failed"], ["delivered", "failed"]),
    ("vonage.sms", ["delivered", "failed"], ["delivered", "failed"]),
    ("vonage.sms", ["v1_delivered", "v1_undeliverable"], ["delivered", "failed"]),
  ]

  @Test("9: a receipt points at our message, says one of four words and has its key", arguments: Self.receiptsByID)
  func receipts(_ type: String, _ names: [String], statuses: [String?]) throws {
    let records = try names.map { try normalise(type, $0) }
    let changes = records.flatMap(\.changes)
    #expect(changes.map(\.status) == statuses)
    #expect(changes.allSatisfy { $0.kind == "receipt" && $0.target != nil && $0.upTo == nil })
    #expect(Set(records.flatMap(\.events).map(\.key)).count == statuses.count)
  }

  @Test("9: a receipt by watermark is of all that was sent up to then")
  func watermarks() throws {
    let messenger = try normalise("meta.messenger", "receipts").changes.filter { $0.target == nil }
    #expect(messenger.map(\.status) == ["delivered", "read", "delivered"])
    #expect(
      messenger.map { $0.upTo?.iso8601 } == [
        "2026-05-12T09:14:03.001000Z", "2026-05-12T09:14:03.000000Z", "2026-05-12T09:14:03.001000Z",
      ])
    let instagram = try normalise("meta.instagram", "receipts").changes
    #expect(instagram.map(\.status) == ["read", "read", "read"])
    #expect(instagram.filter { $0.target == nil }.map { $0.upTo?.iso8601 } == ["2026-05-12T09:14:10.000000Z"])
  }

  private static let attachments: [(String, String, String)] = [
    ("whatsapp.cloud", "media", "audio 1, document 2, sticker 3, video 4"),
    ("meta.instagram", "media", "image 1.jpg, file p, file st, video r, sticker -"),
    ("telegram.update", "album_photo", "image AgACAgQAAxkBAAIBVWg3"),
    ("telegram.update", "animation", "video CgACAgQAAxkBAAIBV2"), ("telegram.update", "venue", "location -"),
    ("telegram.update", "sticker", "sticker CAACAgIAAxkBAAIBWg"),
    ("line.webhook", "location_and_stickers", "location -, sticker 52002738, sticker 80"),
    ("viber.callback", "sticker", "sticker 46105"), ("slack.event", "files", "image F1, file F2"),
    ("twilio.sms", "photo", "image ME9"), ("twilio.sms", "media_gap", "image ME1, audio ME3"),
    ("bandwidth.sms", "group", "image cat.png, audio note.amr"), ("apple.message", "text", "image M58C0A2A1.C01USN00"),
    ("rcs.event", "file", "image 1"),
    ("x.activity", "photo_and_video", "image 3_2054117300000000001, video 7_2054117300000000002, file 3_2054117300000000003"),
  ]

  @Test("10: one thing is one attachment, by the provider's id or else its URL", arguments: Self.attachments)
  func media(_ type: String, _ name: String, list: String) throws {
    let found = try normalise(type, name).messages.flatMap(\.attachments)
    #expect(found.map { "\($0.kind) \($0.providerID ?? $0.url?.lastPart ?? "-")" }.joined(separator: ", ") == list)
  }

  @Test("10: a sticker that is sent twice is one, and what needs a key to be read keeps it")
  func references() throws {
    let sticker = try normalise("meta.messenger", "media").messages.dropFirst().first
    #expect(sticker?.attachments.map(\.providerID) == ["369239263222822"])
    #expect(sticker?.attachments.map(\.url) == ["https://scontent.example/s.png"])
    #expect(try normalise("apple.message", "text").messages.first?.details.string.contains(#""key":"00c0d1827fdc""#) == true)
  }

  @Test("11: the parts of an album and of a long text name the whole")
  func albums() throws {
    let photo = try #require(try normalise("telegram.update", "album_photo").messages.first)
    #expect(photo.details.string.contains(#""album":{"id":"13745"}"#))
    let pictures = try normalise("line.webhook", "media").messages
    let album = "E005D41A7288F41B65593ED38FF6E9834B046AB36A37921A56BC236F13A91855"
    for (index, picture) in pictures.prefix(2).enumerated() {
      #expect(picture.details.string.contains(#""album":{"id":"\#(album)","index":\#(index + 1),"total":2}"#))
    }
    let parts = try ["part_1", "part_2"].flatMap { try normalise("vonage.sms", $0).messages }
    #expect(parts.map(\.flags) == [["text_part"], ["text_part"]] && Set(parts.flatMap(\.names)).count == 3)
    #expect(parts.map(\.part?.number) == [1, 2] && Set(parts.map(\.part?.whole)).count == 1)
    #expect(pictures.prefix(2).allSatisfy { $0.part != nil } && pictures.first?.part == pictures.dropFirst().first?.part)
    #expect(photo.part != nil && photo.part.map { photo.names.contains($0.whole) } == true)
    #expect(parts.allSatisfy { $0.details.string.contains(#""concat-ref":"7","concat-total":"2""#) })
    // WhatsApp sends each picture for itself, Messenger all of them at once.
    #expect(try normalise("whatsapp.cloud", "media").messages.map(\.attachments.count) == [1, 1, 1, 1])
    #expect(try normalise("meta.messenger", "media").messages.first?.attachments.count == 4)
  }

  @Test("12: Telegram and LINE count UTF-16 code units; what X counts in code points is kept as it is")
  func offsets() throws {
    // One character, five code points, eight code units.
    let family = "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}"
    #expect((family + " @ana hola").beginning(withoutUTF16: [(offset: 9, length: 4)]) == family + "      hola")
    #expect(try normalise("telegram.update", "text").messages.map(\.language) == ["es"])
    #expect(try normalise("telegram.update", "only_a_link").messages.map(\.language) == [nil])
    #expect(try normalise("line.webhook", "text_in_group").messages.map(\.language) == ["ja"])
    let post = try #require(try normalise("x.activity", "mention").messages.first)
    #expect(post.text == "@shop ¿dónde está mi pedido & la factura? Llevo dos semanas esperando <3")
    #expect(post.details.string.contains(#""mentions":[{"start":0,"end":5,"username":"shop","id":"1716450569358098433"}]"#))
  }

  @Test("13: an empty emoji and an absent one both take the reaction back")
  func emptyReaction() throws {
    let record = try normalise("whatsapp.cloud", "reactions")
    #expect(record.changes.map(\.status) == ["add", "remove", "remove"])
    #expect(record.changes.map(\.reaction) == ["👍", nil, nil])
    #expect(Set(record.events.map(\.key)).count == 3)
  }

  @Test("13: an edit without a text is none with an empty text")
  func nullText() throws {
    #expect(try normalise("meta.instagram", "edits").changes.map(\.text) == ["precio y talla?", nil, ""])
  }

  @Test("14: what is wrapped is the same as what is not")
  func wrapped() throws {
    #expect(try normalise("rcs.event", "text_pushed").golden == normalise("rcs.event", "text").golden)
    let call = try normalise("freeswitch.cdr", "inbound")
    #expect(call.messages.map(\.customerName) == ["Ana Díaz"])
    for name in ["as_form", "as_base64"] { #expect(try normalise("freeswitch.cdr", name).golden == call.golden, "\(name)") }
    let contact = try normalise("connect.contact", "inbound")
    #expect(try normalise("connect.contact", "kinesis").events.first?.key == contact.events.first?.key)
    #expect(try normalise("slack.event", "socket_mode").golden == normalise("slack.event", "message").golden)
  }

  @Test("14: JSON inside a string or a form is read, and stays a string where it is broken")
  func nestedJSON() throws {
    let messages = try normalise("whatsapp.cloud", "buttons_and_flows").messages
    #expect(messages.dropFirst(3).first?.details.string.contains(#""form":{"flow_token":"t","size":38}"#) == true)
    #expect(messages.last?.details.string.contains(#""response_json":"{broken""#) == true)
    #expect(try normalise("slack.event", "block_actions").messages.map(\.text) == ["Seguir & ver", "Talla M"])
    let call = try normalise("twilio.voice", "live_transcription").changes.first
    #expect(call?.details.string.contains(#""confidence":0.98"#) == true)
    let broken = try normalise("twilio.voice", "live_transcription_broken").changes.first
    #expect(broken?.details.string.contains(#""TranscriptionData":"{broken""#) == true)
  }

  private static let senders: [(String, String, [String])] = [
    ("whatsapp.cloud", "text_by_number", ["whatsapp 34600111222", "phone +34600111222"]),
    ("whatsapp.cloud", "bsuid_in_from", ["whatsapp ES.13491208655302741918"]),
    ("vonage.sms", "text", ["phone +447700900001"]), ("vonage.sms", "alphanumeric_sender", []),
    ("vonage.sms", "v0_messenger", ["messenger 5311"]), ("twilio.sms", "photo", ["phone +14155550123"]),
    ("twilio.sms", "whatsapp_reply", ["whatsapp ES.1349120865", "whatsapp 34600111222", "phone +34600111222"]),
    ("twilio.sms", "messenger", ["messenger 5311"]), ("twilio.sms", "short_code", []), ("twilio.sms", "alphanumeric_sender", []),
    ("bandwidth.sms", "text", ["phone +14155550123"]), ("bandwidth.sms", "short_code", []),
    ("rcs.event", "text", ["phone +34600123456"]), ("twilio.voice", "completed", ["phone +34600123456"]),
    ("twilio.voice", "anonymous", []), ("twilio.voice", "hidden_caller", []),
    ("asterisk.cdr", "answered", ["phone +34600123456"]), ("asterisk.cdr", "no_region", []), ("asterisk.cdr", "anonymous", []),
    ("freeswitch.cdr", "inbound", ["phone +34600123456"]), ("freeswitch.cdr", "anonymous", []),
    ("connect.contact", "inbound", ["phone +34600123456"]), ("connect.contact", "anonymous", []),
    ("store.visit", "return", ["loyalty L-5512", "order #1004"]),
    ("store.visit", "return_with_country", ["loyalty L-5512", "phone +34600123456", "order #1004"]),
    ("form.submission", "bare", ["email ana.ruiz@example.org"]),
  ]

  @Test("15: a number is one where its country is known; short codes, names and who hides are nobody's", arguments: Self.senders)
  func people(_ type: String, _ name: String, identifiers: [String]) throws {
    let message = try #require(try normalise(type, name).messages.first)
    #expect(message.customer.map { "\($0.identifier.kind.rawValue) \($0.identifier.value)" } == identifiers)
  }

  @Test(
    "15: a WhatsApp id stays as it is, its number is the one that is dialled",
    arguments: [
      ("5215512345678", "+525512345678"), ("5491123456789", "+5491123456789"), ("551187654321", "+551187654321"),
    ])
  func nationalNumbers(id: String, number: String) throws {
    let message = try normalise("whatsapp.cloud", "text_by_number", replacing: "34600111222", with: id).messages.first
    #expect(message?.customer.map(\.identifier.value) == [id, number])
  }

  @Test("9: a receipt has a word of ours, and the provider's own where it is another")
  func receiptWords() throws {
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
}
