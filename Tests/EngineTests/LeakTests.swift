import Canonical
import Testing

@testable import Engine

/// Nobody's words end up in somebody else's history, and nobody's history in front of somebody else.
@Suite struct LeakTests {
  @Test("Who signs in on somebody else's browser is never in their thread, however often")
  func sharedBrowser() throws {
    let store = try ModelStore(
      message("ana", from: [cookie("c"), number("1")], at: hour(1), on: .chat, account: "widget"),
      message("bob", from: [cookie("c"), number("2")], at: hour(2), on: .chat, account: "widget"),
      message("bob again", from: [cookie("c"), number("2")], at: hour(3), on: .chat, account: "widget"))
    #expect(store.customer("bob") != store.customer("ana"))
    #expect(
      store.customer("bob again") == store.customer("bob") && store.conversation("bob again")?.id == store.conversation("bob")?.id
    )
  }

  @Test("An agent's answer to an impostor stays with the impostor, though the true owner of the address has a thread")
  func answerToAnImpostor() throws {
    var answer = message(
      "answer", from: [email("ana@example.org")], at: hour(3), on: .email, account: "desk", to: ["forged"], direction: .outbound,
      author: .agent)
    let forged = message("forged", from: [email("ana@example.org", .a0)], at: hour(2), on: .email, account: "desk")
    let store = try ModelStore(
      message("true", from: [email("ana@example.org")], at: hour(1), on: .email, account: "desk"), forged, answer)
    #expect(store.conversation("answer")?.id == store.conversation("forged")?.id)
    #expect(store.customer("answer") == store.customer("forged") && store.customer("answer") != store.customer("true"))
    // Without the reference it goes to whoever has the address.
    answer = message(
      "unasked", from: [email("ana@example.org")], at: hour(4), on: .email, account: "desk", direction: .outbound, author: .agent)
    var later = store
    try later.receive(answer)
    #expect(later.customer("unasked") == later.customer("true"))
  }

  @Test("An outbound message that nobody vouches for reaches no thread by its reference")
  func forgedEcho() throws {
    let store = try ModelStore(
      message("true", from: [whatsapp("ana")], at: hour(1)),
      message("forged", from: [whatsapp("mallory", .a0)], at: hour(2), to: ["true"], direction: .outbound, author: .agent))
    #expect(store.conversation("forged")?.id != store.conversation("true")?.id)
    #expect(store.flags("forged") == ["reference_refused"])
  }

  @Test("Writing to an address vouches for nobody: the customer that it makes is a claim, and the answer threads with it")
  func recipientIsNoIdentity() throws {
    let store = try ModelStore(
      message(
        "out", from: [email("new@example.org")], at: hour(1), on: .email, account: "desk", direction: .outbound, author: .agent),
      message("in", from: [email("new@example.org", .a0)], at: hour(2), on: .email, account: "desk"))
    #expect(store.conversation("in")?.id == store.conversation("out")?.id)
    #expect(store.identities.keys.allSatisfy { $0.value.kind.isClaimed })
    #expect(store.customers.values.allSatisfy { !$0.profile.isVerified })
  }

  @Test("A contact that nobody vouches for changes no profile and no organization")
  func unattestedContact() throws {
    let acme = Organization(externalID: "acme", name: "Acme", accountManager: "agent-1")
    let forged = Organization(externalID: "acme", name: "Mine", accountManager: "agent-9")
    let store = try ModelStore(
      contact("1", [number("7")], at: hour(1), name: "Ana", organization: acme),
      contact("2", [number("7", .a0)], at: hour(2), name: "Mallory", organization: forged, traits: ["tier": "gold"]))
    #expect(store.customers.values.filter { $0.profile.displayName == "Mallory" || !$0.profile.traits.isEmpty }.isEmpty)
    #expect(store.organizations.values.map(\.organization) == [acme])
  }
}
