import Canonical
import Testing

@testable import Channels

/// LiveAgent: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct LiveAgentTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("liveagent.ticket", name, replacing: old, with: new)
  }

  @Test("5: the group says who writes, else the ticket's agent is who it is; LiveAgent itself says nothing")
  func echoes() throws {
    #expect(try normalise("with_groups").messages.map(\.direction) == [.inbound, .internal, .outbound])
    let chat = try normalise("chat")
    #expect(chat.outcomes == ["ignored system", "event", "event", "event"])
    #expect(chat.messages.map(\.direction) == [.inbound, .outbound])
    #expect(chat.messages.map(\.authorID) == [nil, "9f8e7d6c"])
  }

  @Test("Whoever is not known to be of the staff is a customer, and one with another name than the owner's is in copy")
  func severalPeople() throws {
    let messages = try normalise("several_people").messages
    #expect(messages.map(\.direction) == [.inbound, .inbound, .inbound, .outbound])
    #expect(messages.map(\.flags) == [[], ["other_author"], [], []])
    #expect(messages.map(\.customerName) == Array(repeating: "Ana Ruiz", count: 4))
    #expect(messages[1].details.string.contains(#""author_name":"Pedro Ruiz""#))
  }

  @Test("Without a time only the delivery tells a state from another")
  func stateWithoutTime() throws {
    var sample = try Sample.named("liveagent.ticket", "state_without_time")
    let first = Normaliser().normalise(sample.record()).events.map(\.key)
    sample.headers["ce_id"] = "next"
    #expect(first.count == 1 && Normaliser().normalise(sample.record()).events.map(\.key) != first)
  }

  @Test("An owner's address may have been typed by anybody, unless the business says so")
  func assurance() throws {
    var sample = try Sample.named("liveagent.ticket", "flat_messages")
    #expect(Normaliser().normalise(sample.record()).messages.first?.customer.map(\.assurance) == [.a2, .a1])
    sample.headers["ce_attested"] = "signature"
    #expect(Normaliser().normalise(sample.record()).messages.first?.customer.map(\.assurance) == [.a2, .a0])
  }

  @Test("7: what is not known is kept, and one message without id costs no other")
  func elements() throws {
    #expect(try normalise("with_groups").outcomes == ["event", "event", "event", "malformed_payload", "event", "event"])
    #expect(try normalise("no_id").outcomes == ["malformed_payload"])
    #expect(try normalise("new_status").changes.map(\.status) == ["Q"])
  }

  @Test("18: the subject goes with the first message")
  func subject() throws {
    #expect(try normalise("with_groups").messages.map(\.subject) == ["Jarrón roto", nil, nil])
    #expect(try normalise("flat_messages").messages.map(\.subject) == ["Jarrón roto"])
  }

  @Test("A ticket alone is its state, and another state has another key")
  func states() throws {
    let (alone, resolved) = (try normalise("ticket_alone"), try normalise("resolved"))
    #expect((alone.changes + resolved.changes).map(\.status) == ["answered", "resolved"])
    #expect(alone.changes.first?.target == resolved.changes.first?.target)
    #expect(alone.events.map(\.key) != resolved.events.map(\.key))
    #expect(alone.changes.first?.target == (try normalise("with_groups").messages.first?.session))
    #expect(try normalise("not_attested").messages.first?.customer.map(\.assurance) == [.a0, .a0])
  }
}
