import Canonical
import Testing

@testable import Channels

/// RCS: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct RCSEventTests {
  private func normalise(_ name: String) throws -> NormalisedRecord {
    try Sample.normalise("rcs.event", name)
  }

  @Test("2: nanoseconds are cut to microseconds, nonsense is flagged")
  func timestamps() throws {
    #expect(try normalise("text").events.first?.sentAt?.iso8601 == "2026-05-12T09:14:02.120394Z")
    #expect(try normalise("unknown_content").messages.map(\.flags) == [["sent_at_invalid"]])
  }

  @Test("14: a push of Pub/Sub holds the same event as base64, and hides no zero")
  func pushed() throws {
    #expect(try normalise("text_pushed").golden == normalise("text").golden)
    #expect(try normalise("zero_in_push").outcomes == ["nul_in_text"])
    #expect(try normalise("broken_push").outcomes == ["malformed_payload"])
  }

  @Test("9: both receipts are of our message, each with a key of its own")
  func receipts() throws {
    let receipts = try ["delivered", "read"].map { try normalise($0) }
    let ours = ReferenceKey.message(.rcs, account: "shop_agent@rbm.goog", id: "our-1")
    #expect(receipts.flatMap(\.changes).map(\.target) == [ours, ours])
    #expect(receipts.flatMap(\.changes).map(\.status) == ["delivered", "read"])
    let expired = try #require(try normalise("expired").changes.first)
    #expect(expired.status == "failed" && expired.details.string == #"{"status":"expired"}"#)
    #expect(try normalise("unsubscribe").changes.map(\.status) == ["opt_out"])
    #expect(Set(receipts.flatMap(\.events).map(\.key)).count == 2)
  }

  @Test("22: a new webhook's check, and who is typing, are recognised")
  func verification() throws {
    #expect(try normalise("webhook_check").outcomes == ["ignored verification"])
    #expect(try normalise("typing").outcomes == ["ignored typing"])
  }
}
