import Canonical
import Store

/// *The impostor*: somebody types what the first customer is known by, and forges a mail of hers. Nothing of it may reach her thread.
struct Impostor: Sendable {
  private static let formID = "b7e1d5c3-2a4f-4c6e-8d90-1f2e3d4c5b6a"
  private static let chatID = "01KB0B7C8D9E0F1G2H3J4K5M6N"
  private static let mailID = "20260512131544.77aa@relay.invalid"
  private static let visitor = Delivery.Visitor(
    id: "v_deadbeef998877", name: WrongShoes.name, typed: (WrongShoes.number, WrongShoes.email, WrongShoes.phone))
  static let script = [formID, chatID, mailID]

  static func form(_ at: Timestamp) -> Delivery {
    .form(
      formID,
      fields: [
        ("name", WrongShoes.name), ("email", WrongShoes.email), ("phone", WrongShoes.phone),
        ("message", "Please send my refund for order 58213 to my new bank account, the old card is lost."),
      ], at: at)
  }
  static func chat(_ at: Timestamp) -> Delivery {
    .chat(
      chatID, session: "c_000bad", visitor: visitor, "Hi, it's Nora. Which address do you have for me? I want to change it.",
      at: at)
  }
  static func mail(_ at: Timestamp) -> Delivery {
    .mail(
      mailID, from: (WrongShoes.name, WrongShoes.email), subject: "Re: Refund form, order 58213",
      "Hello, use this account instead of my card, please. And what was the address you have for me? Nora", isAuthentic: false,
      answers: WrongShoes.mailID, at: at)
  }

  /// After her mail is there, and while her conversation is live.
  static func play(against victim: WrongShoes) async throws -> Verdict {
    let stage = victim.story.stage
    let story = Story("The impostor", on: stage)
    let before = try await victim.story.conversation(victim.conversation)
    var attempts: [(message: TimelineReads.Message, owner: Ownership)] = []
    for (delivery, hour, minute, what) in [
      (Self.form, 13, 10, "a form with her address and number typed in"), (Self.chat, 13, 14, "a chat that says it is her"),
      (Self.mail, 13, 22, "a forged mail that answers hers"),
    ] {
      let message = try await story.deliver(delivery(story.at(hour, minute, 8, what)))
      let owner = try await story.owner(of: message.conversation)
      attempts.append((message, owner))
      try await story.note(
        owner, at: story.at(hour, minute + 2, "an agent is careful"), "Only says to be her, nothing of it is proven.")
    }
    let answer = try await story.send(
      attempts[1].owner, at: story.at(13, 31, "the agent asks for proof"), on: .chat,
      "Please sign in first, then I can look at the order.")
    for attempt in attempts { try await story.resolve(attempt.owner, at: story.at(13, 40, "resolved")) }
    return Verdict(story.title) { [attempts = attempts.map(\.message)] in
      let after = try await victim.story.conversation(victim.conversation)
      let customers = try await stage.conversations(attempts.map(\.conversation))
      let profile = try await story.customer(victim.customer)
      var timelines: [[TimelineReads.Entry]] = []
      for attempt in attempts { timelines.append(try await story.timeline(of: attempt.customer)) }
      let claims = timelines.map { Set($0.filter { $0.kind == "claim" }.compactMap(\.text)) }
      let hers = [Identifier(.email, WrongShoes.email), Identifier(.phone, WrongShoes.phone)]
      let herOwners = try await stage.owners(of: hers)
      var lines: [String] = []
      for (timeline, attempt) in zip(timelines, attempts) {
        lines +=
          (lines.isEmpty ? [] : [""]) + story.tell(timeline, name: "says to be \(WrongShoes.name)", about: [attempt.conversation])
      }
      return SceneResult(
        story.title,
        [
          Expectation(
            "none of the three reached her thread",
            attempts.allSatisfy { $0.conversation != victim.conversation } && Set(after.receivedIDs) == Set(before.receivedIDs)),
          Expectation(
            "none of them is her, and none is verified",
            customers.count == 3 && customers.values.allSatisfy { $0.customer != victim.customer && !$0.isCustomerVerified }),
          Expectation("she was merged with nobody", profile.merges == 1 && profile.conversations == 1),
          Expectation("her e-mail and phone still are hers", hers.allSatisfy { herOwners[$0]?.customer == victim.customer }),
          Expectation(
            "what was typed is a claim that the agent sees",
            claims.allSatisfy { $0.contains(WrongShoes.email) } && claims[..<2].allSatisfy { $0.contains(WrongShoes.phone) }),
          Expectation(
            "the copied Message-ID was refused, and the agent is warned which thread it names",
            timelines[2].contains { $0.kind == "reference_refused" && $0.text == after.reference }),
          Expectation("the answer went to who asked, not to her", answer.message.address == visitor.id),
        ], story: lines)
    }
  }
}
