import Canonical
import Testing

@testable import Channels

/// LINE: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct LineTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("line.webhook", name, replacing: old, with: new)
  }

  private let bot = "U8189cf6745fc0d808977bdb0b9f22995"

  @Test("2: milliseconds")
  func timestamps() throws {
    #expect(try normalise("text_in_group").events.map { $0.sentAt?.iso8601 } == ["2026-05-12T09:14:02.120000Z"])
    #expect(try normalise("one_bad_element").messages.map(\.flags) == [[], ["sent_at_invalid"]])
  }

  @Test("6 and 7: every event of a body is read, and a bad one spoils no other")
  func elements() throws {
    let record = try normalise("one_bad_element")
    #expect(record.messages.map(\.text) == ["uno", "dos"])
    #expect(
      record.outcomes == ["event"] + Array(repeating: "malformed_payload", count: 5) + [
        "nul_in_text", "malformed_payload", "malformed_payload", "event",
      ])
    #expect(try normalise("groups").outcomes == ["event", "event", "malformed_payload", "event", "event", "event"])
    let unknown = try normalise("unknown_things").events.compactMap {
      if case .unknown(let unknown) = $0.body { unknown.what } else { nil }
    }
    #expect(unknown == ["beacon", "accountLink", "membership", "botSuspended"])
    #expect(!(try normalise("unknown_things").golden.contains("secret-nonce")))
  }

  @Test("8: what is taken back has a key of its own and points at its message")
  func unsend() throws {
    let (said, unsent) = (try normalise("text_in_group"), try normalise("unsend"))
    #expect(unsent.changes.map(\.kind) == ["delete"])
    #expect(unsent.changes.map(\.target) == [said.messages.first?.names.first])
    #expect(unsent.events.map(\.key) != said.events.map(\.key))
  }

  @Test("An event that is delivered again is the same one, whatever else changed")
  func redelivery() throws {
    #expect(try normalise("redelivered").events.map(\.key) == normalise("text_in_group").events.map(\.key))
    for name in ["buttons", "consent", "groups", "receipts", "standby", "unknown_things"] {
      let record = try normalise(name)
      let again = try normalise(name, replacing: #""isRedelivery": false"#, with: #""isRedelivery": true"#)
      #expect(again.events.map(\.key) == record.events.map(\.key), "\(name)")
      #expect(Set(record.events.map(\.key)).count == record.events.count, "\(name)")
    }
  }

  @Test("11: the pictures of one album know it")
  func albums() throws {
    let messages = try normalise("media").messages
    #expect(messages.prefix(2).allSatisfy { $0.details.string.contains(#""album":{"id":"E005D41A7288F41B65593ED3"#) })
    #expect(messages.map { $0.attachments.map(\.kind) } == [["image"], ["image"], ["video"], ["audio"], ["file"]])
    #expect(messages.map { $0.attachments.first?.providerID } == messages.map(\.externalID))
  }

  @Test("12: mentions and emojis are no language's")
  func language() throws {
    #expect(try normalise("text_in_group").messages.map(\.language) == ["ja"])
  }

  @Test("16: a user of two bots is two customers, as the body names the bot")
  func scopes() throws {
    let here = try normalise("text_in_group")
    let there = try normalise("text_in_group", replacing: bot, with: "U0000000000000000000000000000001f")
    #expect(here.messages.first?.customer.first?.identifier.scope == bot)
    #expect(there.events.map(\.account) == ["U0000000000000000000000000000001f"])
    #expect(here.messages.first?.customer != there.messages.first?.customer)
    #expect(here.events.map(\.key) != there.events.map(\.key))
  }

  @Test("22: a body without events verifies the webhook")
  func verification() throws {
    #expect(try normalise("empty").outcomes == ["ignored verification"])
    #expect(try normalise("no_events").outcomes == ["malformed_payload"])
  }

  @Test("Where a group hides its users, the group speaks")
  func withoutUser() throws {
    let messages = try normalise("without_user").messages
    #expect(
      messages.map { $0.customer.map(\.identifier.value) } == [
        ["Ca56f94637cc4347f90a25382909b24b9"], ["Ra8dbf4673c4c812cd491258042226c99"],
      ])
    #expect(messages.map(\.flags) == [["sender_unknown"], ["sender_unknown"]])
  }

  @Test("Another page of the menu is no message, and what a button said is kept")
  func buttons() throws {
    let record = try normalise("buttons")
    #expect(record.outcomes == ["event", "event", "ignored menu"])
    #expect(record.messages.first?.details.string == #"{"postback":{"data":"action=return&order=4711"}}"#)
  }

  @Test("Without a checked signature a user is a claim")
  func unsigned() throws {
    #expect(try normalise("unsigned").messages.first?.customer.map(\.assurance) == [.a0])
  }
}
