import Canonical
import Store

/// *Social to chat to phone*: a signed link takes an Instagram message to the chat, and the chat to a call.
enum SocialToPhone {
  private static let user = "1029384756102938"
  private static let firstID = "aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOjE3ODQxNDA1ODIyMzA0OTE0Ojks"
  private static let visitor = Delivery.Visitor(id: "v_7b1c9e0d4f2a48", name: "Kofi")
  private static let session = "c_5e2f81"
  private static let chatID = "01KAZV6Q3T8Y2M4N5P6R7S8T9V"
  private static let callMeID = "01KAZVB8R4W6X7Y8Z9A0B1C2D3"
  private static let callID = "CA7d20b1e4c95f4a6f8e3b2c1d0a9f8e7d"
  private static let phone = "+447700900823"
  static let script = [firstID, chatID, callMeID, callID]

  static func first(_ at: Timestamp) -> Delivery {
    .instagram(
      firstID, from: user, "Is the oak side table from your story also available in walnut? I need it by the 20th.", at: at)
  }
  static func opens(_ token: String, _ at: Timestamp) -> Delivery {
    .chat(
      chatID, session: session, visitor: visitor,
      "Hi, it's me from Instagram. The walnut one, with the drawer on the left, please.",
      continuation: token, at: at)
  }
  static func callMe(_ at: Timestamp) -> Delivery {
    .chat(callMeID, session: session, visitor: visitor, "This is easier by phone. Could you call me on 07700 900823?", at: at)
  }
  static func call(_ token: String, _ at: Timestamp) -> Delivery {
    .call(callID, customer: phone, isOutbound: true, seconds: 372, token: token, at: at)
  }

  static func play(on stage: Stage) async throws -> Verdict {
    let story = Story("Social to chat to phone", on: stage)
    let first = try await story.deliver(Self.first(story.at(9, 5, 12, "a message on Instagram")))
    let conversation = first.conversation
    let owner = try await story.owner(of: conversation)
    let invitation = try await story.send(
      owner, at: story.at(9, 9, "the agent invites to the chat"), on: .chat, isInvitation: true,
      "Yes, we make it in walnut. Open this chat and we choose the details, your message stays with it.")
    guard let token = invitation.event.data["continuation"]?["token"]?.string else {
      throw Stage.Late(description: "no signed link in the invitation")
    }
    let chat = try await story.deliver(Self.opens(token, story.at(9, 16, 30, "the chat, opened with the link")))
    try await story.send(
      owner, at: story.at(9, 18, "the agent answers in the chat"), on: .chat, "Drawer on the left, in walnut: ready on the 18th.")
    try await story.deliver(Self.callMe(story.at(9, 21, "the customer wants to talk")))
    let call = try await story.deliver(Self.call(token, story.at(9, 30, 15, "the agent calls from the conversation")))
    try await story.note(owner, at: story.at(9, 38, "the agent notes what was agreed"), "Ordered: walnut, delivery on the 19th.")
    try await story.resolve(owner, at: story.at(9, 40, "resolved"))
    return Verdict(story.title) {
      let messages = try await stage.stored(script)
      let identifiers = [
        Identifier(.instagram, scope: Shop.instagram, user), Identifier(.visitor, scope: Shop.widget, visitor.id),
      ]
      let owners = try await stage.owners(of: identifiers)
      let customer = try await story.conversation(conversation).customer
      let entries = try await story.timeline(of: customer)
      let switches = story.switches(in: conversation)
      let phoneOwner = try await stage.owners(of: [Identifier(.phone, phone)])
      return SceneResult(
        story.title,
        [
          Expectation("the invitation went out on Instagram with a signed link", invitation.event.topic == "outbound.instagram"),
          Expectation(
            "message, chat and call are one conversation",
            messages.count == script.count && messages.allSatisfy { $0.conversation == conversation }),
          Expectation(
            "who opened the chat with the link is the customer from Instagram",
            identifiers.allSatisfy { owners[$0]?.customer == customer } && chat.customer == customer),
          Expectation(
            "the call carries the conversation's reference and is the agent's",
            call.conversation == conversation && call.authorKind == "agent"),
          Expectation("a number that we dialled proves nothing about whose it is", phoneOwner.isEmpty),
          Expectation("the link is stored nowhere", messages.allSatisfy { !$0.details.contains(token) }),
          Expectation(
            "the agent was told of each change of channel", ["instagram>chat", "chat>voice"].allSatisfy(switches.contains)),
          Expectation(
            "one agent had it from the first word to the call",
            Set(entries.filter { $0.kind == "assigned" }.map(\.author)).count == 1),
        ], story: story.tell(entries, name: entries.first { $0.authorKind == "customer" }?.author, about: [conversation]))
    }
  }
}
