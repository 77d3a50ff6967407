import Canonical
import Store

/// *The wrong shoes*: Messenger, a call and a mail of one customer, known by the phone number that she shares.
struct WrongShoes: Sendable {
  static let name = "Nora Whitlock"
  static let number = "C-2041"
  static let email = "nora.whitlock@mail.example"
  static let phone = "+447700900417"
  static let text = "My heliotrope boots came today and both of them are left shoes. I need a proper pair by Saturday."
  static let mailID = "CAF7nW-refund-58213@mail.example"
  private static let user = "7488123059941207"
  private static let firstID = "m_Zk3bQ1vXc7LpNwYt5RsHdGfJ2aKe9MuT"
  private static let sharedID = "m_Bq8dW4yTj6VnRxEs1UoPzLhC5gIk3FmA"
  private static let callID = "CA41f0c2be98d7431c8d5a60f2a9b7e813"
  static let script = [firstID, sharedID, callID, mailID]

  let story: Story
  private(set) var customer = ID(Bytes16(high: 0, low: 0))
  private(set) var conversation = ID(Bytes16(high: 0, low: 0))
  private var owner: Ownership?
  private var wasStranger = false
  private var waitingSince: Timestamp?
  private var answerID = ""

  init(on stage: Stage) { story = Story("The wrong shoes", on: stage) }

  static func contact(_ day: Day) -> Delivery { .contact(number, name: name, email: email, phone: phone, at: day.at(6, 30)) }
  static func first(_ at: Timestamp) -> Delivery { .messenger(firstID, from: user, page: Shop.shoePage, text, at: at) }
  static func shared(_ at: Timestamp) -> Delivery {
    .messenger(sharedID, from: user, page: Shop.shoePage, phone, isShared: true, at: at)
  }
  static func call(_ at: Timestamp) -> Delivery { .call(callID, customer: phone, seconds: 252, at: at) }
  static func mail(_ at: Timestamp) -> Delivery {
    .mail(
      mailID, from: (name, email), subject: "Refund form, order 58213",
      "Hello Lena, here is the signed form. Please refund the boots to my card, I bought a pair elsewhere. Nora",
      attachment: "refund-form.pdf", at: at)
  }

  mutating func play() async throws {
    let day = story.stage.day
    customer = try await story.introduce(Self.contact(day), as: Self.number)
    let first = try await story.deliver(Self.first(story.at(8, 12, 5, "a message on Messenger")))
    conversation = first.conversation
    wasStranger = first.customer != customer
    try await story.stage.wait(until: "conversation in the queue") { [story, conversation] in
      !story.stage.events.events(about: conversation, "conversation.queued").isEmpty
    }
    try await story.deliver(Self.shared(story.at(8, 14, 40, "she shares her number by Messenger's own button")))
    _ = story.at(11, 30, "the first who knows shoes comes in")
    await story.stage.staff.set(DeskStaff.shoeExpert, to: .online)
    let owner = try await story.owner(of: conversation)
    self.owner = owner
    try await story.deliver(Self.call(story.at(11, 42, 10, "she calls")))
    waitingSince = try await story.conversation(conversation).waitingSince
    try await story.note(
      owner, at: story.at(11, 47, "the agent notes the call"), "On the phone: does not want another pair, wants her money back.")
    answerID = try await story.send(
      owner, at: story.at(11, 55, 30, "the agent answers on Messenger"), on: .messenger,
      "So sorry about the two left shoes. Please fill in the refund form and mail it to us, then it is done today."
    ).message.externalID
    try await story.deliver(Self.mail(story.at(12, 31, 2, "the refund form, by e-mail")))
    try await story.send(
      owner, at: story.at(12, 41, "the agent answers by e-mail"), on: .email, "Thank you, Nora. The refund is on its way.")
  }

  /// Later, when others have tried to be her.
  func close() async throws {
    guard let owner else { return }
    try await story.resolve(owner, at: story.at(14, 5, "resolved"))
  }

  var verdict: Verdict {
    Verdict(story.title) { [self] in
      let identifiers: [Identifier] = [
        Identifier(.externalID, Self.number), Identifier(.email, Self.email), Identifier(.phone, Self.phone),
        Identifier(.messenger, scope: Shop.shoePage, Self.user),
      ]
      let owners = try await story.stage.owners(of: identifiers)
      let messages = try await story.stage.stored(Self.script)
      let entries = try await story.timeline(of: customer)
      let profile = try await story.customer(customer)
      let state = try await story.conversation(conversation)
      let echoes = try await story.stage.stored([answerID])
      let assigned = entries.filter { $0.kind == "assigned" }
      let switches = story.switches(in: conversation)
      let nobody = try await story.decisions(about: conversation).first
      return SceneResult(
        story.title,
        [
          Expectation("nobody knew who wrote on Messenger before she shared her number", wasStranger),
          Expectation(
            "her customer number, e-mail, phone and Messenger id lead to one customer",
            identifiers.allSatisfy { owners[$0]?.customer == customer }),
          Expectation(
            "the number she shared made them one: one merge, by phone",
            profile.merges == 1 && entries.contains { $0.kind == "merged" && $0.text == "messenger, phone" }),
          Expectation(
            "one conversation holds the messages, the call and the mail",
            profile.conversations == 1 && messages.count == Self.script.count
              && messages.allSatisfy { $0.conversation == conversation }),
          Expectation(
            "no agent who knows shoes was there at first, and the router says so",
            nobody?.rule == "nobody" && nobody?.agent == nil && nobody?.queue == "shoes"),
          Expectation(
            "one agent had it all, and saw the message before the call",
            assigned.count == 1 && assigned.first?.subject == DeskStaff.shoeExpert),
          Expectation(
            "when she called, her waiting counted from her first message", waitingSince == story.stage.day.at(8, 12, 5)),
          Expectation(
            "the first answer is counted from there as well",
            state.openedAt == story.stage.day.at(8, 12, 5) && state.firstResponseAt == story.stage.day.at(11, 55, 30)),
          Expectation(
            "the agent was told of each change of channel",
            ["messenger>voice", "voice>messenger", "messenger>email"].allSatisfy(switches.contains)),
          Expectation(
            "the answer is there once, whatever Messenger echoed", echoes.count == 1 && echoes.first?.authorKind == "agent"),
        ], story: story.tell(entries, name: profile.name, about: [conversation]))
    }
  }
}
