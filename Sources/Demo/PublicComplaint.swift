import Canonical
import Store

/// *The public complaint*: a post that mentions the shop, then direct messages; the answer is private.
enum PublicComplaint {
  private static let user = XUser(id: "1911830471268974593", username: "leo_marchetti", name: "Leo Marchetti")
  private static let mentionID = "2053904411230098771"
  private static let directID = "2054904419985527040"
  static let script = [mentionID, directID]

  static func mention(_ at: Timestamp) -> Delivery {
    .mention(mentionID, from: user, "@shop third time that my parcel is 'out for delivery'. Is anybody reading this?", at: at)
  }
  static func direct(_ at: Timestamp) -> Delivery {
    .direct(directID, with: user, "It is order 60914, to 12 Quay Street. I have been at home for three days now.", at: at)
  }

  static func play(on stage: Stage) async throws -> Verdict {
    let story = Story("The public complaint", on: stage)
    let mention = try await story.deliver(Self.mention(story.at(16, 10, 44, "a post that mentions the shop")))
    let conversation = mention.conversation
    let owner = try await story.owner(of: conversation)
    let direct = try await story.deliver(Self.direct(story.at(16, 19, 2, "a direct message of the same user")))
    let answer = try await story.send(
      owner, at: story.at(16, 24, "the agent answers in private"), on: .x,
      "Found it: the driver has the wrong entrance. It comes today before six, and I watch it myself.")
    try await story.resolve(owner, at: story.at(17, 55, "resolved"))
    return Verdict(story.title) {
      let customer = try await story.conversation(conversation).customer
      let entries = try await story.timeline(of: customer)
      let echoes = try await stage.stored([answer.message.externalID])
      let profile = try await story.customer(customer)
      return SceneResult(
        story.title,
        [
          Expectation(
            "the post and the direct message are one conversation of one customer",
            direct.conversation == conversation && direct.customer == customer && profile.conversations == 1),
          Expectation(
            "the agent sees which was public and which private",
            mention.details.contains(#""visibility": "public""#) && !direct.details.contains(#""visibility""#)),
          Expectation(
            "the answer goes to the direct message",
            answer.event.text("in_reply_to") == directID && answer.event.text("visibility") == "private"),
          Expectation("and to nobody but its sender", answer.event.text("to") == user.id && answer.message.address == user.id),
          Expectation("it is there once, whatever X echoed", echoes.count == 1 && echoes.first?.authorKind == "agent"),
        ], story: story.tell(entries, name: user.name, about: [conversation]))
    }
  }
}
