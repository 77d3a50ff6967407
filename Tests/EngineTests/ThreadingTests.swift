import Canonical
import Testing

@testable import Engine

/// Which conversation a message belongs to: steps 1, 4, 5, 7, 8 and 9 of the cascade in identity-and-threading.md.
@Suite struct ThreadingTests {
  let ana = [whatsapp("ana")]
  let bob = [whatsapp("bob")]

  // MARK: - Step 1: duplicates

  @Test("The same delivery again is a duplicate, in the same batch or later, and changes nothing")
  func duplicate() throws {
    let first = NormalisedElement.event(message("1", from: ana, at: hour(1)))
    var store = ModelStore()
    try store.commit([record([first, first]), record([first])])
    let before = Snapshot(store).lines.dropLast()
    try store.commit([record([first])])
    #expect(store.outcomes == [[.stored, .duplicate], [.duplicate], [.duplicate]])
    #expect(Snapshot(store).lines.dropLast() == before && store.messages.count == 1)
  }

  @Test("The same key of another tenant is another delivery")
  func duplicateOfAnother() throws {
    let store = try ModelStore(
      message("1", from: ana, at: hour(1)), message("2", from: ana, at: hour(1), tenant: "rival", key: "1"))
    #expect(store.outcomes == [[.stored], [.stored]])
  }

  // MARK: - Step 4: references

  @Test("A reply joins the conversation of what it replies to, however long that was silent")
  func replyJoins() throws {
    let store = try ModelStore(
      message("1", from: ana, at: day(1)), message("2", from: ana, at: day(40), to: ["1"]),
      message("3", from: ana, at: day(80), named: [], session: "chat"))
    #expect(store.conversation("2")?.id == store.conversation("1")?.id)
    #expect(store.conversation("3")?.id != store.conversation("1")?.id, "what refers to nothing known does not")
  }

  @Test("The strongest reference that leads somewhere decides")
  func strongestReference() throws {
    let store = try ModelStore(
      message("1", from: ana, at: day(1)), message("2", from: ana, at: day(30)),
      message("3", from: ana, at: day(60), to: ["nowhere", "2", "1"]))
    #expect(store.conversation("3")?.id == store.conversation("2")?.id && store.conversations.count == 2 && store.links.isEmpty)
  }

  @Test("A session is a reference, and from then on a name of its conversation")
  func session() throws {
    let store = try ModelStore(
      message("1", from: ana, at: day(1), on: .chat, session: "chat"),
      message("2", from: ana, at: day(40), on: .chat, session: "chat"))
    #expect(store.conversation("1")?.id == store.conversation("2")?.id)
  }

  @Test("Any name of a message leads to it")
  func names() throws {
    let store = try ModelStore(
      message("1", from: ana, at: day(1), named: ["one", "eins"]), message("2", from: ana, at: day(40), to: ["eins"]))
    #expect(store.conversation("1")?.id == store.conversation("2")?.id)
  }

  // MARK: - Step 5: nobody reaches a history by knowing an id

  @Test("A reference to another customer's message is refused, linked and flagged")
  func forgedReference() throws {
    let store = try ModelStore(message("1", from: ana, at: hour(1)), message("2", from: bob, at: hour(2), to: ["1"]))
    #expect(store.conversation("2")?.id != store.conversation("1")?.id && store.customer("2") != store.customer("1"))
    #expect(store.flags("2") == ["reference_refused"] && store.isLinked("2", to: "1", "reference_refused"))
    #expect(store.links.count == 1 && store.conversation("1")?.version == 2, "the other conversation is not touched")
  }

  @Test("A refused session is no way in either, and stays its first conversation's name")
  func forgedSession() throws {
    let store = try ModelStore(
      message("1", from: ana, at: hour(1), session: "s"), message("2", from: bob, at: hour(2), session: "s"),
      message("3", from: ana, at: day(40), session: "s"))
    #expect(store.flags("2") == ["reference_refused"] && store.conversation("3")?.id == store.conversation("1")?.id)
  }

  @Test("A claim with the customer's own address is another customer: the reference is refused")
  func claimedReference() throws {
    let store = try ModelStore(
      message("1", from: [email("ana@example.org")], at: hour(1), on: .email, account: "desk"),
      message("2", from: [email("ana@example.org", .a0)], at: hour(2), on: .email, account: "desk", to: ["1"]))
    #expect(store.flags("2") == ["reference_refused"] && store.conversation("2")?.id != store.conversation("1")?.id)
  }

  @Test("A refused reference beside a good one does not spoil it")
  func refusedAndGood() throws {
    let store = try ModelStore(
      message("1", from: ana, at: day(1)), message("2", from: bob, at: day(2)),
      message("3", from: bob, at: day(40), to: ["1", "2"]))
    #expect(store.conversation("3")?.id == store.conversation("2")?.id && store.flags("3") == ["reference_refused"])
    #expect(store.isLinked("3", to: "1", "reference_refused"))
  }

  @Test("References stay inside the tenant")
  func referenceOfAnotherTenant() throws {
    let store = try ModelStore(
      message("1", from: ana, at: hour(1)), message("2", from: ana, at: hour(2), tenant: "rival", to: ["1"]))
    #expect(store.flags("2").isEmpty && store.links.isEmpty && store.references.count == 3)
  }

  // MARK: - Step 7

  @Test("A reference to what is over joins the live conversation, with a link")
  func referenceToEnded() throws {
    let store = try ModelStore(
      message("1", from: ana, at: day(1)), message("2", from: ana, at: day(20)), message("3", from: ana, at: day(21), to: ["1"]))
    #expect(store.conversation("1")?.status == .resolved && store.conversation("3")?.id == store.conversation("2")?.id)
    #expect(store.isLinked("3", to: "1", "reference_not_live") && store.flags("3").isEmpty)
    // Only a message without reference ends a conversation that is idle.
    let later = try ModelStore(
      message("1", from: ana, at: day(1)), message("2", from: ana, at: day(20)), message("3", from: ana, at: day(60), to: ["1"]))
    #expect(later.conversation("3")?.id == later.conversation("2")?.id)
  }

  // MARK: - Step 8

  @Test("The live conversation continues on whatever channel, and tells of the switch with both channels")
  func channelSwitch() throws {
    let everywhere = [whatsapp("ana"), email("ana@example.org")]
    let store = try ModelStore(
      message("1", from: everywhere, at: hour(1)), message("2", from: [everywhere[1]], at: hour(2), on: .email, account: "desk"),
      message("3", from: [everywhere[1]], at: hour(3), on: .email, account: "desk"))
    #expect(store.conversations.count == 1 && store.conversation("1")?.lastChannel == "email")
    #expect(
      store.events(about: "1") == ["1 opened", "2 message_added", "3 channel_switched", "4 message_added", "5 message_added"])
    let switched = try #require(store.events.first { $0.type == "conversation.channel_switched" })
    #expect(switched.data.string.contains(#""from":"whatsapp","to":"email""#))
  }

  @Test("A late message on another channel switches nothing")
  func lateOnAnotherChannel() throws {
    let everywhere = [whatsapp("ana"), email("ana@example.org")]
    let store = try ModelStore(
      message("1", from: everywhere, at: hour(1)), message("2", from: everywhere, at: hour(3)),
      message("3", from: [everywhere[1]], at: hour(2), received: hour(4), on: .email))
    #expect(store.conversation("3")?.lastChannel == "whatsapp" && store.conversation("3")?.lastMessageAt == hour(3))
    #expect(!store.events.contains { $0.type == "conversation.channel_switched" })
  }

  @Test(
    "A conversation that was idle beyond the window is resolved by the next message, which opens a new one",
    arguments: [(14.0, false), (14.001, true), (300.0, true)])
  func idleWindow(_ silentDays: Double, _ isOver: Bool) throws {
    let store = try ModelStore(message("1", from: ana, at: day(1)), message("2", from: ana, at: day(1 + silentDays)))
    #expect((store.conversation("1")?.id != store.conversation("2")?.id) == isOver)
    #expect(store.conversation("2")?.status == .open)
    guard isOver else { return }
    #expect(store.conversation("1")?.status == .resolved && store.conversation("1")?.resolvedAt == day(1 + silentDays))
    #expect(store.conversation("2")?.previous == store.conversation("1")?.id)
    #expect(store.events(about: "1") == ["1 opened", "2 message_added", "3 resolved"])
  }

  @Test("Silence is measured by when messages were sent, not by when they came")
  func idleBySentTime() throws {
    let store = try ModelStore(
      message("1", from: ana, at: day(1), received: day(50)), message("2", from: ana, at: day(2), received: day(90)))
    #expect(store.conversations.count == 1)
  }

  @Test("Only the customer's own message ends an idle conversation")
  func idleEcho() throws {
    let store = try ModelStore(message("1", from: ana, at: day(1)), echo("2", to: ana, at: day(40)))
    #expect(store.conversations.count == 1 && store.conversation("1")?.status == .pending)
  }

  // MARK: - Step 9

  @Test(
    "A resolved conversation is opened again within its channel's window, and followed by a new one after it",
    arguments: [(Channel.whatsapp, 72.0, true), (.whatsapp, 72.01, false), (.email, 100.0, true), (.email, 241.0, false)])
  func reopenWindow(_ channel: Channel, _ hoursAfter: Double, _ isReopened: Bool) throws {
    var policy = Policy()
    policy.reopenWindows = [.email: .seconds(240 * 3_600)]
    var store = try ModelStore(message("1", from: ana, at: hour(1), on: channel), policy: policy)
    let first = try #require(store.conversation("1"))
    store.set(.resolved, first.id, at: hour(2))
    try store.receive(message("2", from: ana, at: hour(2 + hoursAfter), on: channel))
    #expect((store.conversation("2")?.id == first.id) == isReopened)
    if isReopened {
      #expect(store.conversation("1")?.status == .open && store.conversation("1")?.resolvedAt == nil)
      #expect(store.events(about: "1") == ["1 opened", "2 message_added", "3 resolved", "4 reopened", "5 message_added"])
    } else {
      #expect(store.conversation("1")?.status == .resolved && store.conversation("2")?.previous == first.id)
    }
  }

  @Test("A closed conversation stays closed")
  func closed() throws {
    var store = try ModelStore(message("1", from: ana, at: hour(1)))
    store.set(.closed, try #require(store.conversation("1")).id, at: hour(2))
    try store.receive(message("2", from: ana, at: hour(3)), message("3", from: ana, at: hour(4), to: ["1"]))
    #expect(store.conversation("1")?.status == .closed && store.conversation("2")?.previous == store.conversation("1")?.id)
    #expect(store.conversation("3")?.id == store.conversation("2")?.id && store.isLinked("3", to: "1", "reference_not_live"))
  }

  @Test("A reference chooses which of the ended conversations is opened again")
  func reopenReferenced() throws {
    var store = try ModelStore(message("1", from: ana, at: day(1)), message("2", from: ana, at: day(20)))
    #expect(store.conversation("1")?.resolvedAt == day(20))
    store.set(.resolved, try #require(store.conversation("2")).id, at: day(20.2))
    try store.receive(message("3", from: ana, at: day(21), to: ["1"]))
    #expect(store.conversation("3")?.id == store.conversation("1")?.id && store.conversation("1")?.status == .open)
    #expect(store.conversation("2")?.status == .resolved && store.links.isEmpty)
  }

  @Test("Of several ended conversations the one that ended last is opened again")
  func reopenLatest() throws {
    var store = try ModelStore(message("1", from: ana, at: day(1)), message("2", from: ana, at: day(20)))
    store.set(.resolved, try #require(store.conversation("2")).id, at: day(20.5))
    try store.receive(message("3", from: ana, at: day(21), to: ["1"]))
    try #require(store.conversation("3")?.id != store.conversation("2")?.id)
    store.set(.resolved, try #require(store.conversation("3")).id, at: day(22))
    try store.receive(message("4", from: ana, at: day(24)))
    #expect(store.conversation("4")?.id == store.conversation("3")?.id && store.conversations.count == 2)
  }

  @Test("What an agent sends after the end belongs to it and opens nothing")
  func echoAfterTheEnd() throws {
    var store = try ModelStore(message("1", from: ana, at: hour(1)))
    store.set(.resolved, try #require(store.conversation("1")).id, at: hour(2))
    try store.receive(echo("2", to: ana, at: hour(3)))
    #expect(store.conversation("2")?.id == store.conversation("1")?.id && store.conversation("1")?.status == .resolved)
  }

  // MARK: - Late messages

  @Test("A late message joins what was live when it was sent", arguments: [true, false])
  func lateMessage(_ isNextLive: Bool) throws {
    var store = try ModelStore(message("1", from: ana, at: day(1)), message("2", from: ana, at: day(3)))
    store.set(.resolved, try #require(store.conversation("1")).id, at: day(4))
    if isNextLive { try store.receive(message("3", from: ana, at: day(30))) }
    try store.receive(message("late", from: ana, at: day(2), received: day(31)))
    #expect(store.conversation("late")?.id == store.conversation("1")?.id)
    // Where nothing else is live, nobody would see it.
    #expect(store.conversation("1")?.status == (isNextLive ? .resolved : .open))
    #expect(store.conversation("1")?.lastMessageAt == day(3))
  }

  @Test("What comes late joins the same conversation in the batch that opened another one again, or began one, as later")
  func lateInABatch() throws {
    // Two conversations are over.
    var store = try ModelStore(
      message("1", from: ana, at: day(5)), message("2", from: ana, at: day(6)), message("3", from: ana, at: day(25)))
    store.set(.resolved, try #require(store.conversation("3")).id, at: day(25.5))
    let lateToTheFirst = message("late", from: ana, at: day(5.5), received: day(26))
    try expectSameInOneBatch(store, [message("4", from: ana, at: day(26)), lateToTheFirst])
    // The live one begins before the one that is over.
    let beginning = message("early", from: ana, at: day(4), received: day(26))
    try expectSameInOneBatch(
      store, [message("4", from: ana, at: day(26)), beginning, message("5", from: ana, at: day(45)), lateToTheFirst])
    let begunByUs = echo("4", to: ana, at: day(2))
    try expectSameInOneBatch(store, [begunByUs, beginning, message("5", from: ana, at: day(45)), lateToTheFirst])
  }

  /// The events leave the same behind in one batch as one by one.
  private func expectSameInOneBatch(
    _ store: ModelStore, _ events: [Event], _ location: SourceLocation = #_sourceLocation
  ) throws {
    var (together, oneByOne) = (store, store)
    try together.commit(events.map { record([.event($0)]) })
    for event in events { try oneByOne.receive(event) }
    let (left, right) = (Snapshot(together), Snapshot(oneByOne))
    if left != right { Issue.record("\(left.difference(from: right))", sourceLocation: location) }
  }

  @Test("A late message to the live conversation moves its beginning, not its end")
  func lateBeginning() throws {
    let store = try ModelStore(message("1", from: ana, at: hour(5)), message("late", from: ana, at: hour(2), received: hour(6)))
    #expect(store.conversation("late")?.id == store.conversation("1")?.id)
    #expect(store.conversation("1")?.openedAt == hour(2) && store.conversation("1")?.lastMessageAt == hour(5))
  }

  // MARK: - Unseen parents

  @Test("A reply that comes before its parent waits for it: the parent of the same customer finds itself there")
  func unseenParent() throws {
    let store = try ModelStore(
      message("reply", from: ana, at: day(30), to: ["parent"]), message("parent", from: ana, at: day(1), received: day(31)))
    #expect(store.conversations.count == 1 && store.links.isEmpty)
    #expect(store.references[InTenant("shop", ReferenceKey(hash("parent")))]?.message == store.row("parent")?.id)
  }

  @Test("The parent joins by its name, however late it was sent")
  func unseenParentAcrossTheWindow() throws {
    let store = try ModelStore(
      message("reply", from: ana, at: day(1), to: ["parent"]), message("parent", from: ana, at: day(40)))
    #expect(store.conversation("parent")?.id == store.conversation("reply")?.id)
  }

  @Test("The unseen parent of another customer is linked, and takes its name with it")
  func parentOfAnother() throws {
    let store = try ModelStore(
      message("reply", from: bob, at: hour(2), to: ["parent"]), message("parent", from: ana, at: hour(1), received: hour(3)),
      message("next", from: ana, at: day(40), to: ["parent"]))
    #expect(store.conversation("parent")?.id != store.conversation("reply")?.id)
    #expect(store.isLinked("parent", to: "reply", "referred_to_by_other") && store.flags("parent").isEmpty)
    #expect(store.conversation("next")?.id == store.conversation("parent")?.id && store.flags("next").isEmpty)
  }

  @Test("A name that is taken stays where it is, and the second message is marked")
  func duplicateName() throws {
    let store = try ModelStore(
      message("1", from: ana, at: day(1)), message("2", from: bob, at: day(2), named: ["1"]),
      message("3", from: ana, at: day(40), to: ["1"]))
    #expect(store.flags("2") == ["duplicate_id"] && store.conversation("2")?.id != store.conversation("1")?.id)
    #expect(store.conversation("3")?.id == store.conversation("1")?.id && store.links.isEmpty)
  }

  // MARK: - Status, times, order

  @Test("An agent's message is the first response and leaves the conversation waiting; the customer's opens it again")
  func agentEcho() throws {
    var store = try ModelStore(
      message("1", from: ana, at: hour(1)), echo("2", to: ana, at: hour(2)), echo("3", to: ana, at: hour(3)))
    #expect(store.conversation("1")?.status == .pending && store.conversation("1")?.firstResponseAt == hour(2))
    try store.receive(message("4", from: ana, at: hour(4)))
    #expect(store.conversation("1")?.status == .open && store.conversations.count == 1)
    try store.receive(echo("late", to: ana, at: hour(1.5)))
    #expect(store.conversation("1")?.status == .open && store.conversation("1")?.firstResponseAt == hour(1.5))
  }

  @Test("A conversation that our side begins waits for the customer")
  func begunByUs() throws {
    let store = try ModelStore(echo("1", to: ana, at: hour(1)))
    #expect(store.conversation("1")?.status == .pending)
  }

  @Test(
    "Neither a bot nor a note answers for an agent",
    arguments: [(Direction.outbound, AuthorKind.bot), (.internal, .agent), (.internal, .system)])
  func botsAndNotes(_ direction: Direction, _ author: AuthorKind) throws {
    let store = try ModelStore(
      message("1", from: ana, at: hour(1)), message("2", from: ana, at: hour(2), direction: direction, author: author))
    #expect(store.conversation("1")?.status == .open && store.conversation("1")?.firstResponseAt == nil)
    #expect(store.conversation("2")?.id == store.conversation("1")?.id)
  }

  @Test("A customer's message wakes a snoozed conversation")
  func snoozed() throws {
    var store = try ModelStore(message("1", from: ana, at: hour(1)))
    store.set(.snoozed, try #require(store.conversation("1")).id, at: hour(2))
    try store.receive(message("2", from: ana, at: hour(3)))
    #expect(store.conversation("1")?.status == .open && store.conversations.count == 1)
  }

  @Test(
    "A message without time, or with one that cannot be, is ordered as its reception is, and what was sent is kept",
    arguments: [
      (Timestamp?.none, hour(100)), (hour(99), hour(99)), (hour(101), hour(100)), (hour(125), hour(100)),
      (Timestamp(seconds: 0), hour(100)), (Timestamp(microseconds: .max), hour(100)), (Timestamp(microseconds: .min), hour(100)),
    ])
  func clampedTimes(_ sentAt: Timestamp?, _ expected: Timestamp) throws {
    let store = try ModelStore(message("1", from: ana, at: sentAt, received: hour(100)))
    #expect(store.row("1")?.orderedAt == expected && store.row("1")?.sentAt == sentAt)
  }

  @Test("Each conversation's events are numbered without gaps, in the order they happened")
  func eventNumbers() throws {
    var store = ModelStore()
    try store.commit([
      record([
        .event(message("1", from: ana, at: day(1))), .event(message("2", from: bob, at: day(1))),
        .event(message("3", from: ana, at: day(2), on: .email)), .event(message("4", from: ana, at: day(40))),
      ])
    ])
    try store.receive(message("5", from: ana, at: day(41), on: .email), message("6", from: bob, at: day(2)))
    #expect(
      store.events(about: "1") == ["1 opened", "2 message_added", "3 channel_switched", "4 message_added", "5 resolved"])
    #expect(store.events(about: "4") == ["1 opened", "2 message_added", "3 channel_switched", "4 message_added"])
    #expect(store.events(about: "2") == ["1 opened", "2 message_added", "3 message_added"])
    #expect(store.conversation("1")?.eventSeq == 5)
  }

  @Test("The event of a message names it and where it came through, and no text or address")
  func messageEvent() throws {
    let store = try ModelStore(message("1", from: ana, at: hour(1)))
    let conversation = try #require(store.conversation("1"))
    let event = try #require(store.events.last)
    let id = try #require(store.row("1")).id
    #expect(
      event.data.string == """
        {"seq":2,"version":2,"conversation_id":"\(conversation.id)","customer_id":"\(conversation.customer)","message_id":"\(id)",\
        "channel":"whatsapp","account":"page","direction":"inbound","author_kind":"customer","sent_at":"2026-01-01T01:00:00.000000Z"}
        """)
  }

  // MARK: - What is not a message

  @Test("A change waits for its target and never opens a conversation", arguments: ["edit", "delete", "reaction", "receipt"])
  func changes(_ kind: String) throws {
    let store = try ModelStore(
      change("1", kind, of: "m", at: hour(1), from: ana), change("1", kind, of: "m", at: hour(2), from: ana))
    #expect(store.outcomes == [[.parked], [.duplicate]] && store.conversations.isEmpty && store.customers.isEmpty)
    #expect(store.parked.count == 1 && store.parked.first?.target == ReferenceKey(hash("m")) && store.parked.first?.kind == kind)
    #expect(store.references.values.map(\.conversation) == [nil])
  }

  @Test("Every element has its outcome, whatever its neighbours are")
  func outcomes() throws {
    var store = ModelStore()
    var unknown = change("u", "edit", of: "m", at: hour(1))
    unknown.body = .unknown(Unknown(what: "poll"))
    try store.commit([
      record([
        .event(message("1", from: ana, at: hour(1))), .ignored(reason: "typing"),
        .rejected(Rejection(.malformedPayload, "field")),
        .event(message("1", from: ana, at: hour(1))), .event(change("c", "edit", of: "m", at: hour(1))), .event(unknown),
        .event(contact("k", [], at: hour(1))),
      ]),
      record([.rejected(Rejection(.malformedJSON, "value"))], offset: 1),
    ])
    #expect(
      store.outcomes == [
        [.stored, .ignored(reason: "typing"), .deadLetter(.malformedPayload), .duplicate, .parked, .stored, .stored],
        [.deadLetter(.malformedJSON)],
      ])
    #expect(store.deadLetters.map(\.element) == [2, nil] && store.deadLetters.map(\.record) == [0, 1])
    #expect(store.parked.map(\.kind) == ["edit", "unknown"] && store.parked.map(\.element) == [4, 5])
    #expect(store.parked.last?.details.string == #"{"unknown":"poll"}"#)
  }
}
