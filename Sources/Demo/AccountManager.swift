import Canonical
import Store

/// *The portal and the account manager*: a signed-in form, a mail and a scheduled call of a business customer.
enum AccountManager {
  private static let organization = Delivery.Organization(
    id: "ORG-77", name: "Brightwater Hotels", domain: "brightwater.example", accountManager: DeskStaff.accountManager)
  private static let number = "K-310"
  private static let name = "Elif Arslan"
  private static let email = "elif.arslan@brightwater.example"
  private static let phone = "+447700900535"
  private static let formID = "6d0c2f0e-6a5e-4a0e-9b4f-2f5a7f5b7a11"
  private static let mailID = "0f3b77a2.lamps@brightwater.example"
  private static let callID = "CA0c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f"
  static let script = [formID, mailID, callID]

  static func contact(_ day: Day) -> Delivery {
    .contact(number, name: name, email: email, phone: phone, organization: organization, at: day.at(6, 40))
  }
  static func ticket(_ at: Timestamp) -> Delivery {
    .form(
      formID, on: Shop.portal,
      fields: [
        ("subject", "40 desk lamps"),
        ("message", "We need 40 desk lamps for the new house in Leeds. What is our price for that?"),
      ],
      signedIn: (number, name, email), at: at)
  }
  static func mail(_ at: Timestamp) -> Delivery {
    .mail(
      mailID, from: (name, email), to: Shop.keyAccounts, subject: "Desk lamps for Leeds",
      "Dear Henrik, one more thing: could the lamps come in two deliveries? Shall we talk at three? Best, Elif", at: at)
  }
  static func call(_ at: Timestamp) -> Delivery { .call(callID, customer: phone, seconds: 1_094, at: at) }

  static func play(on stage: Stage) async throws -> Verdict {
    let story = Story("The portal and the account manager", on: stage)
    let customer = try await story.introduce(contact(stage.day), as: number)
    let ticket = try await story.deliver(Self.ticket(story.at(10, 2, 33, "a ticket in the portal, signed in")))
    let conversation = ticket.conversation
    let owner = try await story.owner(of: conversation)
    try await story.send(
      owner, at: story.at(10, 20, "the account manager answers"), on: .form, "Good morning Elif, I am working out your price.")
    let mail = try await story.deliver(Self.mail(story.at(10, 48, 9, "a mail to the account manager")))
    try await story.send(
      owner, at: story.at(10, 56, "he agrees on a call"), on: .email,
      "Two deliveries are fine. Call me at three, I have the offer by then.")
    let call = try await story.deliver(Self.call(story.at(15, 0, 20, "the call, as agreed")))
    try await story.note(owner, at: story.at(15, 22, "what was agreed"), "40 lamps at list price less 12 %, two deliveries.")
    try await story.resolve(owner, at: story.at(15, 25, "resolved"))
    return Verdict(story.title) {
      let profile = try await story.customer(customer)
      let entries = try await story.timeline(of: customer)
      let decisions = try await story.decisions(about: conversation)
      let switches = story.switches(in: conversation)
      let assigned = entries.filter { $0.kind == "assigned" }
      return SceneResult(
        story.title,
        [
          Expectation(
            "portal, mail and call are the CRM's customer, and one conversation",
            [ticket, mail, call].allSatisfy { $0.customer == customer && $0.conversation == conversation }
              && profile.conversations == 1),
          Expectation("nothing had to be merged", profile.merges == 0),
          Expectation(
            "the organization and its account manager are known",
            profile.organization == organization.name && profile.accountManager == DeskStaff.accountManager),
          Expectation(
            "the account manager had it, and nobody else",
            !assigned.isEmpty && assigned.allSatisfy { $0.subject == DeskStaff.accountManager }),
          Expectation(
            "because he is the account manager: the router says 'preferred'",
            decisions.contains { $0.rule == "preferred" && $0.agent == DeskStaff.accountManager && $0.isTaken }),
          Expectation(
            "he was told of each change of channel", ["form>email", "email>voice"].allSatisfy(switches.contains)),
        ], story: story.tell(entries, name: profile.name, about: [conversation]))
    }
  }
}
