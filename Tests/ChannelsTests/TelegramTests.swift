import Canonical
import Testing

@testable import Channels

/// Telegram: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct TelegramTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("telegram.update", name, replacing: old, with: new)
  }

  private let ana = Identifier(.telegram, scope: "6512345678", "5527065123")

  @Test("2: seconds")
  func timestamps() throws {
    #expect(try normalise("text").events.map { $0.sentAt?.iso8601 } == ["2026-05-12T09:14:02.000000Z"])
    #expect(try normalise("edited").events.map { $0.sentAt?.iso8601 } == ["2026-05-12T09:14:50.000000Z"])
    #expect(try normalise("no_time").messages.map(\.flags) == [["sent_at_invalid"]])
    // Of a button's message that is gone, the date is 0; when it was pressed is not said.
    #expect(try normalise("callback_inaccessible").events.map(\.sentAt) == [nil])
  }

  @Test("3: ids beyond 2^53 keep every digit")
  func bigIDs() throws {
    let record = try normalise("text", replacing: "5527065123", with: "9007199254740993")
    #expect(record.messages.first?.customer.first?.identifier.value == "9007199254740993")
    #expect(record.messages.first?.externalID == "9007199254740993/84")
  }

  @Test("5: of a business's chats we get both sides, and the customer is whom the chat is with")
  func echoes() throws {
    let names = ["business_text", "business_owner", "business_away", "business_our_bot", "business_other_bot"]
    let messages = try names.flatMap { try normalise($0).messages }
    #expect(messages.map(\.direction) == [.inbound, .outbound, .outbound, .outbound, .outbound])
    #expect(messages.map(\.authorKind) == [.customer, .agent, .system, .agent, .bot])
    #expect(Set(messages.map(\.customer)) == [[StatedIdentifier(ana, .a2)]])
    #expect(messages[1].references == messages[0].names)
    // Its messages are counted apart from those of the bot's own chat with the same person.
    #expect(try normalise("text").messages.first?.names != messages[0].names)
  }

  @Test("6 and 7: an update without a member is nothing, and what is not known is kept")
  func otherUpdates() throws {
    let ignored = [
      "nothing": "empty", "inline_query": "inline_query", "reaction_counts": "reaction_count", "new_member": "service",
      "reaction_unchanged": "no_change", "live_location_moves": "live_location", "automatic_forward": "own_post",
    ]
    for (name, reason) in ignored { #expect(try normalise(name).outcomes == ["ignored " + reason], "\(name)") }
    for (name, what) in ["poll_answer": "poll_answer", "checkout": "pre_checkout_query", "new_kind": "teleported_message"] {
      guard case .unknown(let body) = try normalise(name).events.first?.body else {
        #expect(Bool(false), "\(name)")
        continue
      }
      #expect(body.what == what, "\(name)")
    }
    for name in ["no_chat", "no_object", "no_update_id"] {
      #expect(try normalise(name).outcomes == ["malformed_payload"], "\(name)")
    }
    #expect(try normalise("business_deleted").outcomes == ["event", "event", "malformed_payload", "event"])
  }

  @Test("8: an edit, a deletion, a reaction and a pressed button have keys of their own and point at their target")
  func keysOfChanges() throws {
    let names = [
      "text", "edited", "business_text", "business_edited", "business_deleted", "reaction", "reaction_taken_back", "callback",
      "callback_inaccessible", "blocked", "unblocked",
    ]
    let keys = try names.flatMap { try normalise($0).events.map(\.key) }
    #expect(Set(keys).count == keys.count)
    #expect(try normalise("edited").changes.map(\.target) == [normalise("text").messages.first?.names.first])
    let business = try normalise("business_text").messages.first?.names.first
    #expect(try normalise("business_edited").changes.map(\.target) == [business])
    #expect(try normalise("business_deleted").changes.first?.target == business)
    #expect(try normalise("edited").changes.map(\.text) == ["buenos días, quería preguntar por mi pedido 4711"])
    #expect(try normalise("edited_caption").changes.map { $0.attachments?.map(\.kind) } == [nil])
    let alone = try normalise("edited_caption", replacing: "media_group_id", with: "group")
    #expect(alone.changes.map { $0.attachments?.map(\.kind) } == [["image"]])
    // Edited twice within a second.
    let again = try normalise("edited", replacing: #""update_id": 9"#, with: #""update_id": 8"#)
    #expect(try again.events.map(\.key) != normalise("edited").events.map(\.key))
  }

  @Test("8: reactions are what differs between the two lists")
  func reactions() throws {
    let changes = try normalise("reaction").changes
    #expect(changes.map(\.status) == ["remove", "add", "add"])
    #expect(changes.map(\.reaction) == ["👎", "👍", "5368324170671202286"])
    #expect(changes.last?.details.string == #"{"type":"custom_emoji"}"#)
    #expect(try normalise("reaction_of_a_group").changes.map(\.reaction) == ["paid"])
  }

  @Test(
    "10: a photo's sizes are one picture, and what is there in two ways is one thing",
    arguments: [
      ("album_photo", ["image AgACAgQAAxkBAAIBVWg3"]), ("animation", ["video CgACAgQAAxkBAAIBV2"]),
      ("live_photo", ["image AgACAgQAAxkBAAIBXX2"]), ("venue", ["location -"]),
      ("paid_media", ["image AgACPaid1", "video BAACPaid2"]),
    ])
  func media(_ name: String, attachments: [String]) throws {
    let message = try #require(try normalise(name).messages.first)
    #expect(message.attachments.map { $0.kind + " " + ($0.providerID ?? "-") } == attachments)
  }

  @Test("12: offsets are UTF-16 code units, and one outside the text takes nothing")
  func offsets() throws {
    #expect("👍🏽 @shopbot hola".beginning(withoutUTF16: [(offset: 5, length: 8)]) == "👍🏽          hola")
    #expect(
      "hola".beginning(withoutUTF16: [(offset: -1, length: 2), (offset: 4, length: 1), (offset: 2, length: .max)]) == "ho  ")
    #expect(try normalise("only_a_link").messages.map(\.language) == [nil])
  }

  @Test("16: one user writes to two bots as two customers")
  func scopes() throws {
    var other = try Sample.named("telegram.update", "text")
    other.headers["ce_source"] = "/channels/telegram/6500000000"
    let there = Normaliser().normalise(other.record())
    #expect(try normalise("text").messages.first?.customer.first != there.messages.first?.customer.first)
    #expect(try normalise("text").events.map(\.key) != there.events.map(\.key))
  }

  @Test("A group that became a supergroup is the same one, told by both as one event")
  func migration() throws {
    let (to, from) = (try normalise("migrated_to"), try normalise("migrated_from"))
    #expect(to.events.map(\.key) == from.events.map(\.key))
    for change in to.changes + from.changes {
      #expect(change.kind == "identity_change")
      #expect(change.customer.map(\.identifier.value) == ["-4011223344", "-1002233445566"])
    }
  }

  @Test("The number of the sender's own contact is Telegram's word, any other contact is nobody's here")
  func contacts() throws {
    let phone = Identifier(.phone, "+34600111222")
    #expect(
      try normalise("own_contact").messages.first?.customer == [StatedIdentifier(ana, .a2), StatedIdentifier(phone, .a2)])
    #expect(try normalise("contact_of_another").messages.first?.customer == [StatedIdentifier(ana, .a2)])
    #expect(
      try normalise("unsigned").messages.first?.customer == [StatedIdentifier(ana, .a0), StatedIdentifier(phone, .a0)])
    let forwarded = try normalise("own_contact", replacing: #""contact":"#, with: #""forward_origin": {}, "contact":"#)
    #expect(forwarded.messages.first?.customer == [StatedIdentifier(ana, .a2)])
  }

  @Test("A reply refers to its message, what stands in a topic or below a post does not")
  func replies() throws {
    let reply = try #require(try normalise("group_reply").messages.first)
    #expect(reply.references == [.message(.telegram, account: "6512345678", id: "-1002233445566/409")])
    #expect(try normalise("group_topic").messages.map(\.replyToExternalID) == [nil])
    let comment = try #require(try normalise("comment").messages.first)
    #expect(comment.references.isEmpty && comment.replyToExternalID == "-1002233445566/420")
    #expect(try normalise("callback").messages.map(\.text) == ["Hablar con alguien"])
    #expect(try normalise("callback").messages.map(\.replyToExternalID) == ["5527065123/80"])
  }

  @Test("The id 0 is no message's own")
  func scheduled() throws {
    let record = try normalise("scheduled_video")
    #expect(record.messages.map(\.externalID) == [nil] && record.messages.map(\.names) == [[]])
    let next = try normalise("scheduled_video", replacing: #""update_id": 9"#, with: #""update_id": 8"#)
    #expect(next.events.map(\.key) != record.events.map(\.key))
  }

  @Test("A user who blocks the bot takes their consent back")
  func consent() throws {
    let changes = try ["blocked", "unblocked"].flatMap { try normalise($0).changes }
    #expect(changes.map(\.kind) == ["consent", "consent"] && changes.map(\.status) == ["opt_out", "opt_in"])
    #expect(changes.first?.details.string == #"{"status":"kicked"}"#)
    #expect(try normalise("added_to_group").changes.map(\.kind) == ["conversation_state"])
  }

  @Test("The words of a rich message are its text")
  func richMessage() throws {
    #expect(
      try normalise("rich_message").messages.map(\.text) == [
        "Pedido 4711\nFaltan dos artículos.\ntaza azul\nplato\nLlega el lunes\nla web"
      ])
  }
}
