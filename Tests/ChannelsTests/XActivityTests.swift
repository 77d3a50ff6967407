import Canonical
import Parsing
import Testing

@testable import Channels

/// X: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct XActivityTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("x.activity", name, replacing: old, with: new)
  }

  private let us = "1716450569358098433"
  private let ana = Identifier(.x, "1911830471268974593")

  @Test("2: digits, numbers, ISO 8601 and names of months are the same time")
  func timestamps() throws {
    let record = try normalise("timestamps")
    #expect(
      record.events.map { $0.sentAt?.iso8601 } == [
        "2026-05-12T09:14:02.120000Z", "2026-05-12T09:14:02.120000Z", "2026-05-12T09:14:02.120000Z",
        "2026-05-12T09:14:02.000000Z", nil,
      ])
    #expect(record.messages.map(\.flags) == [[], [], [], [], ["sent_at_invalid"]])
  }

  @Test(
    "A date with an English month",
    arguments: [
      ("Mon May 19 14:01:46 +0000 2025", "2025-05-19T14:01:46Z"), ("Tue, 12 May 2026 09:14:07 +0200", "2026-05-12T07:14:07Z"),
      ("1 jan 2026 00:00:00 GMT", "2026-01-01T00:00:00Z"), ("Fri Feb 29 00:00:00 +0000 2024", "2024-02-29T00:00:00Z"),
      ("Sun Feb 29 00:00:00 +0000 2026", nil), ("Mon Mai 19 14:01:46 +0000 2025", nil), ("Mon May 19 14:01:46 2025", nil),
      ("Mon, May 19 14:01:46 +0000 2025", nil), ("Mon May 190 14:01:46 +0000 2025", nil), ("May 19", nil), ("", nil), (",", nil),
      ("2026-05-12T09:14:07Z", nil),
    ])
  func months(text: String, iso: String?) {
    #expect(ISO8601.englishMicroseconds(text) == iso.flatMap(ISO8601.microseconds))
  }

  @Test("3: ids keep every digit, and the older API's rounded numbers are not ids")
  func bigIDs() throws {
    let messages = try normalise("legacy_posts").messages
    #expect(messages.first?.externalID == "2054117352190144601" && messages.first?.customer.map(\.identifier) == [ana])
    let number = try normalise("dm", replacing: #""sender_id": "\#(ana.value)""#, with: #""sender_id": \#(ana.value)"#).messages
    #expect(number.first?.customer.map(\.identifier) == [ana])
  }

  @Test("5: what we send and answer is an agent's message, and the customer is whom it is to")
  func echoes() throws {
    for name in ["answer", "answer_in_parts", "dm_sent", "chat_sent"] {
      let message = try #require(try normalise(name).messages.first)
      #expect(message.direction == .outbound && message.authorKind == .agent, "\(name)")
      #expect(message.customer == [StatedIdentifier(ana, .a2)], "\(name)")
    }
    #expect(try normalise("legacy_messages").messages.map(\.direction) == [.inbound, .outbound])
    // What the event is called says so, too.
    let sent = try normalise("dm_sent", replacing: #""user_id": "\#(us)""#, with: #""user_id": "42""#)
    #expect(sent.messages.map(\.direction) == [.outbound] && sent.messages.first?.customer.map(\.identifier) == [ana])
  }

  @Test("6 and 7: every event of a list is read, and a bad one spoils no other")
  func elements() throws {
    let record = try normalise("one_bad_element")
    #expect(record.messages.map(\.text) == ["uno", "dos"])
    #expect(
      record.outcomes == ["event"] + Array(repeating: "malformed_payload", count: 5) + [
        "nul_in_text", "malformed_payload", "ignored self", "malformed_payload", "malformed_payload", "malformed_payload",
        "event",
      ])
    #expect(
      try normalise("legacy_posts").outcomes == [
        "event", "event", "ignored repost", "ignored own_post", "event", "event", "malformed_payload", "event",
      ])
  }

  @Test("7: what is not about a customer's message is told apart, and what is not known is kept")
  func otherEvents() throws {
    let ignored = [
      "like": "like", "repost": "repost", "reposted": "repost", "own_post": "own_post", "post_of_a_stranger": "not_addressed",
      "dm_typing": "typing", "dm_empty": "empty",
    ]
    for (name, reason) in ignored { #expect(try normalise(name).outcomes == ["ignored " + reason], "\(name)") }
    let unknown = [
      "revoke": "oauth.revoke", "legacy_revoke": "user_event", "chat_join": "chat.conversation_join",
      "chat_sent_to_group": "chat.sent", "dm_reaction": "reaction_create", "dm_other_shape": "dm.received",
    ]
    for (name, what) in unknown {
      guard case .unknown(let body) = try normalise(name).events.first?.body else {
        #expect(Bool(false), "\(name)")
        continue
      }
      #expect(body.what == what, "\(name)")
    }
    #expect(try normalise("other_body").outcomes == ["malformed_payload"])
  }

  @Test("8: an edit, a deletion and a receipt have keys of their own and point at their target")
  func keysOfChanges() throws {
    let mention = try normalise("mention")
    let answer = try normalise("answer")
    let sent = try normalise("dm_sent")
    let (edit, delete, read) = (try normalise("edit"), try normalise("delete"), try normalise("dm_read"))
    let events = [mention, answer, sent, delete, read].flatMap(\.events) + edit.events.dropFirst()
    #expect(Set(events.map(\.key)).count == events.count)
    // Whose first version did not mention us is a message by the edit; where it has come, it is that one.
    #expect(edit.events.first?.key == mention.events.first?.key && edit.messages.map(\.names) == mention.messages.map(\.names))
    #expect(edit.messages.map(\.text) == edit.changes.map(\.text))
    #expect(edit.changes.map(\.target) == [mention.messages.first?.names.first])
    #expect(delete.changes.map(\.target) == [answer.messages.first?.names.first])
    #expect(read.changes.map(\.target) == [sent.messages.first?.names.first])
    #expect((edit.changes + delete.changes + read.changes).map(\.kind) == ["edit", "delete", "receipt"])
  }

  @Test("16: a user is the same one for all our accounts, in public and in private")
  func oneCustomer() throws {
    let names = ["mention", "reply", "dm", "chat", "legacy_messages"]
    let here = try names.map { try normalise($0).messages.first?.customer }
    let there = try names.map { try normalise($0, replacing: us, with: "42").messages.first?.customer }
    #expect(Set(here + there) == [[StatedIdentifier(ana, .a2)]])
  }

  @Test(
    "An event that comes once for each of our users is one event",
    arguments: ["mention", "reply", "edit", "dm", "dm_sent", "dm_read", "chat", "legacy_messages"])
  func severalUsers(_ name: String) throws {
    let here = try normalise(name)
    let there = try normalise(name, replacing: us, with: "42")
    #expect(here.events.map(\.key) == there.events.map(\.key))
    #expect(here.messages.map(\.names) == there.messages.map(\.names))
    #expect(here.messages.map(\.references) == there.messages.map(\.references))
    #expect(Set(there.events.map(\.account)) == ["42"])
  }

  @Test("Both APIs give the same message")
  func bothAPIs() throws {
    let older = try normalise("legacy_messages")
    let newer = try normalise("dm").events + normalise("dm_sent").events
    #expect(older.events.map { canonicalJSON($0) } == newer.map { canonicalJSON($0) })
    #expect(try normalise("legacy_other").events.first?.key == normalise("dm_read").events.first?.key)
  }

  @Test("A post that mentions us and answers us is one message")
  func replyAndMention() throws {
    let reply = try normalise("reply")
    #expect(try normalise("reply_as_mention").golden == reply.golden)
  }

  @Test("An answer refers to the post that it answers, whose thread is nobody's session")
  func references() throws {
    let (mention, answer, reply) = (
      try normalise("mention").messages, try normalise("answer").messages, try normalise("reply").messages
    )
    #expect(answer.first?.references == mention.first?.names && reply.first?.references == answer.first?.names)
    // Those who answer what we published to everybody have nothing to do with each other.
    let toAll = try normalise("reply_to_all").messages
    #expect(toAll.map(\.references) == [[]] && toAll.first?.replyToExternalID == "2054117352190144401")
    for name in ["reply", "chat", "dm"] { #expect(try normalise(name).messages.map(\.session) == [nil], "\(name)") }
  }

  @Test("The whole of a long post is shown, and what X writes as HTML is text")
  func texts() throws {
    #expect(try normalise("legacy_posts").messages.first?.text?.hasSuffix("nadie me contesta. @shop") == true)
    #expect(try normalise("legacy_posts").messages.last?.flags == ["text_truncated"])
    #expect(try normalise("quote").messages.first?.text?.hasSuffix("y lo cuento entero &lt;aquí>") == true)
    #expect(try normalise("mention").messages.first?.text?.contains("pedido & la factura") == true)
  }

  @Test("An encrypted message is unreadable, and the token of its conversation is not kept")
  func encrypted() throws {
    for name in ["chat", "chat_sent"] {
      let message = try #require(try normalise(name).messages.first)
      #expect(message.text == nil && message.flags == ["unreadable"], "\(name)")
    }
    for name in ["chat", "chat_sent", "chat_join", "chat_sent_to_group"] {
      #expect(!(try normalise(name).golden.contains("secret-token")), "\(name)")
    }
  }

  @Test("A link is no language")
  func language() throws {
    #expect(try normalise("dm_media").messages.map(\.language) == [nil, nil, nil, nil, nil])
    #expect(try normalise("dm").messages.map(\.language) == ["es"])
  }

  @Test("Without a checked signature a user is a claim")
  func unsigned() throws {
    #expect(try normalise("unsigned").messages.first?.customer == [StatedIdentifier(ana, .a0)])
  }
}
