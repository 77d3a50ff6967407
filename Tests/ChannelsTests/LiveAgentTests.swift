import Canonical
import Testing

@testable import Channels

/// LiveAgent: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct LiveAgentTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("liveagent.ticket", name, replacing: old, with: new)
  }

  @Test("5: the group says who writes, else the author does; LiveAgent itself says nothing")
  func echoes() throws {
    #expect(try normalise("with_groups").messages.map(\.direction) == [.inbound, .internal, .outbound])
    let chat = try normalise("chat")
    #expect(chat.outcomes == ["ignored system", "event", "event", "event"])
    #expect(chat.messages.map(\.direction) == [.inbound, .outbound])
    #expect(chat.messages.map(\.authorID) == [nil, "9f8e7d6c"])
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
