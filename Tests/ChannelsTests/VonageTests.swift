import Canonical
import Testing

@testable import Channels

/// Vonage: what its goldens do not say by themselves (traps of `channels.md`, section 21, by their numbers).
@Suite struct VonageTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("vonage.sms", name, replacing: old, with: new)
  }

  @Test("Query, form and JSON are the same message")
  func encodings() throws {
    #expect(try normalise("as_form").golden == normalise("text").golden)
    #expect(try normalise("as_query").messages.map(\.text) == ["by GET"])
    #expect(try normalise("empty").outcomes == ["ignored verification"])
    #expect(try normalise("no_id").outcomes == ["malformed_payload"])
  }

  @Test("2: a time without a zone is in UTC")
  func time() throws {
    #expect(try normalise("text").events.first?.sentAt?.iso8601 == "2026-05-12T09:14:02.000000Z")
    #expect(try normalise("v1_text").events.first?.sentAt?.iso8601 == "2026-05-12T09:14:07.000000Z")
  }

  @Test("11: the parts of a long text are messages of their own that say so")
  func parts() throws {
    let parts = try normalise("part_1").events + normalise("part_2").events
    #expect(Set(parts.map(\.key)).count == 2)
    #expect(try normalise("part_2").messages.map(\.flags) == [["text_part"]])
    #expect(try normalise("part_2").messages.map(\.text) == [" text"])
  }

  @Test("15: digits without a plus are a number, a name is nobody's")
  func senders() throws {
    let ana = Identifier(.phone, "+447700900001")
    for name in ["text", "v1_text", "v0_text"] {
      #expect(try normalise(name).messages.map(\.customer) == [[StatedIdentifier(ana, .a1)]], "\(name)")
    }
    for name in ["delivered", "v1_delivered"] {
      #expect(try normalise(name).changes.map { $0.customer.map(\.identifier) } == [[ana]], "\(name)")
    }
    #expect(try normalise("unsigned").messages.first?.customer.map(\.assurance) == [.a0])
    #expect(try normalise("alphanumeric_sender").messages.map(\.customer) == [[]])
    #expect(
      try normalise("v0_messenger").messages.first?.customer == [
        StatedIdentifier(Identifier(.messenger, scope: "107083064136738", "5311"), .a2)
      ])
  }

  @Test("8 and 9: receipts and reactions have keys of their own and point at their message")
  func changes() throws {
    let (first, last) = (try normalise("v1_delivered"), try normalise("v1_undeliverable"))
    #expect(first.changes.map(\.target) == last.changes.map(\.target) && first.events.map(\.key) != last.events.map(\.key))
    let (reaction, answer) = (try normalise("v1_reaction"), try normalise("v1_reply_button"))
    #expect(reaction.changes.map(\.kind) == ["reaction"])
    #expect(reaction.changes.map(\.target) == [answer.messages.first?.references.first])
    let back = try normalise("v1_reaction", replacing: "\"react\"", with: "\"unreact\"")
    #expect(back.changes.map(\.status) == ["remove"] && reaction.changes.map(\.status) == ["add"])
    let failed = try #require(last.changes.first)
    #expect(failed.status == "failed" && failed.error == "Message already sent")
    #expect(failed.details.string.contains(#""status":"undeliverable""#))
    #expect(try normalise("failed").changes.map(\.error) == ["6"] && normalise("unknown_status").changes.map(\.status) == [nil])
  }
}
