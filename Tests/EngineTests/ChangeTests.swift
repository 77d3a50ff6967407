import Canonical
import Testing

@testable import Engine

/// What happens to messages after they were written, and to customers beside their messages.
@Suite struct ChangeTests {
  private let ana = [whatsapp("ana")]
  private let bob = [whatsapp("bob")]

  private func edit(
    _ id: String, of target: String, at time: Timestamp, by customer: [StatedIdentifier], _ text: String = "new",
    author: AuthorKind? = .customer, isAttested: Bool = true
  ) -> Event {
    change(id, "edit", of: target, at: time, from: customer) { change in
      (change.authorKind, change.text, change.isAttested) = (author, text, isAttested)
    }
  }

  private func texts(_ store: ModelStore, _ message: String) -> [String] {
    store.row(message).map { store.changes[InTenant($0.tenant, $0.id)] ?? [] }?.flatMap(\.edits).compactMap(\.text) ?? []
  }

  // MARK: - Whose it is

  @Test("An edit by its author changes the message, counts as a version and is told; it opens nothing")
  func edits() throws {
    var store = try ModelStore(message("1", from: ana, at: hour(1)), edit("e", of: "1", at: hour(2), by: ana))
    #expect(store.outcomes == [[.stored], [.stored]] && texts(store, "1") == ["new"] && store.parked.isEmpty)
    #expect(
      store.events(about: "1") == ["1 opened", "2 message_added", "3 message_edited"] && store.conversation("1")?.version == 3)
    store.set(.resolved, try #require(store.conversation("1")).id, at: hour(3))
    try store.receive(edit("f", of: "1", at: hour(4), by: ana, "newer"))
    #expect(store.conversation("1")?.status == .resolved && texts(store, "1") == ["new", "newer"])
  }

  @Test(
    "Nobody changes what somebody else has written",
    arguments: [
      ("another visitor", [cookie("bob")], AuthorKind.customer, true, false),
      ("no author, another visitor", [cookie("bob")], nil, true, false),
      ("a customer, of what we wrote", [cookie("ana")], .customer, true, true),
      ("us, and nobody vouches for it", [cookie("ana")], .agent, false, true),
      ("another kind of the same value", [email("ana")], .customer, true, false),
      ("the visitor as a claim", [StatedIdentifier(cookie("ana").identifier, .a0)], .customer, false, false),
    ])
  func strangers(
    _ who: String, customer: [StatedIdentifier], author: AuthorKind?, isAttested: Bool, isOurs: Bool
  ) throws {
    let ana = [cookie("ana")]
    let first =
      isOurs
      ? echo("1", to: ana, at: hour(1), on: .chat) : message("1", from: ana + [email("ana@example.org")], at: hour(1), on: .chat)
    for kind in ["edit", "delete"] {
      let store = try ModelStore(
        first,
        change("c", kind, of: "1", at: hour(2), from: customer, on: .chat) { change in
          (change.authorKind, change.text, change.isAttested) = (author, "gone", isAttested)
        })
      #expect(store.outcomes.last == [.ignored(reason: "refused_not_author")] && store.changes.isEmpty)
    }
  }

  @Test("23: our side takes back what customers wrote, and rewrites it never; a provider knows who did what")
  func redactions() throws {
    var store = try ModelStore(message("1", from: ana, at: hour(1)), edit("e", of: "1", at: hour(2), by: ana, author: .agent))
    #expect(store.outcomes.last == [.ignored(reason: "refused_not_author")])
    // Known by another id of theirs.
    try store.receive(edit("f", of: "1", at: hour(2), by: [whatsapp("ES.1")]))
    #expect(texts(store, "1") == ["new"])
    try store.receive(change("d", "delete", of: "1", at: hour(3)) { $0.authorKind = .agent })
    #expect(store.outcomes.last == [.stored])
  }

  @Test("Who is known by nothing but a claim is held to no more than that")
  func claims() throws {
    let claimed = [whatsapp("ana", .a0)]
    let store = try ModelStore(
      message("1", from: claimed, at: hour(1)), edit("e", of: "1", at: hour(2), by: claimed, isAttested: false))
    #expect(texts(store, "1") == ["new"])
  }

  @Test("We change what we wrote, and the provider's word is enough where it does not say whose it is")
  func ours() throws {
    var store = try ModelStore(
      echo("1", to: ana, at: hour(1)), edit("e", of: "1", at: hour(2), by: ana, author: .agent),
      message("2", from: ana, at: hour(3)), change("d", "delete", of: "2", at: hour(4)))
    #expect(texts(store, "1") == ["new"] && store.outcomes.last == [.stored])
    try store.receive(change("f", "delete", of: "1", at: hour(5)) { $0.isAttested = false })
    #expect(store.outcomes.last == [.ignored(reason: "refused_not_author")])
  }

  // MARK: - Order of arrival

  @Test("An older edit changes nothing, nothing changes what is deleted, and a deletion takes all with it")
  func superseded() throws {
    var store = try ModelStore(
      message("1", from: ana, at: hour(1)), edit("b", of: "1", at: hour(3), by: ana, "second"),
      edit("a", of: "1", at: hour(2), by: ana, "first"))
    #expect(store.outcomes.last == [.ignored(reason: "superseded")] && texts(store, "1") == ["second"])
    try store.receive(change("d", "delete", of: "1", at: hour(4), from: ana) { $0.authorKind = .customer })
    try store.receive(edit("c", of: "1", at: hour(5), by: ana), change("d2", "delete", of: "1", at: hour(6), from: ana))
    #expect(store.outcomes.suffix(2) == [[.ignored(reason: "superseded")], [.ignored(reason: "superseded")]])
    let deletion = try #require(store.changes.values.flatMap { $0 }.last)
    #expect(deletion.deletion?.by == .customer && deletion.losesAttachments && deletion.edits.isEmpty)
    #expect(store.events(about: "1").suffix(2) == ["3 message_edited", "4 message_deleted"])
  }

  @Test("What comes before its message waits for it, in one batch and in two, and is then applied in its order")
  func waiting() throws {
    let events = [
      edit("a", of: "1", at: hour(2), by: ana, "first"), edit("b", of: "1", at: hour(3), by: bob, "forged", isAttested: false),
      edit("c", of: "1", at: hour(4), by: ana, "second"), message("1", from: ana, at: hour(1)),
    ]
    var apart = ModelStore()
    for event in events { try apart.receive(event) }
    var together = ModelStore()
    try together.commit([record(events.map { .event($0) })])
    for store in [apart, together] {
      #expect(store.outcomes.flatMap { $0 } == [.parked, .parked, .parked, .stored])
      #expect(store.parked.isEmpty && texts(store, "1") == ["first", "second"])
      #expect(store.events(about: "1") == ["1 opened", "2 message_added", "3 message_edited", "4 message_edited"])
    }
  }

  @Test("A reply that refers to a message before it is here is no obstacle to what waits for it")
  func hearsay() throws {
    let store = try ModelStore(
      message("2", from: ana, at: hour(3), to: ["1"]), edit("a", of: "1", at: hour(2), by: ana),
      message("1", from: ana, at: hour(1)))
    #expect(store.outcomes == [[.stored], [.parked], [.stored]] && texts(store, "1") == ["new"] && store.parked.isEmpty)
  }

  // MARK: - Reactions, receipts, calls

  @Test("A reaction is one a person, and the newest word holds; where there may be several each is for itself")
  func reactions() throws {
    func react(_ id: String, _ reaction: String?, at time: Timestamp, on channel: Channel) -> Event {
      change(id, "reaction", of: "1", at: time, from: ana, on: channel) { change in
        (change.reaction, change.status) = (reaction, reaction == nil ? "remove" : "add")
      }
    }
    let single = try ModelStore(
      message("1", from: ana, at: hour(1)), react("a", "+1", at: hour(2), on: .whatsapp),
      react("b", "<3", at: hour(4), on: .whatsapp),
      react("c", "+1", at: hour(3), on: .whatsapp))
    #expect(single.reactions.map(\.value.reaction) == ["<3"] && single.events(about: "1").count == 2)
    let several = try ModelStore(
      message("1", from: ana, at: hour(1)), react("a", "+1", at: hour(2), on: .slack), react("b", "<3", at: hour(4), on: .slack))
    #expect(Set(several.reactions.map(\.value.reaction)) == ["+1", "<3"])
  }

  @Test("9: receipts come in any order, what is further on its way stays, and failure is told once")
  func receipts() throws {
    func receipt(_ id: String, _ status: String, at time: Timestamp) -> Event {
      change(id, "receipt", of: "1", at: time, from: ana) {
        ($0.status, $0.error) = (status, status == "failed" ? "131026" : nil)
      }
    }
    var store = try ModelStore(
      echo("1", to: ana, at: hour(1)), receipt("r", "read", at: hour(4)), receipt("d", "delivered", at: hour(3)),
      receipt("s", "sent", at: hour(2)))
    #expect(store.row("1")?.deliveryStatus == "read" && Set(store.receipts.keys.map(\.status)) == ["sent", "delivered", "read"])
    store = try ModelStore(
      echo("1", to: ana, at: hour(1)), receipt("f", "failed", at: hour(2)), receipt("g", "failed", at: hour(3)))
    #expect(store.row("1")?.deliveryError == "131026" && store.events(about: "1").last == "3 delivery_failed")
    store = try ModelStore(message("1", from: ana, at: hour(1)), receipt("r", "read", at: hour(4)))
    #expect(store.outcomes.last == [.ignored(reason: "receipt_without_use")])
  }

  @Test("9: a watermark is of everything that was sent up to then, and never goes back")
  func watermarks() throws {
    func read(_ id: String, upTo time: Timestamp) -> Event {
      change(id, "receipt", of: nil, at: time, from: ana) { ($0.status, $0.upTo) = ("read", time) }
    }
    let store = try ModelStore(echo("1", to: ana, at: hour(1)), read("b", upTo: hour(3)), read("a", upTo: hour(2)))
    #expect(store.outcomes.suffix(2) == [[.stored], [.stored]] && store.watermarks.map(\.value) == [hour(3)])
    #expect(store.watermarks.keys.first?.address.address == store.row("1")?.address)
  }

  @Test("24: recording and transcript come to the call, whenever they come")
  func calls() throws {
    let recording = change("r", "call", of: "1", at: hour(2), from: ana) { change in
      change.attachments = [Attachment(kind: "audio", providerID: "RE1")]
      change.details = JSONText(utf8: Array(#"{"part":"recording"}"#.utf8))
    }
    let transcript = change("t", "call", of: "1", at: hour(3), from: ana) { $0.text = "Where is my order?" }
    for events in [
      [recording, transcript, message("1", from: ana, at: hour(1))],
      [message("1", from: ana, at: hour(1)), recording, transcript],
    ] {
      var store = ModelStore()
      for event in events { try store.receive(event) }
      let done = store.changes.values.flatMap { $0 }
      #expect(done.compactMap(\.transcript) == ["Where is my order?"] && store.parked.isEmpty)
      #expect(done.flatMap(\.attachments).map(\.string) == [#"[{"kind":"audio","provider_id":"RE1"}]"#])
      #expect(
        done.flatMap(\.parts).map(\.string) == [
          #"{"at":"2026-01-01T02:00:00.000000Z","details":{"part":"recording"}}"#,
          #"{"at":"2026-01-01T03:00:00.000000Z","text":"Where is my order?"}"#,
        ])
    }
  }

  @Test("11: the pictures of an album and the pieces of a text are one message, in whatever order they come")
  func pieces() throws {
    func piece(_ id: String, _ number: Int64?, at time: Timestamp, from customer: [StatedIdentifier]) -> Event {
      var event = message(id, from: customer, at: time)
      guard case .message(var message) = event.body else { return event }
      (message.part, message.text) = (Part(of: ReferenceKey(hash("w")), number: number), id)
      message.attachments = number == nil ? [Attachment(kind: "image", providerID: id)] : []
      message.names.append(ReferenceKey(hash("w")))
      event.body = .message(message)
      return event
    }
    let album = try ModelStore(
      piece("1", nil, at: hour(1), from: ana), piece("2", nil, at: hour(1), from: ana),
      // Who says so is not believed.
      piece("x", nil, at: hour(1), from: bob), edit("e", of: "2", at: hour(2), by: ana))
    #expect(album.messages.map(\.message.externalID) == ["1", "x"] && album.conversations.count == 2)
    #expect(album.changes.values.flatMap { $0 }.flatMap(\.attachments).count == 1 && texts(album, "1") == ["new"])
    var shorter = album
    try shorter.receive(change("d", "delete", of: "2", at: hour(3), from: ana))
    #expect(shorter.changes.values.flatMap { $0 }.flatMap(\.removedPieces) == ["2"] && shorter.row("1")?.deletedAt == nil)
    #expect(shorter.changes.values.flatMap { $0 }.allSatisfy { $0.deletion == nil })
    let long = try ModelStore(
      piece("b", 2, at: hour(1), from: ana), piece("a", 1, at: hour(1), from: ana),
      // The number comes again after a while.
      piece("c", 1, at: hour(5), from: ana))
    #expect(long.messages.map(\.message.externalID) == ["b", "c"])
    #expect(long.changes.values.flatMap { $0 }.map(\.pieces) == [[1: "a"]])
  }

  @Test("What another desk says of its ticket is shown in the conversation, and waits for its first message")
  func ticketState() throws {
    let solved = change("s", "conversation_state", of: "t1", at: hour(2), on: .ticket) { $0.status = "solved" }
    let opened = message("1", from: ana, at: hour(1), on: .ticket, session: "t1")
    for events in [[opened, solved], [solved, opened]] {
      var store = ModelStore()
      for event in events { try store.receive(event) }
      let note = try #require(store.messages.last)
      #expect(note.message.direction == .internal && note.message.authorKind == .system && store.parked.isEmpty)
      #expect(note.message.details.string == #"{"state":"solved"}"# && note.conversation == store.conversation("1")?.id)
    }
  }

  // MARK: - Customers

  @Test("4: whoever has another number is the same customer, and whoever has the old one now is not")
  func newNumber() throws {
    let (old, new) = (whatsapp("34600111222"), whatsapp("34600999888"))
    let changed = change("c", "identity_change", of: nil, at: hour(2), from: [old, new]) { $0.former = [old.identifier] }
    let store = try ModelStore(
      message("1", from: [old], at: hour(1)), changed, message("2", from: [new], at: hour(3)),
      message("3", from: [old], at: hour(4)))
    #expect(store.customer("1") == store.customer("2") && store.customer("3") != store.customer("1"))
    #expect(
      store.customerEvents.map(\.kind) == ["identity_change"] && store.customerEvents.first?.customer == store.customer("1"))
    // In one batch as well.
    var together = ModelStore()
    try together.commit([
      record([.event(message("1", from: [old], at: hour(1)))]), record([.event(changed)], offset: 1),
      record([.event(message("3", from: [old], at: hour(4)))], offset: 2),
    ])
    #expect(together.customer("3") != together.customer("1"))
  }

  @Test("Consent is kept by address; a word about nobody makes no customer")
  func consent() throws {
    func say(_ id: String, _ status: String, at time: Timestamp, _ who: [StatedIdentifier]) -> Event {
      change(id, "consent", of: nil, at: time, from: who) { $0.status = status }
    }
    let store = try ModelStore(
      message("1", from: ana, at: hour(1)), say("b", "opt_out", at: hour(3), ana), say("a", "opt_in", at: hour(2), ana),
      say("c", "opt_out", at: hour(4), bob))
    #expect(store.consents.filter { $0.key.address == "ana" }.map(\.value.isGiven) == [false])
    #expect(store.customers.count == 1 && store.customerEvents.count == 2 && store.outcomes.last == [.stored])
  }

  @Test("Whether an answer goes out does not depend on how batches are cut")
  func consentAndReply() throws {
    func say(_ id: String, _ status: String, at time: Timestamp) -> Event {
      change(id, "consent", of: nil, at: time, from: ana) { $0.status = status }
    }
    for words in [["opt_out", "opt_in"], ["opt_out"]] {
      for isTogether in [false, true] {
        var store = try ModelStore(message("1", from: ana, at: hour(1)))
        let conversation = try #require(store.conversation("1")).id
        var action = Action(kind: .reply, id: "a", conversation: conversation, agent: "ag")
        action.text = "Hello"
        var reply = message("r", from: [], at: hour(9), on: .desk, account: "desk")
        reply.body = .action(action)
        var events = words.enumerated().map { say("c\($0.offset)", $0.element, at: hour(Double(2 + $0.offset))) } + [reply]
        // A word that comes late says nothing new.
        events.insert(say("late", "opt_out", at: hour(1.5)), at: words.count)
        if isTogether {
          try store.commit([record(events.map { .event($0) })])
        } else {
          for event in events { try store.receive(event) }
        }
        let isSent = store.events.contains { $0.topic == "outbound.whatsapp" }
        #expect(isSent == (words.last == "opt_in"))
      }
    }
  }

  @Test("What was said in a session before it is known has a name by then, and what waited for that name as well")
  func saidBeforeTheSession() throws {
    let comment = change("s", Change.said, of: "t1", at: hour(2), on: .ticket) { change in
      (change.text, change.authorKind, change.name, change.targetExternalID) = (
        "On its way.", .agent, ReferenceKey(hash("n1")), "n1"
      )
    }
    let edited = change("e", "edit", of: "n1", at: hour(3), on: .ticket) { ($0.text, $0.authorKind) = ("Delivered.", .agent) }
    let opened = message("1", from: ana, at: hour(1), on: .ticket, session: "t1")
    var apart = ModelStore()
    for event in [comment, edited, opened] { try apart.receive(event) }
    var together = ModelStore()
    try together.commit([record([comment, edited, opened].map { .event($0) })])
    for store in [apart, together] {
      #expect(
        store.messages.map(\.message.externalID) == ["1", "n1"] && store.parked.isEmpty && texts(store, "n1") == ["Delivered."])
    }
  }

  @Test("A link of ours leads to its conversation before anything was said")
  func startedByLink() throws {
    var store = try ModelStore(message("1", from: ana, at: hour(1)))
    let conversation = try #require(store.conversation("1"))
    let started = change("s", "conversation_state", of: "chat1", at: hour(2), from: [cookie("v")], on: .chat) { change in
      (change.continuation, change.isAttested) = (conversation.id, false)
    }
    try store.receive(started, message("2", from: [cookie("v")], at: hour(3), on: .chat, session: "chat1"))
    #expect(store.conversation("2")?.id == conversation.id && store.customer("2") == store.customer("1"))
  }

  @Test("A bot that asked for a human before the session was known by a link is heard")
  func handoffBeforeLink() throws {
    var store = try ModelStore(message("1", from: ana, at: hour(1)))
    let conversation = try #require(store.conversation("1"))
    try store.receive(change("h", Change.handoff, of: "chat1", at: hour(2), on: .bot))
    let started = change("s", "conversation_state", of: "chat1", at: hour(3), from: [cookie("v")], on: .chat) { change in
      (change.continuation, change.isAttested) = (conversation.id, false)
    }
    try store.receive(started)
    #expect(store.conversation("1")?.handoff != nil && store.parked.isEmpty)
  }

  @Test("A message that comes late does not open what its sender has closed")
  func lateMessageAndConsent() throws {
    for isTogether in [false, true] {
      var store = try ModelStore(
        message("1", from: ana, at: hour(1)), change("c", "consent", of: nil, at: hour(5), from: ana) { $0.status = "opt_out" })
      var action = Action(kind: .reply, id: "a", conversation: try #require(store.conversation("1")).id, agent: "ag")
      action.text = "Hello"
      var reply = message("r", from: [], at: hour(9), on: .desk, account: "desk")
      reply.body = .action(action)
      let late = message("2", from: ana, at: hour(4))
      if isTogether { try store.commit([record([.event(late), .event(reply)])]) } else { try store.receive(late, reply) }
      #expect(!store.events.contains { $0.topic == "outbound.whatsapp" })
    }
  }

  @Test("How far an echo came is told of the message that stays")
  func echoAndResult() throws {
    var store = try ModelStore(message("1", from: ana, at: hour(1)))
    var action = Action(kind: .reply, id: "a", conversation: try #require(store.conversation("1")).id, agent: "ag")
    action.text = "Hello"
    var reply = message("r", from: [], at: hour(2), on: .desk, account: "desk")
    reply.body = .action(action)
    try store.receive(reply, echo("w", to: ana, at: hour(3)))
    try store.receive(change("d", "receipt", of: "w", at: hour(4), from: ana) { $0.status = "delivered" })
    let sent = try #require(store.messages.first { $0.message.text == "Hello" })
    var result = message("x", from: [], at: hour(5))
    result.body = .result(
      SendResult(message: sent.id, externalID: "w", names: [ReferenceKey(hash("w"))], status: "sent", error: nil))
    try store.receive(result, change("e", "receipt", of: "w", at: hour(6), from: ana) { $0.status = "read" })
    let rows = store.messages.filter { $0.message.externalID == "w" }
    #expect(rows.first { $0.id == sent.id }?.deliveryStatus == "read" && rows.count { $0.deletedAt != nil } == 1)
  }

  @Test("An order enriches its customer; of two versions the newer holds, whatever their order")
  func orders() throws {
    func placed(_ id: String, _ status: String, at time: Timestamp, _ who: [StatedIdentifier]) -> Event {
      var event = contact(id, [], at: time)
      var order = Order(
        externalID: "1004", number: "#1004", status: status, updatedAt: time, customer: who, customerName: "Ana")
      order.isAttested = id != "forged"
      event.body = .order(order)
      return event
    }
    let store = try ModelStore(
      message("1", from: [email("ana@example.org")], at: hour(1), on: .email),
      placed("b", "paid", at: hour(3), [email("ana@example.org")]),
      placed("a", "pending", at: hour(2), [email("ana@example.org")]),
      placed("c", "cancelled", at: hour(4), [email("ana@example.org")]),
      placed("forged", "free", at: hour(5), [email("ana@example.org")]))
    #expect(store.outcomes.last == [.ignored(reason: "not_vouched_for")])
    #expect(store.orders.map(\.value.order.status) == ["cancelled"])
    #expect(
      store.orders.first?.value.customer == store.customer("1") && store.profile(email("ana@example.org"))?.displayName == "Ana")
    #expect(store.conversations.count == 1)
  }

  @Test("An answer to a survey is about the conversation that a token or the customer's own session names")
  func surveys() throws {
    func answer(_ id: String, _ who: [StatedIdentifier], conversation: ID? = nil, session: String? = nil, at time: Timestamp)
      -> Event
    {
      var event = contact(id, [], at: time)
      event.body = .survey(
        SurveyResponse(
          externalID: id, metric: "csat", score: "0", updatedAt: time, customer: who, conversation: conversation,
          session: session.map { ReferenceKey(hash($0)) }))
      return event
    }
    var store = try ModelStore(message("1", from: ana, at: hour(1), session: "s1"))
    let conversation = try #require(store.conversation("1")).id
    try store.receive(
      answer("a", [], conversation: conversation, at: hour(2)), answer("b", ana, session: "s1", at: hour(2)),
      answer("c", bob, session: "s1", at: hour(2)), answer("d", [], at: hour(2)))
    let found = Dictionary(uniqueKeysWithValues: store.surveys.map { ($0.key.externalID, $0.value) })
    #expect(found["a"]?.conversation == conversation && found["a"]?.customer == store.customer("1"))
    #expect(found["b"]?.conversation == conversation && found["c"]?.conversation == nil && found["c"]?.customer != nil)
    #expect(found["d"] == nil && store.conversations.count == 1)
  }
}
