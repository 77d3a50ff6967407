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
    #expect(try normalise("automation_state").changes.first?.details.string.contains("responder_id") == false)
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
  }

  @Test("Without an id and a time only the delivery tells two equal texts, or states, from each other")
  func nameless() throws {
    for name in ["automation_reply", "state_without_time"] {
      var sample = try Sample.named("freshdesk.ticket", name)
      let first = Normaliser().normalise(sample.record()).events.map(\.key)
      #expect(first.count == 1 && first == Normaliser().normalise(sample.record()).events.map(\.key))
      sample.headers["ce_id"] = "next"
      #expect(Normaliser().normalise(sample.record()).events.map(\.key) != first)
    }
  }

  @Test("A reply says nothing of the ticket's state")
  func replies() throws {
    for name in ["automation_reply", "automation_with_update", "reply_without_requester"] {
      #expect(try normalise(name).outcomes == ["event"] && normalise(name).messages.count == 1)
    }
    #expect(try normalise("automation_created").changes.map(\.status) == ["open"])
  }

  @Test("Whoever is in copy is not the requester")
  func inCopy() throws {
    let messages = try normalise("in_copy").messages
    #expect(messages.map(\.flags) == [[], ["other_author"]])
    #expect(messages.map(\.customerName) == ["Ana Ruiz", "Ana Ruiz"])
    #expect(messages.last?.details.string.contains("Pedro Ruiz <pedro.ruiz@example.org>") == true)
    #expect(try normalise("polled").messages.allSatisfy { !$0.flags.contains("other_author") })
  }

  @Test("8 and 23: what the staff delete names no customer: it is anybody's message")
  func deletions() throws {
    let deletion = try #require(try normalise("polled").changes.first)
    #expect(deletion.kind == "delete" && deletion.authorKind == .agent && deletion.customer.isEmpty && deletion.isAttested)
  }

  @Test("What the desk knows of its contact may have been typed by anybody, unless the business says so")
  func identifiers() throws {
    func stated(_ name: String) throws -> [String] {
      try normalise(name).messages.prefix(1).flatMap(\.customer).map { $0.identifier.kind.rawValue + " " + $0.assurance.label }
    }
    #expect(try stated("polled") == ["contact A2", "email A1", "phone A1"])
    #expect(try stated("in_copy") == ["contact A2", "external_id A3", "email A1", "phone A1"])
    #expect(try stated("signature_only") == ["contact A2", "external_id A0", "email A0", "phone A0"])
    // Whoever replies need not be the requester.
    #expect(try stated("automation_reply") == ["contact A2"])
    #expect(try stated("reply_without_requester") == ["email A0"])
    #expect(try stated("not_attested") == ["contact A0"])
  }
}
