import Canonical
import Testing

@testable import Channels

/// Bandwidth: what its goldens do not say by themselves (traps of `channels.md`, section 21, by their numbers).
@Suite struct BandwidthTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("bandwidth.sms", name, replacing: old, with: new)
  }

  @Test("6 and 7: every callback of a list is read, a bad one spoils no other and an unknown one is kept")
  func elements() throws {
    let record = try normalise("one_bad_element")
    #expect(record.messages.map(\.text) == ["one", "two"])
    #expect(
      record.outcomes == [
        "event", "malformed_payload", "malformed_payload", "nul_in_text", "event", "malformed_payload", "event",
      ])
    #expect(try normalise("bare_object").messages.map(\.text) == ["alone"])
    #expect(try normalise("empty").outcomes == ["ignored empty"])
    #expect(try normalise("other_body").outcomes == ["malformed_payload"])
  }

  @Test("A message to two of our numbers is one of each, without the layout of its slides")
  func groups() throws {
    let (here, there) = (try normalise("group"), try normalise("group_other_number"))
    #expect(here.events.map(\.account) == ["+12025550100"] && there.events.map(\.account) == ["+12025550177"])
    #expect(here.events.map(\.key) != there.events.map(\.key))
    #expect(here.messages.first?.customer == there.messages.first?.customer)
    #expect(here.messages.first?.attachments.map(\.kind) == ["image", "audio"])
  }

  @Test("9: receipts have their rank, and each of several recipients has their own")
  func receipts() throws {
    let record = try normalise("receipts")
    #expect(record.changes.map { $0.details.string.contains("\"rank\":") } == [true, true, true, true])
    #expect(record.changes.map(\.status) == [nil, "delivered", "sent", "read"])
    #expect(try normalise("failed").changes.map(\.error) == ["4405 rejected-carrier-does-not-exist"])
    #expect(Set(record.events.map(\.key)).count == 4 && Set(record.changes.map(\.target)).count == 1)
    let group = try normalise("group_receipts")
    #expect(Set(group.events.map(\.key)).count == 2 && Set(group.changes.map(\.target)).count == 1)
    #expect(group.changes.first?.customer != group.changes.last?.customer)
  }

  @Test("15: a short code is nobody's number")
  func senders() throws {
    #expect(try normalise("text").messages.map(\.customer) == [[StatedIdentifier(Identifier(.phone, "+14155550123"), .a1)]])
    #expect(try normalise("unsigned").messages.first?.customer.map(\.assurance) == [.a0])
    #expect(try normalise("short_code").messages.map(\.customer) == [[]])
  }
}
