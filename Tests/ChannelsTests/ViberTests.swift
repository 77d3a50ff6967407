import Canonical
import Testing

@testable import Channels

/// Viber: what its goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct ViberTests {
  private func normalise(_ name: String, replacing old: String = "", with new: String = "") throws -> NormalisedRecord {
    try Sample.normalise("viber.callback", name, replacing: old, with: new)
  }

  @Test("2: milliseconds; the probe of a webhook has its numbers swapped, and is no event")
  func timestamps() throws {
    #expect(try normalise("text").events.map { $0.sentAt?.iso8601 } == ["2026-05-12T09:14:02.120000Z"])
    #expect(try normalise("no_time").messages.map(\.flags) == [["sent_at_invalid"]])
    #expect(try normalise("webhook").outcomes == ["ignored verification"])
  }

  @Test("3: a token is 64 bits, as a number or as a string")
  func tokens() throws {
    #expect(try normalise("text").messages.map(\.externalID) == ["4912661846655238144"])
    #expect(try normalise("picture").messages.map(\.externalID) == ["4912661846655238145"])
    #expect(try normalise("text").events.map(\.key) != normalise("picture").events.map(\.key))
    let string = try normalise("token_as_string")
    let number = try normalise("token_as_string", replacing: #""4912661846655238154""#, with: "4912661846655238154")
    #expect(string.events.map(\.key) == number.events.map(\.key))
    #expect(number.messages.map(\.externalID) == ["4912661846655238154"])
  }

  @Test("8: a receipt points at our message, and each status has its key")
  func receipts() throws {
    let records = try ["delivered", "seen", "failed"].map { try normalise($0) }
    let target = ReferenceKey.message(.viber, account: "pa_5036841", id: "4912661846655238170")
    #expect(records.flatMap(\.changes).allSatisfy { $0.kind == "receipt" && $0.target == target })
    #expect(Set(records.flatMap(\.events).map(\.key)).count == 3)
    #expect(records.flatMap(\.changes).map(\.status) == ["delivered", "read", "failed"])
    #expect(records.flatMap(\.changes).map(\.error) == [nil, nil, "failure description"])
    #expect(records[1].changes.first?.details.string == #"{"status":"seen"}"#)
    let other = try normalise("seen", replacing: "01234567890A=", with: "99994567890A=")
    #expect(other.events.map(\.key) != records[1].events.map(\.key))
  }

  @Test("7: what is not known is kept, what is not there is told")
  func otherCallbacks() throws {
    guard case .unknown(let unknown) = try normalise("new_event").events.first?.body else { return #expect(Bool(false)) }
    #expect(unknown.what == "teleported")
    #expect(try normalise("unknown_type").messages.map(\.details.string).first?.contains(#""unknown":"rich_media""#) == true)
    #expect(try normalise("client_status").outcomes == ["ignored client_status"])
    for name in ["no_sender", "no_token", "no_event"] {
      #expect(try normalise(name).outcomes == ["malformed_payload"], "\(name)")
    }
  }

  @Test("16: users' ids belong to one account")
  func scopes() throws {
    var other = try Sample.named("viber.callback", "text")
    other.headers["ce_source"] = "/channels/viber/pa_1"
    let there = Normaliser().normalise(other.record())
    let here = try normalise("text")
    #expect(
      here.messages.first?.customer == [StatedIdentifier(Identifier(.viber, scope: "pa_5036841", "01234567890A="), .a2)])
    #expect(here.messages.first?.customer != there.messages.first?.customer)
    #expect(here.events.map(\.key) != there.events.map(\.key))
    #expect(try normalise("unsigned").messages.first?.customer.map(\.assurance) == [.a0])
  }

  @Test("To subscribe is consent, to open the chat is not")
  func consent() throws {
    let changes = try ["subscribed", "unsubscribed", "conversation_started"].flatMap { try normalise($0).changes }
    #expect(changes.map(\.kind) == ["consent", "consent", "conversation_state"])
    #expect(changes.map(\.status) == ["opt_in", "opt_out", "conversation_started"])
    #expect(try normalise("conversation_started").messages.isEmpty)
  }
}
