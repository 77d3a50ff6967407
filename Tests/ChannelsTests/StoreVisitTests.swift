import Canonical
import Testing

@testable import Channels

/// Visits to a store: what their goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct StoreVisitTests {
  private func normalise(_ name: String) throws -> NormalisedRecord {
    try Sample.normalise("store.visit", name)
  }

  private func stated(_ name: String) throws -> [String] {
    try normalise(name).events.flatMap(\.stated).map {
      $0.identifier.kind.rawValue + " " + $0.identifier.value + " " + $0.assurance.label
    }
  }

  @Test("2: a time without its zone says nothing")
  func timestamps() throws {
    #expect(try normalise("return").events.map { $0.sentAt?.iso8601 } == ["2026-05-12T16:02:11.000000Z"])
    #expect(try normalise("visit").events.map { $0.sentAt?.iso8601 } == ["2026-05-12T16:22:11.000000Z"])
    #expect(try normalise("no_zone").messages.map(\.flags) == [["sent_at_invalid"]])
  }

  @Test("15: a number as dialled in the country is one there alone")
  func phones() throws {
    #expect(try stated("return") == ["loyalty L-5512 A1", "order #1004 A1"])
    #expect(try stated("return_with_country") == ["loyalty L-5512 A1", "phone +34600123456 A1", "order #1004 A1"])
    #expect(try stated("visit") == ["external_id C-88 A3", "email ana@example.org A1"])
    #expect(try stated("not_attested") == ["loyalty L-5512 A0", "order #1004 A0"])
    #expect(try normalise("anonymous").messages.map(\.flags) == [["customer_unknown"]])
  }

  @Test("The staff write for each other, unless they quote the customer")
  func authors() throws {
    let note = try #require(try normalise("return").messages.first)
    #expect(note.direction == .internal && note.authorKind == .agent && note.authorID == "s17")
    let quote = try #require(try normalise("complaint_quoted").messages.first)
    #expect(quote.direction == .inbound && quote.authorKind == .customer && quote.authorID == nil)
  }

  @Test("3 and 7: an upload is an array whose elements stand for themselves, ids keep every digit")
  func batches() throws {
    let batch = try normalise("batch")
    #expect(batch.outcomes == ["event", "malformed_payload", "malformed_payload", "event", "malformed_payload"])
    #expect(Set(batch.events.map(\.key)).count == 2)
    #expect(try normalise("upload_of_a_day").messages.map(\.externalID) == ["01JV2P7", "9007199254740993"])
  }
}
