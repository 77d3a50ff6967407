import Canonical
import Postgres
import Store

/// *The bot that gives up*: a case too hard for a bot goes to a human, and what the bot still says is refused.
enum BotGivesUp {
  static let bot = "helpbot"
  private static let visitor = Delivery.Visitor(id: "v_c0ffee12ab34cd", name: "Danielle Price")
  private static let session: Delivery.BotSession = (.chat, Shop.helpWidget, "c_9a41e7")
  private static let firstID = "01KB0A1B2C3D4E5F6G7H8J9K0M"
  private static let botID = "01KB0A2N3P4Q5R6S7T8V9W0X1Y"
  private static let secondID = "01KB0A3Z4A5B6C7D8E9F0G1H2J"
  private static let handoffID = "01KB0A4K5M6N7P8Q9R0S1T2V3W"
  private static let lateID = "01KB0A5X6Y7Z8A9B0C1D2E3F4G"
  private static let texts = (
    first: "I was charged twice for order 77120, and the refund from March never arrived either.",
    bot: "I can help with your order! Would you like to track order 77120?",
    second: "No. It is about two charges and an old refund, please let me talk to somebody.",
    late: "Did that answer your question?"
  )
  static let script = [firstID, secondID]

  static func first(_ at: Timestamp) -> Delivery {
    .chat(firstID, session: session.id, widget: session.account, visitor: visitor, texts.first, at: at)
  }
  static func answer(_ epoch: Int64, _ at: Timestamp) -> Delivery {
    .chat(botID, session: session.id, widget: session.account, visitor: visitor, texts.bot, bot: (bot, epoch), at: at)
  }
  static func second(_ at: Timestamp) -> Delivery {
    .chat(secondID, session: session.id, widget: session.account, visitor: visitor, texts.second, at: at)
  }
  static func handoff(_ epoch: Int64, _ at: Timestamp) -> Delivery {
    .handoff(
      bot, handoffID, in: session, visitor: visitor, epoch: epoch, reason: "low_confidence", intent: "billing.double_charge",
      language: "en",
      transcript: [
        (firstID, "customer", texts.first, at.advanced(by: .seconds(-90))),
        (botID, "bot", texts.bot, at.advanced(by: .seconds(-70))),
        (secondID, "customer", texts.second, at.advanced(by: .seconds(-30))),
      ], at: at)
  }
  static func late(_ epoch: Int64, _ at: Timestamp) -> Delivery {
    .chat(lateID, session: session.id, widget: session.account, visitor: visitor, texts.late, bot: (bot, epoch), at: at)
  }

  static func play(on stage: Stage) async throws -> Verdict {
    let story = Story("The bot that gives up", on: stage)
    let first = try await story.deliver(Self.first(story.at(13, 2, 10, "a chat that begins with the bot")))
    let conversation = first.conversation
    let epoch = try await stage.wait(for: "bot for the conversation") {
      stage.events.events(about: conversation, "conversation.assigned").first { $0.text("bot_id") == bot }?.number(
        "ownership_epoch")
    }
    try await story.deliver(answer(epoch, story.at(13, 2, 30, "the bot answers")))
    try await story.deliver(second(story.at(13, 3, 10, "that was not the question")))
    try await stage.publisher.publish(handoff(epoch, story.at(13, 3, 40, "the bot asks for a human")))
    let owner = try await story.owner(of: conversation)
    try await stage.publisher.publish(late(epoch, story.at(13, 4, 5, "the bot still says something")))
    let refusal = try await stage.wait(for: "refusal of what the bot said too late") { story.refusals(about: conversation).first }
    try await story.send(
      owner, at: story.at(13, 7, "a human answers"), on: .chat,
      "I have read it all. One of the two charges is reversed now, and the refund from March goes out today.")
    try await story.resolve(owner, at: story.at(13, 20, "resolved"))
    return Verdict(story.title) {
      let customer = try await story.conversation(conversation).customer
      let entries = try await story.timeline(of: customer)
      let tenant = stage.tenant
      let handoffs = try await stage.read { db throws(PostgresFault) in
        try TimelineReads.handoffs(in: conversation, tenant: tenant, on: db)
      }
      let assigned = entries.filter { $0.kind == "assigned" }
      let team = DeskStaff.members.first { $0.id == owner.agent }?.teams ?? []
      return SceneResult(
        story.title,
        [
          Expectation(
            "the conversation began with the bot", assigned.first?.authorKind == "bot" && assigned.first?.author == bot),
          Expectation("a human of the support team got it", assigned.last?.subject == owner.agent && team.contains("support")),
          Expectation(
            "with transcript, intent and language",
            handoffs.count == 1 && handoffs.first?.transcriptCount == 3 && handoffs.first?.intent == "billing.double_charge"
              && handoffs.first?.language == "en"),
          Expectation(
            "what the transcript repeats is there once",
            entries.count { $0.kind == "message" && [texts.first, texts.bot, texts.second].contains($0.text) } == 3),
          Expectation(
            "what the bot said after that was refused, with a clear event",
            refusal.text("kind") == "bot_message" && refusal.text("reason") == "stale_epoch" && refusal.text("bot_id") == bot),
          Expectation("and is not in the conversation", !entries.contains { $0.text == texts.late }),
        ], story: story.tell(entries, name: visitor.name, about: [conversation]))
    }
  }
}
