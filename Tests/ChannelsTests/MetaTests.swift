import Canonical
import Testing

@testable import Channels

/// Messenger and Instagram: what their goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct MetaTests {
  private func normalise(_ type: String, _ name: String) throws -> NormalisedRecord {
    try Sample.normalise(type, name)
  }

  private func stated(_ message: Message) -> [String] {
    message.customer.map { $0.identifier.kind.rawValue + " " + $0.identifier.value + " " + $0.assurance.label }
  }

  @Test("2: seconds, milliseconds and digits are the same time, whatever the event")
  func timestamps() throws {
    let record = try normalise("meta.messenger", "timestamps")
    #expect(
      record.events.prefix(5).map { $0.sentAt?.iso8601 } == [
        "2026-05-12T09:14:02.000000Z", "2026-05-12T09:14:02.000000Z", "2026-05-12T09:14:02.120000Z", nil, nil,
      ])
    #expect(record.messages.map(\.flags) == [[], [], [], [], ["sent_at_invalid"], ["clock_skew"]])
  }

  @Test("5: an echo is an agent's message, and the customer is its recipient", arguments: ["meta.messenger", "meta.instagram"])
  func echoes(_ type: String) throws {
    let messages = try normalise(type, "conversation").messages
    #expect(messages.map(\.direction) == [.inbound, .outbound] && messages.map(\.authorKind) == [.customer, .agent])
    #expect(messages.first?.customer == messages.last?.customer)
  }

  @Test("5: what the account writes to itself has no customer")
  func toItself() throws {
    #expect(try normalise("meta.instagram", "to_itself").outcomes == ["ignored self", "event"])
  }

  @Test("6: every entry is read, each with its own account and scope")
  func entries() throws {
    let record = try normalise("meta.messenger", "many_entries")
    #expect(
      record.outcomes == [
        "event", "event", "ignored verification", "malformed_payload", "event", "malformed_payload", "event", "malformed_payload",
      ])
    #expect(record.messages.map { $0.customer.first?.identifier.scope } == ["682498302938465", "7", "682498302938465"])
    #expect(record.events.prefix(2).map(\.account) == ["682498302938465", "7"])
    #expect(Set(record.events.map(\.key)).count == record.events.count)
  }

  @Test("7: a bad element spoils no other", arguments: ["meta.messenger", "meta.instagram"])
  func elements(_ type: String) throws {
    let messages = try normalise(type, "one_bad_element").messages
    #expect(messages.map(\.text) == ["uno", "dos"])
  }

  @Test("8: changes have keys of their own and point at their target")
  func keysOfChanges() throws {
    let original = try normalise("meta.messenger", "conversation")
    let changes = try normalise("meta.messenger", "changes_of_messages")
    let receipts = try normalise("meta.messenger", "receipts")
    // The last receipt repeats the second.
    let events = original.events + changes.events + receipts.events.dropLast()
    #expect(Set(events.map(\.key)).count == events.count)
    #expect(receipts.events.last?.key == receipts.events.dropFirst(2).first?.key)
    let (question, answer) = (original.messages.first?.names.first, original.messages.last?.names.first)
    #expect(changes.changes.map(\.target) == [question, question, question, answer, answer, question])
    #expect(changes.changes.map(\.kind) == ["edit", "edit", "delete", "reaction", "reaction", "reaction"])
    #expect(changes.changes.suffix(3).map(\.status) == ["add", "remove", "add"])
    #expect(changes.changes.suffix(3).map(\.reaction) == ["❤", nil, "👍"])
    #expect(changes.changes.last?.authorKind == .agent)
  }

  @Test("9: a receipt has a message or a watermark")
  func receipts() throws {
    let record = try normalise("meta.messenger", "receipts")
    #expect(record.changes.map(\.targetExternalID) == ["m_2bbb", "m_2ccc", nil, nil, nil])
    #expect(record.changes.map { $0.target == nil } == [false, false, true, true, true])
    #expect(record.changes.map { $0.upTo == nil } == [true, true, false, false, false])
    #expect(record.changes.map(\.status) == ["delivered", "delivered", "delivered", "read", "delivered"])
    #expect(record.outcomes.filter { $0 != "event" } == ["malformed_payload"])
    #expect(try normalise("meta.instagram", "receipts").changes.map(\.targetExternalID) == ["aWdf2", nil, "aWdf3"])
  }

  @Test("10: a sticker that is sent twice is one sticker")
  func sticker() throws {
    let messages = try normalise("meta.messenger", "media").messages
    #expect(
      messages.map { $0.attachments.map(\.kind) } == [
        ["image", "video", "audio", "file"], ["sticker"], ["location"], [], ["video"], [],
      ])
    #expect(messages.dropFirst().first?.attachments.first?.providerID == "369239263222822")
  }

  @Test("13: an edit without a text is none with an empty text")
  func nullText() throws {
    let edits = try normalise("meta.instagram", "edits").changes
    #expect(edits.map(\.text) == ["precio y talla?", nil, ""])
    #expect(edits.allSatisfy { $0.authorKind == .customer && $0.attachments == nil })
  }

  @Test("Who shares a number or an address by the provider's quick reply is known by it, with a checked signature alone")
  func sharedContact() throws {
    let id = "messenger 7488123 A2"
    #expect(
      try normalise("meta.messenger", "buttons").messages.map(stated) == [
        [id], [id], [id], [id, "phone +34600111222 A2"], [id, "email ana.ruiz@example.org A2"], [id], [id], [id],
      ])
    #expect(
      try normalise("meta.messenger", "unsigned").messages.map(stated) == [["messenger 7488123 A0", "phone +34600111222 A0"]])
  }

  @Test("A postback without an id is told from the next by its time")
  func postbacks() throws {
    let events = try normalise("meta.messenger", "buttons").events.prefix(3)
    #expect(Set(events.map(\.key)).count == 3)
  }

  @Test("16: the id of one provider is not the other's")
  func scopes() throws {
    var messenger = try Sample.named("meta.messenger", "text")
    let here = Normaliser().normalise(messenger.record())
    messenger.payload = Array(String(decoding: messenger.payload, as: UTF8.self).replacing("682498302938465", with: "8").utf8)
    let there = Normaliser().normalise(messenger.record())
    #expect(here.messages.first?.customer != there.messages.first?.customer)
    #expect(here.events.first?.key != there.events.first?.key)
  }

  @Test("22: test traffic of the dashboard is recognised, another product's body is not ours")
  func verification() throws {
    #expect(try normalise("meta.messenger", "dashboard_sample").outcomes == ["ignored verification"])
    #expect(try normalise("meta.messenger", "other_object").outcomes == ["malformed_payload"])
    #expect(try normalise("meta.instagram", "page_body").outcomes == ["malformed_payload"])
    #expect(try normalise("meta.instagram", "empty").outcomes == ["ignored empty"])
    #expect(
      try normalise("meta.instagram", "changes").outcomes == ["event", "event", "event", "ignored verification", "event"])
  }

  @Test("A log-in code is not kept")
  func authorizationCode() throws {
    let record = try normalise("meta.messenger", "other_events")
    #expect(record.events.count == 7)
    #expect(!record.golden.contains("secret-code"))
  }

  @Test("What another app answers asks nobody here, until it passes the thread")
  func standby() throws {
    #expect(try normalise("meta.messenger", "standby").messages.allSatisfy(\.isStandby))
    let passed = try #require(try normalise("meta.messenger", "thread_passed").messages.first)
    #expect(passed.isHandoff)
    // The page's inbox, done with it.
    #expect(try normalise("meta.messenger", "thread_passed").changes.map(\.kind) == ["conversation_state"])
    let ana = try #require(try normalise("meta.messenger", "conversation").messages.first)
    #expect(passed.direction == .internal && stated(passed) == stated(ana) && !ana.isStandby)
    let line = try normalise("line.webhook", "standby").messages
    #expect(line.contains { $0.isStandby })
  }

  @Test("Who comments is who writes in private, and what we answer belongs to the comment above it")
  func comments() throws {
    let record = try normalise("meta.messenger", "comments")
    #expect(
      record.outcomes == [
        "event", "event", "event", "event", "event", "event", "ignored post_reaction", "event", "event", "event", "event",
        "ignored own_post",
      ])
    let messages = record.messages
    #expect(messages.map(\.externalID) == ["1220_31", "1220_33", "682498302938465_1221"])
    #expect(messages.map(\.customerName) == ["Ana Ruiz", "Ana Ruiz", "Bea Gil"])
    let inPrivate = try #require(try normalise("meta.messenger", "conversation").messages.first)
    #expect(stated(messages[0]) == stated(inPrivate))
    // The one on the post itself refers to nothing: all the others there are somebody else's.
    let answer = try #require(record.changes.first)
    #expect(messages.map(\.references) == [[], [try #require(answer.name)], []])
    #expect(answer.kind == Change.said && answer.authorKind == .agent && answer.target == messages[0].names.first)
    let changes = record.changes.dropFirst()
    #expect(changes.map(\.kind) == ["edit", "reaction", "reaction", "delete"])
    #expect(changes.map(\.target) == [messages[0].names.first, answer.name, answer.name, messages[1].names.first])
    #expect(Set(record.events.map(\.key)).count == record.events.count)
  }

  @Test("Comments of Instagram, by either way, and mentions whose text has to be asked for")
  func instagramComments() throws {
    let record = try normalise("meta.instagram", "comments")
    let messages = record.messages
    #expect(messages.map(\.text) == ["¿Precio?", "Gracias", "¡Hola!"])
    #expect(Set(messages.flatMap(stated)) == ["instagram 99120033 A2"])
    #expect(record.changes.map(\.kind) == [Change.said, "enrichment", "enrichment"])
    #expect(record.changes.first?.target == messages[0].names.first)
    #expect(messages[1].references.map(Optional.some) == [record.changes.first?.name])
    #expect(record.outcomes.filter { $0 != "event" } == ["ignored own_post"])
    // The entry itself may be the change.
    #expect(try normalise("meta.instagram", "changes").messages.map(\.externalID) == ["1789", "aWdc1", "1790", "aWdc2"])
  }
}
