import Canonical
import Testing

@testable import Channels

/// Freshdesk: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct FreshdeskTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("freshdesk.ticket", name, replacing: old, with: new)
  }

  @Test("5: who writes is told by the ticket, and a note stays inside")
  func echoes() throws {
    let messages = try normalise("polled").messages
    #expect(messages.map(\.direction) == [.inbound, .internal, .outbound, .inbound])
    #expect(messages.map(\.authorID) == [nil, "55", "55", nil])
    #expect(try normalise("automation_with_update").messages.map(\.direction) == [.outbound])
    #expect(try normalise("automation_reply").messages.map(\.direction) == [.inbound])
    #expect(try normalise("polled_outbound").messages.map(\.direction) == [.outbound])
  }

  @Test("13: an empty text is none")
  func empty() throws {
    #expect(try normalise("empty_id").outcomes == ["malformed_payload"])
    #expect(try normalise("automation_reply").changes.first?.details.string.contains("responder_id") == false)
    #expect(try normalise("automation_state").outcomes == ["event"])
  }

  @Test("18: the description is the first message; conversations are put in order, and one without id costs no other")
  func conversations() throws {
    let polled = try normalise("polled")
    #expect(polled.messages.map(\.externalID) == ["ticket:9007199254740993", "50075", "50077", "50078"])
    #expect(polled.outcomes.filter { $0 != "event" } == ["malformed_payload"])
    #expect(polled.changes.map(\.kind) == ["delete", "conversation_state"])
    #expect(polled.changes.map(\.status) == [nil, "resolved"])
    // What was quoted is kept, not shown.
    #expect(polled.messages.last?.text == "Gracias, ya ha llegado el nuevo y está entero.")
    #expect(polled.messages.last?.original != nil)
  }

  @Test("A ticket polled again has the same keys, but for its new state; a comment has one key, however it comes")
  func keys() throws {
    let polled = try normalise("polled")
    let later = try normalise("polled", replacing: "2026-05-12T11:00:00Z", with: "2026-05-12T12:00:00Z")
    #expect(polled.events.dropLast().map(\.key) == later.events.dropLast().map(\.key))
    #expect(polled.events.last?.key != later.events.last?.key)
    let reply = try #require(try normalise("automation_with_update").events.first)
    #expect(polled.events.map(\.key).contains(reply.key))
    // Without an id the words have to do.
    let other = try normalise("automation_reply", replacing: "Llegó", with: "Vino")
    #expect(try normalise("automation_reply").events.first?.key != other.events.first?.key)
  }

  @Test("The desk's word for its contact is the protocol's, its record the provider's")
  func identifiers() throws {
    func stated(_ name: String) throws -> [String] {
      try normalise(name).messages.prefix(1).flatMap(\.customer).map { $0.identifier.kind.rawValue + " " + $0.assurance.label }
    }
    #expect(try stated("polled") == ["contact A2", "email A1", "phone A1"])
    #expect(try stated("automation_reply") == ["contact A2", "email A1"])
    #expect(try stated("not_attested") == ["contact A0", "email A0"])
  }
}
