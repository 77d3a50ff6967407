import Canonical
import Testing

@testable import Channels

/// Rasa and Dialogflow: what their goldens show and do not say (traps of `channels.md`, section 21, by their numbers).
@Suite struct BotTests {
  private func normalise(_ type: String, _ name: String) throws -> NormalisedRecord {
    try Sample.normalise(type, name)
  }

  private func rasa(_ name: String) throws -> NormalisedRecord { try normalise("rasa.event", name) }
  private func dialogflow(_ name: String) throws -> NormalisedRecord { try normalise("dialogflow.cx", name) }

  @Test("A hand-off on a channel without sessions is the customer's, and so are the lines of its transcript")
  func onWhatsApp() throws {
    let record = try Sample.normalise("bot.handoff", "on_whatsapp")
    let messages = record.messages
    // What the customer said, WhatsApp delivers itself.
    #expect(messages.map(\.isHandoff) == [true, false] && messages.map(\.isTranscript) == [false, true])
    #expect(messages.map(\.direction) == [.internal, .outbound] && messages.map(\.authorKind) == [.bot, .bot])
    let ana = [
      StatedIdentifier(Identifier(.whatsapp, scope: "102290129340398", "34600123456"), .a2),
      StatedIdentifier(Identifier(.phone, "+34600123456"), .a1),
    ]
    #expect(messages.allSatisfy { $0.customer == ana } && Set(record.events.map(\.channel)) == [.whatsapp])
    // On a channel with sessions they are said there.
    let chat = try Sample.normalise("bot.handoff", "requested").changes
    #expect(chat.map(\.kind) == [Change.handoff, Change.said, Change.said] && Set(chat.map(\.target)).count == 1)
    #expect(chat.dropFirst().map(\.status) == [Change.transcript, Change.transcript])
  }

  @Test("2: Rasa's seconds are a float, Dialogflow's turns have no time")
  func timestamps() throws {
    #expect(try rasa("user").events.map { $0.sentAt?.iso8601 } == ["2026-05-12T09:14:02.617099Z"])
    #expect(try rasa("button").events.map { $0.sentAt?.iso8601 } == ["2026-05-12T09:14:10.250000Z"])
    #expect(try dialogflow("turn").events.allSatisfy { $0.sentAt == nil })
    #expect(try dialogflow("conversation_message").events.map { $0.sentAt?.iso8601 } == ["2026-05-12T09:14:02.120394Z"])
  }

  @Test("5: the bot's words are the bot's, in the session of whom it talks to")
  func authors() throws {
    let session = ReferenceKey.session(.bot, account: "bot_1", id: "web-71")
    let user = try #require(try rasa("user").messages.first)
    let bot = try #require(try rasa("bot").messages.first)
    #expect(user.direction == .inbound && user.authorKind == .customer && user.authorID == nil)
    #expect(bot.direction == .outbound && bot.authorKind == .bot && bot.authorID == "bot_1")
    #expect(user.customer == [StatedIdentifier(Identifier(.visitor, scope: "bot_1", "web-71"), .bearer)])
    #expect([user.session, bot.session] == [session, session] && bot.customer == user.customer)
    #expect(try dialogflow("turn").messages.map(\.authorKind) == [.customer, .bot, .bot])
    let roles = try ["conversation_message", "conversation_bot", "conversation_agent"].flatMap { try dialogflow($0).messages }
    #expect(roles.map(\.authorKind) == [.customer, .bot, .agent])
    #expect(Set(roles.map(\.session)).count == 1)
  }

  @Test("What a bot says twice at two times is said twice")
  func repetition() throws {
    let (first, second) = (try rasa("bot"), try rasa("bot_same_text_later"))
    #expect(first.messages.map(\.text) == second.messages.map(\.text))
    #expect(first.events.map(\.key) != second.events.map(\.key))
  }

  @Test("A turn's webhook request and its response tell of the same words")
  func oneTurn() throws {
    let (response, request) = (try dialogflow("turn"), try dialogflow("webhook_request"))
    #expect(Array(response.events.map(\.key).prefix(2)) == request.events.map(\.key))
    #expect(Set(response.events.map(\.key)).count == 3)
  }

  @Test("A hand-off is told by each convention, and finds the conversation that the bot was told of")
  func handoffs() throws {
    for name in ["action_handoff", "slot_handoff", "custom_handoff"] {
      let changes = try rasa(name).changes
      #expect(changes.map(\.kind) == ["handoff"], "\(name)")
      #expect(changes.map(\.target) == [.session(.bot, account: "bot_1", id: "web-71")], "\(name)")
    }
    #expect(try dialogflow("handoff").changes.map(\.kind) == ["handoff"])
    #expect(try dialogflow("intervention_needed").changes.map(\.kind) == ["handoff"])
    let chat = try #require(try normalise("chat.event", "created").messages.first?.session)
    #expect(try rasa("handoff_of_a_chat").changes.map(\.target) == [chat])
    #expect(try dialogflow("of_a_chat").changes.map(\.kind) == ["bot_message", "bot_message", "handoff"])
    #expect(try dialogflow("of_a_chat").changes.map(\.authorKind) == [.customer, .bot, nil])
    #expect(try dialogflow("of_a_chat").changes.allSatisfy { $0.target == chat && $0.customer.isEmpty })
    #expect(try rasa("of_a_chat").changes.map(\.kind) == ["bot_message"])
  }

  @Test("7: what the bot does inside is passed over, what is not known is kept")
  func others() throws {
    for name in ["action", "slot", "session_start_intent"] {
      #expect(try rasa(name).outcomes == ["ignored bot_internal"], "\(name)")
    }
    #expect(try rasa("unknown_event").outcomes == ["event"])
    #expect(
      try dialogflow("payload_and_unknown").outcomes == [
        "event", "event", "event", "malformed_payload", "ignored bot_internal", "event", "event",
      ])
    #expect(try dialogflow("triggered").messages.map(\.authorKind) == [.bot])
  }

  @Test("Nobody speaks in our name without a word for them")
  func unattested() throws {
    #expect(try rasa("not_attested").outcomes == ["malformed_payload"])
    #expect(try dialogflow("not_attested").outcomes == ["malformed_payload"])
    #expect(try dialogflow("no_session").outcomes == ["malformed_payload"])
  }
}
