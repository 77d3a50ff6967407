import Canonical
import Testing

@testable import Engine

/// What agents and bots do with a conversation, and what becomes of what is sent.
@Suite struct ActionTests {
  private static let signer = TokenSigner(
    continuation: { tenant, conversation in "token-\(tenant)-\(conversation)" },
    messageID: { _, _, message, mailbox in ("\(message)@\(mailbox)", ReferenceKey(hash("mail \(message)"))) },
    replyTo: { _, conversation, mailbox in "plus-\(conversation)-\(mailbox)" })

  private func action(
    _ kind: Action.Kind, on conversation: ID?, at time: Timestamp, epoch: Int64? = 0, seen: Int64? = nil, text: String? = "done",
    agent: String = "agent-1", _ change: (inout Action) -> Void = { _ in }
  ) -> Event {
    var action = Action(
      kind: kind, id: "\(kind) \(time.microseconds)", conversation: conversation ?? ID(Bytes16(high: 1, low: 1)), agent: agent)
    action.ownershipEpoch = epoch
    action.seenVersion = seen
    action.text = text
    change(&action)
    return Event(
      tenant: "shop", channel: .desk, account: "desk", key: MessageKey(hash("action \(kind) \(time.microseconds) \(agent)")),
      sentAt: nil, receivedAt: time, body: .action(action))
  }

  private func result(_ message: ID, _ status: String, named name: String?, at time: Timestamp) -> Event {
    Event(
      tenant: "shop", channel: .whatsapp, account: "page", key: MessageKey(hash("result \(message) \(status)")), sentAt: nil,
      receivedAt: time,
      body: .result(
        SendResult(
          message: message, externalID: name, names: name.map { [ReferenceKey(hash($0))] } ?? [], status: status, error: nil)))
  }

  private func refusals(_ store: ModelStore) -> [String] {
    store.events.filter { $0.type == "action.refused" }.compactMap { event in
      event.data.string.firstMatch(of: #/"reason":"([a-z_]+)"/#).map { String($0.1) }
    }
  }

  private func waiting(_ policy: Policy = Policy()) throws -> (ModelStore, ID) {
    let store = try ModelStore(message("1", from: [whatsapp("ana")], at: hour(1)), policy: policy)
    return (store, try #require(store.conversation("1")?.id))
  }

  @Test func `A reply is a message, an event for the adapter, and the end of the wait`() throws {
    var (store, conversation) = try waiting()
    #expect(store.conversation("1")?.waitingSince == hour(1))
    try store.receive(action(.reply, on: conversation, at: hour(3), text: "It is on its way."))
    let reply = try #require(store.messages.last)
    #expect(reply.message.direction == .outbound && reply.message.authorID == "agent-1" && reply.address == "ana")
    #expect(reply.channel == .whatsapp && reply.account == "page" && reply.deliveryStatus == "queued")
    let event = try #require(store.events.last)
    #expect(event.topic == "outbound.whatsapp" && event.seq == 1 && event.subject == conversation.description)
    #expect(event.data.string.contains(#""to":"ana""#) && event.data.string.contains(#""in_reply_to":"1""#))
    let state = try #require(store.conversation("1"))
    #expect(state.status == .pending && state.waitingSince == nil && state.firstResponseAt == hour(3))
    try store.receive(action(.reply, on: conversation, at: hour(4)))
    #expect(store.events.last?.seq == 2)
  }

  @Test func `A result gives the reply its provider's name: the echo is known, and an answer finds the thread`() throws {
    var (store, conversation) = try waiting()
    try store.receive(action(.reply, on: conversation, at: hour(2)))
    let reply = try #require(store.messages.last?.id)
    try store.receive(result(reply, "sent", named: "wamid", at: hour(2.1)))
    var echo = echo("wamid", to: [whatsapp("ana")], at: hour(2))
    echo.key = MessageKey(hash("wamid"))
    try store.receive(echo)
    #expect(store.outcomes.last == [.duplicate])
    store.set(.resolved, conversation, at: hour(3))
    try store.receive(message("2", from: [whatsapp("ana")], at: hour(500), to: ["wamid"]))
    #expect(store.isLinked("2", to: "1", "reference_not_live") || store.conversation("2")?.id == conversation)
    #expect(store.deliveries[InTenant("shop", reply)]?.externalID == "wamid")
  }

  @Test(arguments: [true, false])
  func `An echo that comes before its result is the same message`(_ together: Bool) throws {
    var (store, conversation) = try waiting()
    try store.receive(action(.reply, on: conversation, at: hour(2)))
    let reply = try #require(store.messages.last?.id)
    var echo = echo("wamid", to: [whatsapp("ana")], at: hour(2))
    echo.key = MessageKey(hash("wamid"))
    let sent = result(reply, "sent", named: "wamid", at: hour(2.1))
    if together {
      try store.commit([record([.event(echo)]), record([.event(sent)])])
    } else {
      try store.receive(echo, sent)
    }
    let shown = store.messages.filter { $0.message.direction == .outbound && $0.deletedAt == nil }
    #expect(shown.map(\.id) == [reply])
  }

  @Test func `An action with an old epoch, or by an agent who does not own it, is refused with an event`() throws {
    var (store, conversation) = try waiting()
    store.own(conversation, .init(kind: .agent, id: "agent-2", epoch: 4))
    try store.receive(
      action(.reply, on: conversation, at: hour(2), epoch: 3), action(.reply, on: conversation, at: hour(3), epoch: 4),
      action(.resolve, on: conversation, at: hour(4), epoch: 4))
    #expect(refusals(store) == ["stale_epoch", "not_owner", "not_owner"])
    #expect(store.messages.count == 1 && store.conversation("1")?.status == .open)
    #expect(store.outcomes.last == [.ignored(reason: "refused_not_owner")])
    try store.receive(action(.resolve, on: conversation, at: hour(5), epoch: 4, agent: "agent-2"))
    #expect(store.conversation("1")?.status == .resolved)
  }

  @Test func `Who has not seen the customer's last message may neither resolve nor snooze`() throws {
    var (store, conversation) = try waiting()
    let seen = try #require(store.conversation("1")?.version)
    try store.receive(message("2", from: [whatsapp("ana")], at: hour(2)))
    try store.receive(
      action(.resolve, on: conversation, at: hour(3), seen: seen),
      action(.snooze, on: conversation, at: hour(4), seen: seen) { $0.until = hour(9) })
    #expect(refusals(store) == ["not_seen", "not_seen"])
    // A note changes the version, and is no message of the customer's.
    let now = try #require(store.conversation("1")?.version)
    try store.receive(action(.note, on: conversation, at: hour(5)))
    try store.receive(action(.snooze, on: conversation, at: hour(6), seen: now) { $0.until = hour(9) })
    #expect(store.conversation("1")?.status == .snoozed && store.conversation("1")?.snoozedUntil == hour(9))
    try store.receive(message("3", from: [whatsapp("ana")], at: hour(7)))
    #expect(store.conversation("1")?.status == .open && store.conversation("1")?.snoozedUntil == nil)
  }

  @Test func `Resolve, reopen and priority do what they say, once`() throws {
    var (store, conversation) = try waiting()
    try store.receive(
      action(.reopen, on: conversation, at: hour(2)), action(.resolve, on: conversation, at: hour(3)),
      action(.reopen, on: conversation, at: hour(4)), action(.priority, on: conversation, at: hour(5)) { $0.priority = 5 })
    #expect(refusals(store) == ["is_live"])
    #expect(store.conversation("1")?.status == .open && store.conversation("1")?.priority == 5)
    try store.receive(action(.resolve, on: conversation, at: hour(6)))
    try store.receive(message("2", from: [whatsapp("ana")], at: hour(2_000)))
    try store.receive(action(.reopen, on: conversation, at: hour(2_001)))
    #expect(refusals(store) == ["is_live", "other_is_live"])
  }

  @Test func `A conversation that an agent opens again is opened once, whatever follows in the batch`() throws {
    var (store, conversation) = try waiting()
    try store.receive(action(.resolve, on: conversation, at: hour(2)))
    try store.commit([
      record([.event(action(.reopen, on: conversation, at: hour(3)))]),
      record([.event(action(.note, on: conversation, at: hour(4)))]),
    ])
    #expect(store.events.count { $0.type == "conversation.reopened" } == 1)
  }

  @Test
  func `An answer goes to whoever reads where the customer wrote last, or to whom the agent says; an invitation to them alone`()
    throws
  {
    func said(_ id: String, at time: Timestamp, in place: String?, _ visibility: Visibility) -> Event {
      var event = message(id, from: [whatsapp("ana")], at: time)
      guard case .message(var message) = event.body else { return event }
      message.stand(in: place, visibility)
      message.visibility = visibility
      event.body = .message(message)
      return event
    }
    var policy = Policy()
    policy.tokens = Self.signer
    var (store, conversation) = try waiting(policy)
    /// Where the last answer goes, who reads it there, and below what.
    func sent(_ store: ModelStore, _ to: String, _ visibility: String, _ below: String) -> Bool {
      store.events.last?.data.string.contains(#""to":"\#(to)","visibility":"\#(visibility)","in_reply_to":"\#(below)""#) == true
    }
    func reply(_ visibility: Visibility?, at time: Timestamp, seen: Int64? = nil) throws {
      try store.receive(action(.reply, on: conversation, at: time, seen: seen) { $0.visibility = visibility })
    }
    func invite(at time: Timestamp) throws {
      try store.receive(action(.invite, on: conversation, at: time) { $0.channel = .chat })
    }
    try store.receive(said("post", at: hour(2), in: nil, .public))
    // It may be an answer to what was written in private before.
    try reply(nil, at: hour(3))
    try reply(nil, at: hour(3.5), seen: 1)
    #expect(refusals(store) == ["not_seen", "not_seen"])
    try reply(nil, at: hour(4), seen: store.conversation("1")?.version)
    #expect(sent(store, "ana", "public", "post"))
    #expect(store.messages.last?.message.visibility == .public)
    try reply(.private, at: hour(5))
    #expect(sent(store, "ana", "private", "1"), "where they have written alone")
    try invite(at: hour(5))
    #expect(sent(store, "ana", "private", "1"), "whoever has the link takes part")
    try reply(.group, at: hour(6))
    #expect(refusals(store).last == "no_route")
    try store.receive(said("2", at: hour(7), in: "g1", .group))
    try reply(.public, at: hour(8))
    #expect(sent(store, "ana", "public", "post"))
    try reply(.group, at: hour(8.5))
    #expect(sent(store, "g1", "group", "2") && store.messages.last?.message.replyAddress == "g1")
    // At the same moment, what fewer read.
    try store.receive(said("3", at: hour(7), in: nil, .private))
    try reply(nil, at: hour(9))
    #expect(sent(store, "ana", "private", "3"))

    // Who has only written among others can be written to alone, unless they have said that we may not; the group can, then as before.
    store = try ModelStore(said("4", at: hour(1), in: "g1", .group), policy: policy)
    conversation = try #require(store.conversation("4")?.id)
    try invite(at: hour(2))
    #expect(sent(store, "ana", "private", "4"))
    var stop = message("s", from: [whatsapp("ana")], at: hour(3))
    stop.body = .change(Change(kind: "consent", customer: [whatsapp("ana")], status: "opt_out"))
    try store.receive(stop)
    try store.receive(said("5", at: hour(4), in: "g1", .group))
    try invite(at: hour(5))
    #expect(refusals(store) == ["no_route"])
    try reply(nil, at: hour(6))
    #expect(sent(store, "g1", "group", "5"))

    // A group that writes itself has nobody to be alone with.
    store = try ModelStore(said("6", at: hour(1), in: "ana", .group), policy: policy)
    conversation = try #require(store.conversation("6")?.id)
    try invite(at: hour(2))
    #expect(refusals(store) == ["no_route"])
  }

  @Test func `A hand-off after a post is answered in private; a ticket asks for no other, nor for what was said meanwhile`()
    throws
  {
    func changed(_ event: Event, _ change: (inout Message) -> Void) -> Event {
      var event = event
      guard case .message(var message) = event.body else { return event }
      change(&message)
      event.body = .message(message)
      return event
    }
    var store = try ModelStore(changed(message("1", from: [whatsapp("ana")], at: hour(1))) { $0.visibility = .public })
    var conversation = try #require(store.conversation("1")?.id)
    try store.receive(
      changed(message("h", from: [whatsapp("ana")], at: hour(2))) { message in
        (message.direction, message.authorKind, message.isHandoff) = (.internal, .bot, true)
      })
    try store.receive(action(.reply, on: conversation, at: hour(3), seen: store.conversation("1")?.version))
    #expect(store.events.last?.data.string.contains(#""visibility":"private""#) == true)

    // Who is called has nothing to do with it; who mails and writes into a ticket can be answered in either.
    func ticket(_ id: String, at time: Timestamp) -> Event {
      changed(message(id, from: [email("ana@x.org")], at: time, on: .ticket, account: "desk")) { $0.stand(in: "t" + id) }
    }
    store = try ModelStore(message("1", from: [email("ana@x.org")], at: hour(1), on: .voice, account: "+49900"))
    conversation = try #require(store.conversation("1")?.id)
    try store.receive(ticket("2", at: hour(2)))
    try store.receive(action(.reply, on: conversation, at: hour(3)))
    #expect(store.events.last?.data.string.contains(#""to":"t2","visibility":"group""#) == true)
    let seen = store.conversation("1")?.version
    try store.receive(ticket("3", at: hour(4)))
    try store.receive(action(.reply, on: conversation, at: hour(5), seen: seen) { $0.visibility = .group })
    #expect(refusals(store) == ["not_seen"], "it was meant for the other ticket")
    try store.receive(message("4", from: [email("ana@x.org")], at: hour(1), on: .email, account: "desk@shop.example"))
    try store.receive(action(.reply, on: conversation, at: hour(6)) { $0.visibility = .private })
    #expect(store.events.last?.topic == "outbound.email")
    // A ticket that takes no answers is no way.
    try store.receive(message("5", from: [email("ana@x.org")], at: hour(7), on: .ticket, account: "desk"))
    try store.receive(action(.reply, on: conversation, at: hour(8), seen: store.conversation("1")?.version))
    #expect(store.events.last?.topic == "outbound.ticket" && store.events.last?.data.string.contains(#""to":"t3""#) == true)
  }

  @Test func `What our people pass on into a customer's thread is not where the customer is answered`() throws {
    var policy = Policy()
    policy.ownMailboxes.insert("@shop.example", of: nil)
    var store = try ModelStore(
      message("1", from: [email("ana@x.org")], at: hour(1), on: .email, account: "support@shop.example"), policy: policy)
    let conversation = try #require(store.conversation("1")?.id)
    var passed = message("2", from: [email("bob@shop.example", .a0)], at: hour(2), on: .email, account: "support@shop.example")
    guard case .message(var body) = passed.body else { return }
    body.continuation = conversation
    passed.body = .message(body)
    try store.receive(passed)
    #expect(store.conversation("2")?.id == conversation)
    try store.receive(action(.reply, on: conversation, at: hour(3)))
    #expect(store.events.last?.data.string.contains(#""to":"ana@x.org""#) == true)
  }

  @Test func `An opt-out closes where they wrote last, and nothing else takes its place`() throws {
    var (store, conversation) = try waiting()
    var post = message("2", from: [whatsapp("ana")], at: hour(2), on: .x, account: "shop")
    guard case .message(var body) = post.body else { return }
    body.visibility = .public
    post.body = .message(body)
    try store.receive(post, message("3", from: [whatsapp("ana")], at: hour(3)))
    var stop = message("s", from: [whatsapp("ana")], at: hour(4))
    stop.body = .change(Change(kind: "consent", customer: [whatsapp("ana")], status: "opt_out"))
    try store.receive(stop)
    try store.receive(action(.reply, on: conversation, at: hour(5)))
    #expect(refusals(store) == ["no_route"])
  }

  @Test func `A channel that the customer never wrote on, and a conversation that is not there`() throws {
    var (store, conversation) = try waiting()
    try store.receive(action(.reply, on: conversation, at: hour(2)) { $0.channel = .email })
    #expect(refusals(store) == ["no_route"])
    try store.receive(action(.note, on: nil, at: hour(3)))
    #expect(store.outcomes.last == [.deadLetter(.unknownTarget)])
    try store.receive(result(ID(Bytes16(high: 2, low: 2)), "sent", named: nil, at: hour(4)))
    #expect(store.deadLetters.map(\.rejection.detail) == ["conversation_id", "message_id"])
  }

  @Test func `What was rejected for a target that is not there is done when it comes again and the target is`() throws {
    var (store, conversation) = try waiting()
    let note = action(.note, on: nil, at: hour(2))
    // Twice in one batch is what it is in two.
    try store.commit([record([.event(note)]), record([.event(note)])])
    try store.receive(note)
    #expect(store.outcomes.suffix(3) == Array(repeating: [.deadLetter(.unknownTarget)], count: 3)[...])
    #expect(store.deadLetters.count == 3)
    var target = try #require(store.conversations[InTenant("shop", conversation)])
    target.id = ID(Bytes16(high: 1, low: 1))
    target.lane = "form/other"
    store.conversations[InTenant("shop", target.id)] = target
    try store.receive(note)
    try store.receive(note)
    #expect(store.outcomes.suffix(2) == [[.stored], [.duplicate]])

    try store.receive(action(.reply, on: conversation, at: hour(3)))
    let reply = store.messages.removeLast()
    let sent = result(reply.id, "sent", named: "wamid", at: hour(4))
    try store.receive(sent)
    store.messages.append(reply)
    try store.receive(sent)
    try store.receive(sent)
    #expect(store.outcomes.suffix(3) == [[.deadLetter(.unknownTarget)], [.stored], [.duplicate]])

    // Its echo is no duplicate of what was rejected.
    var echo = echo("other", to: [whatsapp("ana")], at: hour(5))
    echo.key = MessageKey(hash("other"))
    try store.receive(result(ID(Bytes16(high: 2, low: 2)), "sent", named: "other", at: hour(5)))
    try store.receive(echo)
    #expect(store.outcomes.suffix(2) == [[.deadLetter(.unknownTarget)], [.stored]])
  }

  @Test func `An invitation carries a signed link, and whoever comes with it is the same customer in the same thread`() throws {
    var policy = Policy()
    var (store, conversation) = try waiting()
    try store.receive(action(.invite, on: conversation, at: hour(2)) { $0.channel = .chat })
    #expect(refusals(store) == ["no_tokens"])
    policy.tokens = Self.signer
    store.policy = policy
    try store.receive(action(.invite, on: conversation, at: hour(3)) { $0.channel = .chat })
    let sent = try #require(store.events.last)
    #expect(sent.topic == "outbound.whatsapp" && sent.data.string.contains(#""token":"token-shop-\#(conversation)""#))
    #expect(store.messages.last?.message.details.string.contains("token-") == false)

    var chat = message("2", from: [cookie("new"), email("friend@x.org")], at: hour(4), on: .chat, account: "widget")
    guard case .message(var body) = chat.body else { return }
    body.continuation = conversation
    chat.body = .message(body)
    try store.receive(chat)
    #expect(store.conversation("2")?.id == conversation && store.customer("2") == store.customer("1"))
    #expect(store.owner(cookie("new")) == store.customer("1"))
    // Whoever was handed the link does not become the owner of what it leads to.
    #expect(store.owner(email("friend@x.org")) == nil)
    try store.receive(message("3", from: [cookie("new")], at: hour(5), on: .chat, account: "widget"))
    #expect(store.conversation("3")?.id == conversation)
  }

  @Test func `An agent who identifies a customer joins what was a claim to whom the business knows`() throws {
    var store = try ModelStore(
      contact("crm", [number("k1"), email("ana@x.org", .a3)], at: hour(1)),
      message("mail", from: [email("ana@x.org")], at: hour(2), on: .email, account: "desk@shop.example"),
      message("form", from: [email("ana@x.org", .a0)], at: hour(3), on: .form, account: "es"))
    #expect(store.customer("form") != store.customer("mail"))
    let conversation = try #require(store.conversation("form")?.id)
    try store.receive(action(.identify, on: conversation, at: hour(4), epoch: nil) { $0.identifiers = [number("k1")] })
    #expect(store.customer("form") == store.customer("mail") && store.conversation("form")?.id == store.conversation("mail")?.id)
    #expect(store.merges.map(\.merge.rule) == ["agent_identify"] && store.merges.first?.merge.agent == "agent-1")
    // The claim leads nobody there: the next one who types it is somebody else.
    try store.receive(message("again", from: [email("ana@x.org", .a0)], at: hour(5), on: .form, account: "es"))
    #expect(store.customer("again") != store.customer("mail"))
  }

  @Test func `A bot that still speaks after the hand-off is refused`() throws {
    func bot(_ id: String, epoch: Int64?, at time: Timestamp) -> Event {
      var event = message(
        id, from: [cookie("c")], at: time, on: .chat, account: "widget", session: "s", direction: .outbound, author: .bot)
      guard case .message(var body) = event.body else { return event }
      body.ownershipEpoch = epoch
      event.body = .message(body)
      return event
    }
    func handoff(_ id: String, at time: Timestamp) -> Event {
      var event = change(id, Change.handoff, of: "s", at: time)
      guard case .change(var body) = event.body else { return event }
      body.details = JSONText(utf8: Array(#"{"intent":"refund"}"#.utf8))
      event.body = .change(body)
      return event
    }
    var store = try ModelStore(
      message("1", from: [cookie("c")], at: hour(1), on: .chat, account: "widget", session: "s"),
      bot("2", epoch: nil, at: hour(2)),
      handoff("h1", at: hour(3)), bot("3", epoch: 0, at: hour(4)), handoff("h2", at: hour(5)))
    #expect(store.row("2") != nil && store.row("3") == nil)
    // Who asks again is heard, but waits no more than that.
    #expect(refusals(store) == ["stale_epoch"])
    #expect(store.events.count { $0.type == "conversation.handoff_requested" } == 1)
    #expect(store.conversation("1")?.handoff != nil && store.conversation("1")?.status == .open)
    #expect(store.messages.contains { $0.message.details.string.contains("refund") && $0.message.direction == .internal })
    // What hangs on a session that nobody knows waits.
    try store.receive(change("h3", Change.handoff, of: "unknown", at: hour(6)))
    #expect(store.outcomes.last == [.parked])
  }

  @Test func `Step 6: a reference number or an equal subject opens what is over, for the same customer and not for long`() throws
  {
    func mail(_ id: String, _ subject: String, from sender: String = "ana@x.org", at time: Timestamp) -> Event {
      var event = message(id, from: [email(sender)], at: time, on: .email, account: "desk@shop.example")
      guard case .message(var body) = event.body else { return event }
      body.subject = subject
      event.body = .message(body)
      return event
    }
    var policy = Policy()
    policy.otherReopenWindow = .seconds(30 * 86_400)
    var store = try ModelStore(mail("1", "Broken lamp", at: day(1)), policy: policy)
    store.set(.resolved, try #require(store.conversation("1")?.id), at: day(2))
    // A conversation in between, so that the last one is another.
    try store.receive(mail("2", "Invoice", at: day(2.5)))
    #expect(store.conversation("2")?.id == store.conversation("1")?.id, "within the reopen window it is the same conversation")
    store.set(.resolved, try #require(store.conversation("1")?.id), at: day(3))
    try store.receive(mail("3", "Other", from: "bob@x.org", at: day(4)))
    try store.receive(mail("4", "AW: Re: Broken LAMP ", from: "bob@x.org", at: day(5)))
    #expect(store.conversation("4")?.id == store.conversation("3")?.id, "another customer's subject says nothing")
    #expect(Subject.reference(in: "Re: [#TL-1042] Broken lamp") == "TL-1042")
    #expect(Subject.reference(in: "[#TL-] [#TL-x] #TL-1") == nil)
    #expect(Subject.base("Re: AW: [#TL-1042] Broken lamp") == "broken lamp")
    #expect(Subject.base("Re: ") == nil)
  }

  // MARK: - What must not happen

  @Test func `An identification under an older ownership does nothing at all`() throws {
    var store = try ModelStore(
      contact("crm", [number("k1")], at: hour(1)),
      message("form", from: [email("ana@x.org", .a0)], at: hour(2), on: .form, account: "es"))
    let conversation = try #require(store.conversation("form")?.id)
    store.own(conversation, .init(kind: .agent, id: "agent-1", epoch: 4))
    try store.receive(action(.identify, on: conversation, at: hour(3), epoch: 3) { $0.identifiers = [number("k1")] })
    #expect(refusals(store) == ["stale_epoch"] && store.merges.isEmpty && store.retired.isEmpty)
    // And under the right one it is done, though the conversation itself moves.
    try store.receive(message("crm call", from: [number("k1")], at: hour(1.5), on: .voice))
    try store.receive(action(.identify, on: conversation, at: hour(4), epoch: 4) { $0.identifiers = [number("k1")] })
    #expect(refusals(store) == ["stale_epoch"] && store.merges.count == 1)
    #expect(store.conversation("form")?.id == store.conversation("crm call")?.id)
  }

  @Test func `An identification by what leads to nobody is refused, and the claim stays`() throws {
    var store = try ModelStore(message("form", from: [email("ana@x.org", .a0)], at: hour(2), on: .form, account: "es"))
    let conversation = try #require(store.conversation("form")?.id)
    try store.receive(
      action(.identify, on: conversation, at: hour(3), epoch: nil) { $0.identifiers = [email("info@x.org", .a3)] })
    #expect(refusals(store) == ["not_usable"])
    try store.receive(message("again", from: [email("ana@x.org", .a0)], at: hour(4), on: .form, account: "es"))
    #expect(store.customer("again") == store.customer("form"))
    #expect(store.customers.values.allSatisfy { !$0.profile.isVerified })
  }

  @Test func `An answer to our mail from an address that nobody vouches for threads, and its writer stays who they were`() throws
  {
    func mail(_ id: String, at time: Timestamp, answering conversation: ID? = nil, direction: Direction = .inbound) -> Event {
      var event = message(
        id, from: [email("ana@x.org", .a0)], at: time, on: .email, account: "desk@shop.example", direction: direction,
        author: direction == .inbound ? .customer : .agent)
      guard case .message(var body) = event.body else { return event }
      body.continuation = conversation
      event.body = .message(body)
      return event
    }
    var store = try ModelStore(mail("1", at: hour(1)))
    let conversation = try #require(store.conversation("1")?.id)
    try store.receive(
      mail("2", at: hour(2), answering: conversation), mail("3", at: hour(3), answering: conversation, direction: .outbound))
    try store.receive(mail("4", at: hour(4)))
    #expect(Set(["1", "2", "3", "4"].map { store.conversation($0)?.id }) == [conversation])
    #expect(store.retired.isEmpty)
  }

  @Test func `A number that changed hands earlier in its record is the new holder's, also where it stands alone`() throws {
    var store = try ModelStore(message("a", from: [whatsapp("ES.1"), phone("+441", .a2)], at: hour(1)))
    try store.commit([
      record([
        .event(message("b", from: [whatsapp("ES.2"), phone("+441", .a2)], at: hour(2))),
        .event(message("c", from: [phone("+441", .a2)], at: hour(3))),
      ])
    ])
    #expect(store.customer("c") == store.customer("b") && store.customer("b") != store.customer("a"))
    #expect(store.conversation("c")?.id == store.conversation("b")?.id)
  }

  @Test func `A number that comes with another business-scoped id has changed hands: nobody gets the other's thread`() throws {
    func whatsApp(_ id: String, _ number: String) -> [StatedIdentifier] {
      [whatsapp("ES." + id), whatsapp(number), phone("+" + number, .a2)]
    }
    for together in [true, false] {
      var store = ModelStore()
      let events = [
        message("old", from: whatsApp("1", "441"), at: hour(1)), message("new", from: whatsApp("2", "441"), at: hour(2)),
        message("new again", from: whatsApp("2", "441"), at: hour(3)),
        message("call", from: [phone("+441", .a2)], at: hour(4), on: .voice),
      ]
      if together {
        try store.commit(events.map { record([.event($0)]) })
      } else {
        for event in events { try store.receive(event) }
      }
      #expect(store.customer("new") != store.customer("old") && store.conversation("new")?.id != store.conversation("old")?.id)
      #expect(store.customer("new again") == store.customer("new") && store.customer("call") == store.customer("new"))
      #expect(store.suggestions.keys.contains { $0.rule == "recycled_number" } && store.merges.isEmpty)
    }
  }

  @Test(arguments: [true, false])
  func `A hand-off that comes before anything of its session waits for it`(_ together: Bool) throws {
    var handoff = change("h1", Change.handoff, of: "s", at: hour(2))
    guard case .change(var body) = handoff.body else { return }
    body.details = JSONText(utf8: Array(#"{"intent":"refund"}"#.utf8))
    handoff.body = .change(body)
    let first = message("1", from: [cookie("c")], at: hour(1), on: .chat, account: "widget", session: "s")
    var store = ModelStore()
    if together {
      try store.commit([record([.event(handoff)]), record([.event(first)])])
    } else {
      try store.receive(handoff, first)
    }
    #expect(store.outcomes == [[.parked], [.stored]] && store.parked.isEmpty)
    #expect(store.conversation("1")?.handoff != nil)
    #expect(store.messages.contains { $0.message.details.string.contains("refund") })
  }

  /// A bot on a channel without sessions knows the customer by the channel's id.
  private func handoff(_ id: String, from customer: [StatedIdentifier], at time: Timestamp) -> Event {
    var event = message(id, from: customer, at: time, direction: .internal, author: .bot)
    guard case .message(var body) = event.body else { return event }
    body.isHandoff = true
    event.body = .message(body)
    return event
  }

  @Test func `A hand-off that names the customer opens, opens again, or goes on where the customer is`() throws {
    let ana = [whatsapp("ana")]
    var store = try ModelStore(handoff("h1", from: ana, at: hour(1)), message("1", from: ana, at: hour(2)))
    let first = try #require(store.conversation("1"))
    #expect(store.conversations.count == 1 && first.handoff != nil && first.status == .open && first.waitingSince == hour(1))
    // Who is on the way to a human is not handed over again, and who is with one is refused.
    try store.receive(handoff("h2", from: ana, at: hour(3)))
    #expect(refusals(store).isEmpty && store.row("h2") != nil)
    let owner = first.owner
    store.conversations[InTenant("shop", first.id)]?.owner = .init(kind: .agent, id: "ana", epoch: owner.epoch)
    try store.receive(handoff("h2b", from: ana, at: hour(3)))
    #expect(refusals(store) == ["stale_epoch"] && store.row("h2b") == nil)
    store.conversations[InTenant("shop", first.id)]?.owner = owner
    try store.receive(action(.resolve, on: first.id, at: hour(4)))
    try store.receive(handoff("h3", from: ana, at: hour(5)))
    #expect(store.conversation("h3")?.id == first.id && store.conversation("h3")?.status == .open)
    #expect(store.events.map(\.type).filter { $0.hasSuffix("handoff_requested") }.count == 2)
    #expect(store.events.contains { $0.type == "conversation.reopened" })
  }

  @Test func `What somebody else answers on the provider's side makes nobody wait until it is handed over`() throws {
    var standby = message("1", from: [whatsapp("ana")], at: hour(1))
    guard case .message(var body) = standby.body else { return }
    body.isStandby = true
    standby.body = .message(body)
    var store = try ModelStore(standby)
    #expect(store.conversation("1")?.status == .pending && store.conversation("1")?.waitingSince == nil)
    // What a colleague answers there ends a wait, and what a bot says of its hand-off does not.
    var answer = message("2", from: [whatsapp("ana")], at: hour(3), direction: .outbound, author: .agent)
    guard case .message(var said) = answer.body else { return }
    said.isStandby = true
    answer.body = .message(said)
    var answered = try ModelStore(message("1", from: [whatsapp("ana")], at: hour(1)), answer)
    #expect(answered.conversation("1")?.waitingSince == nil && answered.conversation("1")?.firstResponseAt == hour(3))
    answered = try ModelStore(
      message("1", from: [whatsapp("ana")], at: hour(1)), handoff("h1", from: [whatsapp("ana")], at: hour(2)), answer)
    #expect(answered.conversation("1")?.waitingSince == hour(1))
    try store.receive(handoff("h1", from: [whatsapp("ana")], at: hour(2)))
    #expect(store.conversations.count == 1)
    #expect(store.conversation("1")?.status == .open && store.conversation("1")?.waitingSince == hour(2))
  }

  @Test func `A hand-off is judged by the owner that the customer had last, and what it opens is handed over`() throws {
    func handoff(_ id: String, epoch: Int64?, at time: Timestamp) -> Event {
      var event = self.handoff(id, from: [whatsapp("ana")], at: time)
      guard case .message(var body) = event.body else { return event }
      body.ownershipEpoch = epoch
      event.body = .message(body)
      return event
    }
    var store = try ModelStore(message("1", from: [whatsapp("ana")], at: hour(1)))
    let first = try #require(store.conversation("1")?.id)
    store.conversations[InTenant("shop", first)]?.owner = .init(kind: .bot, id: "b", epoch: 2)
    // Silent for longer than the window: another conversation begins, and waits for a human.
    try store.receive(handoff("h1", epoch: 2, at: hour(2_000)))
    let second = try #require(store.conversation("h1"))
    #expect(second.id != first && second.handoff != nil && second.waitingSince == hour(2_000) && refusals(store).isEmpty)
    // A line of a transcript is said where the hand-off is, whatever its time.
    var line = message("l1", from: [whatsapp("ana")], at: hour(1), received: hour(2_000), direction: .outbound, author: .bot)
    guard case .message(var body) = line.body else { return }
    body.isTranscript = true
    line.body = .message(body)
    try store.receive(line)
    #expect(store.conversation("l1")?.id == second.id && store.conversation("l1")?.waitingSince == hour(2_000))
    // Over, and somebody else's since: what is late by then opens nothing again.
    try store.receive(action(.resolve, on: second.id, at: hour(2_001)))
    store.conversations[InTenant("shop", second.id)]?.owner = .init(kind: .queue, epoch: 3)
    try store.receive(handoff("h2", epoch: 2, at: hour(2_002)))
    #expect(refusals(store) == ["stale_epoch"] && store.conversation("h1")?.status == .resolved && store.row("h2") == nil)
  }

  @Test(arguments: [true, false])
  func `What a transcript says makes nobody wait, and what is here by its id is left out`(_ together: Bool) throws {
    func line(_ id: String, _ text: String, _ author: AuthorKind, name: String? = nil) -> Event {
      change(id, Change.said, of: "s", at: hour(2), on: .chat) { change in
        (change.text, change.authorKind, change.status) = (text, author, Change.transcript)
        change.name = name.map { ReferenceKey(hash($0)) }
      }
    }
    let first = message("1", from: [cookie("c")], at: hour(1), on: .chat, account: "widget", session: "s")
    let lines = [
      line("t1", "Where is it?", .customer, name: "1"), line("t2", "Which number?", .bot),
      line("t3", "1004", .customer, name: "2"),
    ]
    var store = ModelStore()
    if together {
      try store.commit([record(([first] + lines).map { .event($0) })])
    } else {
      for event in lines + [first] { try store.receive(event) }
    }
    let said = store.messages.filter(\.message.isTranscript)
    #expect(said.map(\.message.text) == ["Which number?", "1004"])
    #expect(said.map(\.message.direction) == [.outbound, .inbound] && store.parked.isEmpty)
    let conversation = try #require(store.conversation("1"))
    #expect(conversation.waitingSince == hour(1) && conversation.customerVersion < conversation.version)
    #expect(!store.events.contains { $0.type == "conversation.channel_switched" })
  }

  @Test func `A session that goes on in another conversation hands that one over`() throws {
    let handoff = { (id: String, time: Timestamp) in change(id, Change.handoff, of: "s", at: time) }
    var store = try ModelStore(message("1", from: [cookie("c")], at: hour(1), on: .chat, account: "widget", session: "s"))
    store.set(.closed, try #require(store.conversation("1")?.id), at: hour(2))
    try store.receive(message("2", from: [cookie("c")], at: hour(500), on: .chat, account: "widget", session: "s"))
    try store.receive(handoff("h", hour(501)))
    #expect(store.conversation("2")?.id != store.conversation("1")?.id && store.conversation("2")?.handoff != nil)
    // Resolved and opened again it can be handed over again.
    try store.receive(action(.resolve, on: store.conversation("2")?.id, at: hour(502)))
    try store.receive(message("3", from: [cookie("c")], at: hour(503), on: .chat, account: "widget", session: "s"))
    try store.receive(handoff("h2", hour(504)))
    #expect(refusals(store).isEmpty && store.conversation("3")?.handoff != nil)
  }

  @Test func `A reply goes where the customer wrote last, never to the phone`() throws {
    var store = try ModelStore(
      message("1", from: [whatsapp("ana"), phone("+441", .a2)], at: hour(1)),
      message("call", from: [phone("+441", .a2)], at: hour(2), on: .voice, account: "+49900"))
    let conversation = try #require(store.conversation("1")?.id)
    #expect(store.conversation("call")?.id == conversation)
    try store.receive(action(.reply, on: conversation, at: hour(3)))
    #expect(store.events.last?.topic == "outbound.whatsapp")
  }

  @Test func `Who answers and hands over at once has answered; who answers after somebody took over has not`() throws {
    var (store, conversation) = try waiting()
    store.own(conversation, .init(kind: .agent, id: "agent-2", epoch: 3))
    store.holders[Holding(tenant: "shop", conversation: conversation, epoch: 2)] = ("agent-1", hour(5))
    try store.receive(
      action(.reply, on: conversation, at: hour(4), epoch: 2), action(.reply, on: conversation, at: hour(6), epoch: 2),
      action(.reply, on: conversation, at: hour(4.5), epoch: 2, agent: "agent-9"))
    #expect(refusals(store) == ["stale_epoch", "stale_epoch"])
    #expect(store.messages.count { $0.message.authorID == "agent-1" } == 1)
  }

  @Test(arguments: [1, 2])
  func `Results of one message come in any order and in any batch`(_ size: Int) throws {
    var (store, conversation) = try waiting()
    try store.receive(action(.reply, on: conversation, at: hour(2)))
    let reply = try #require(store.messages.last?.id)
    let results = [
      result(reply, "read", named: nil, at: hour(3)), result(reply, "failed", named: nil, at: hour(4)),
      result(reply, "sent", named: "wamid", at: hour(5)),
    ].map { record([.event($0)]) }
    for start in stride(from: 0, to: results.count, by: size) {
      try store.commit(Array(results[start..<min(start + size, results.count)]))
    }
    let stored = store.deliveries[InTenant("shop", reply)]
    #expect(stored?.status == "read" && stored?.externalID == "wamid")
    #expect(!store.events.contains { $0.type == "conversation.delivery_failed" })
  }

  @Test func `An echo that landed in another conversation is found by its name`() throws {
    var (store, conversation) = try waiting()
    store.set(.closed, conversation, at: hour(2))
    try store.receive(message("2", from: [whatsapp("ana")], at: hour(400)))
    try store.receive(action(.reply, on: conversation, at: hour(401)))
    let reply = try #require(store.messages.last?.id)
    var echo = echo("wamid", to: [whatsapp("ana")], at: hour(401))
    echo.key = MessageKey(hash("wamid"))
    try store.receive(echo, result(reply, "sent", named: "wamid", at: hour(402)))
    #expect(store.messages.filter { $0.message.direction == .outbound && $0.deletedAt == nil }.map(\.id) == [reply])
  }

  @Test(arguments: [1, 7])
  func `Machines that answer each other are cut off within a day`(_ size: Int) throws {
    var store = ModelStore()
    store.policy.automaticPerDay = 3
    let events =
      (0..<8).map {
        message(
          "auto\($0)", from: [email("robot@x.org")], at: hour(Double($0)), on: .email, account: "desk@shop.example",
          author: .system)
      } + [
        message("next day", from: [email("robot@x.org")], at: hour(30), on: .email, account: "desk@shop.example", author: .system)
      ]
    for start in stride(from: 0, to: events.count, by: size) {
      try store.commit(events[start..<min(start + size, events.count)].map { record([.event($0)]) })
    }
    // The first one opens the conversation.
    #expect(store.messages.compactMap(\.message.externalID) == ["auto0", "auto1", "auto2", "auto3", "next day"])
    #expect(store.outcomes.filter { $0 == [.ignored(reason: "loop")] }.count == 4)
    #expect(store.conversations.values.allSatisfy { $0.status == .pending }, "and nobody has work from it")
  }
}
