import Canonical

/// What agents and bots do with a conversation, and what becomes of what is sent.
extension ThreadPlanner {
  /// Why an action is not applied: the word in `action.refused`.
  private enum Refusal: String {
    /// Somebody else owns the conversation by now.
    case staleEpoch = "stale_epoch"
    /// Another agent owns it.
    case notOwner = "not_owner"
    /// The customer has written since.
    case notSeen = "not_seen"
    case notLive = "not_live"
    case isLive = "is_live"
    /// Another conversation of the customer is live.
    case otherIsLive = "other_is_live"
    /// The customer has never written on this channel: where should it go?
    case noRoute = "no_route"
    /// None of the identifiers can be given to the customer.
    case notUsable = "not_usable"
    /// No secret is configured to sign links with.
    case noTokens = "no_tokens"
  }

  /// - Parameter resolved: of `identify`, what has been done already; nil when it may not be done.
  mutating func apply(
    _ action: Action, _ event: Event, _ at: Timestamp, _ element: IdentityPlan.Element, _ resolved: Resolved?
  ) -> Outcome {
    guard !action.kind.isRouting else { return .ignored(reason: "routing") }
    if action.kind == .identify, resolved != nil { return .stored }
    guard var conversation = current(event.tenant, action.conversation) else {
      return reject(Rejection(.unknownTarget, "conversation_id"), event.tenant, element, isAlone: true)
    }
    let key = InTenant(event.tenant, conversation.id)
    if let refusal = refusal(of: action, event, conversation) { return refuse(action, &conversation, event, at, refusal) }
    switch action.kind {
    case .reply: return reply(action, key, event, at, invitesTo: nil)
    case .invite:
      guard policy.tokens != nil else { return refuse(action, &conversation, event, at, .noTokens) }
      return reply(action, key, event, at, invitesTo: action.channel)
    case .note: add(message(action, direction: .internal), to: key, ids.next(), event, at)
    case .resolve: resolve(key, at: at, event, reason: action.reason ?? "agent", agent: action.agent)
    case .reopen:
      let lane = conversation.laneKey
      // The lane may have been read by nobody: then the database refuses a second live one, and the batch is planned again.
      guard live[lane] == nil else { return refuse(action, &conversation, event, at, .otherIsLive) }
      reopen(key, lane)
      update(key) { planner, conversation in
        planner.emit("conversation.reopened", &conversation, event, at) { $0.member("agent_id", action.agent) }
      }
    case .snooze:
      update(key) { planner, conversation in
        conversation.status = .snoozed
        conversation.snoozedUntil = action.until
        planner.emit("conversation.snoozed", &conversation, event, at) { data in
          data.member("until", action.until?.iso8601)
          data.member("agent_id", action.agent)
        }
      }
    case .priority:
      update(key) { planner, conversation in
        let old = conversation.priority
        conversation.priority = action.priority ?? old
        planner.emit("conversation.priority_changed", &conversation, event, at) { data in
          data.member("from", Int64(old))
          data.member("to", Int64(action.priority ?? old))
          data.member("agent_id", action.agent)
        }
      }
    // Nothing of it leads to anybody, or nothing may be added.
    case .identify: return refuse(action, &conversation, event, at, .notUsable)
    case .accept, .decline, .take, .release, .transfer: break
    }
    return .stored
  }

  private func refusal(of action: Action, _ event: Event, _ conversation: ConversationState) -> Refusal? {
    // Of a conversation that has become part of another nobody can have seen the epoch.
    let isMoved = conversation.id != action.conversation
    if let epoch = action.ownershipEpoch, isMoved || epoch != conversation.owner.epoch {
      // Who answers and hands over at once was the owner when they wrote: the router may have been faster than we are.
      let holding = Holding(tenant: event.tenant, conversation: action.conversation, epoch: epoch)
      guard action.kind == .reply, !isMoved, let holder = facts.holders[holding], holder.agent == action.agent,
        event.receivedAt <= holder.until
      else { return .staleEpoch }
      return nil
    }
    switch action.kind {
    case .reply, .invite:
      if conversation.owner.kind == .agent, conversation.owner.id != action.agent { return .notOwner }
    case .resolve, .snooze:
      if conversation.owner.kind == .agent, conversation.owner.id != action.agent { return .notOwner }
      if !conversation.status.isLive { return .notLive }
      if let seen = action.seenVersion, seen < conversation.customerVersion { return .notSeen }
    case .reopen:
      if conversation.status.isLive { return .isLive }
    case .note, .priority, .identify, .accept, .decline, .take, .release, .transfer: break
    }
    return nil
  }

  private mutating func refuse(
    _ action: Action, _ conversation: inout ConversationState, _ event: Event, _ at: Timestamp, _ refusal: Refusal
  ) -> Outcome {
    let epoch = conversation.owner.epoch
    emit("action.refused", &conversation, event, at) { data in
      data.member("action_id", action.id)
      data.member("kind", action.kind.rawValue)
      data.member("agent_id", action.agent)
      data.member("reason", refusal.rawValue)
      data.member("ownership_epoch", epoch)
    }
    let key = InTenant(conversation.tenant, conversation.id)
    conversations[key] = conversation
    change(key)
    return .ignored(reason: "refused_" + refusal.rawValue)
  }

  mutating func update(_ key: InTenant<ID>, _ body: (inout ThreadPlanner, inout ConversationState) -> Void) {
    guard var conversation = conversations[key] else { return }
    conversation.version += 1
    body(&self, &conversation)
    conversations[key] = conversation
    change(key)
  }

  private func message(_ action: Action, direction: Direction, details: JSONText = JSONText()) -> Message {
    Message(
      direction: direction, authorKind: .agent, authorID: action.agent, customer: [], text: action.text,
      attachments: action.attachments, details: details)
  }

  // MARK: - What is sent

  /// An answer, or an invitation with a signed link: a message here, and one for the adapter.
  private mutating func reply(
    _ action: Action, _ key: InTenant<ID>, _ event: Event, _ at: Timestamp, invitesTo invited: Channel?
  ) -> Outcome {
    guard var conversation = conversations[key] else { return .stored }
    let routes = routes[key] ?? [:]
    // Whoever reads an invitation can take part.
    let isInvitation = invited != nil
    let visibility = isInvitation ? .private : action.visibility
    guard let (surface, route) = Self.surface(among: routes, isInvitation ? nil : action.channel, visibility),
      isOpen(route, on: surface, tenant: key.tenant)
    else { return refuse(action, &conversation, event, at, .noRoute) }
    // What was written for one must not come out among others, nor in another group or ticket, because they have written there meanwhile.
    if surface.visibility != .private {
      let isOpenToDoubt = visibility == nil && routes.contains { $0.key.visibility == .private && $0.key.isWritten }
      if let seen = action.seenVersion ?? (isOpenToDoubt ? 0 : nil), seen < conversation.customerVersion {
        return refuse(action, &conversation, event, at, .notSeen)
      }
    }
    let channel = surface.channel
    let id = ids.next()
    var details = JSONObjectWriter()
    details.member("invited_to", invited?.rawValue)
    var message = message(action, direction: .outbound, details: invited == nil ? JSONText() : details.finish())
    message.visibility = surface.visibility
    message.replyAddress = route.replyAddress
    message.replyToExternalID = route.externalID
    let signed = channel == .email ? policy.tokens?.messageID(key.tenant, key.value, id, route.account) : nil
    message.externalID = signed?.text
    if let signed { note(InTenant(key.tenant, signed.name), key.value, id) }
    add(message, to: key, id, event, at, on: channel, route)

    let topic = OutboundTopic(tenant: key.tenant, conversation: key.value, channel: channel)
    let seq = (outboundSeqs[topic] ?? 0) + 1
    outboundSeqs[topic] = seq
    guard let changed = conversations[key] else { return .stored }
    var data = JSONObjectWriter()
    data.member("seq", seq)
    data.member("version", changed.version)
    data.member("conversation_id", key.value)
    data.member("customer_id", changed.customer)
    data.member("message_id", id)
    data.member("agent_id", action.agent)
    data.member("account", route.account)
    data.member("to", route.replyAddress ?? route.address)
    data.member("visibility", surface.visibility.rawValue)
    data.member("in_reply_to", route.externalID)
    data.member("text", action.text)
    if !action.attachments.isEmpty { data.member("attachments", JSONText(array: action.attachments.map(\.json))) }
    if channel == .email {
      data.member("subject", changed.subject)
      data.member("mail_message_id", signed?.text)
      data.member("reply_to", policy.tokens?.replyTo(key.tenant, key.value, route.account))
    }
    if let invited, let tokens = policy.tokens {
      var continuation = JSONObjectWriter()
      continuation.member("channel", invited.rawValue)
      continuation.member("token", tokens.continuation(key.tenant, key.value))
      data.member("continuation", continuation.finish())
    }
    writes.events.append(
      .init(
        tenant: key.tenant, id: ids.next(), topic: "outbound." + channel.rawValue, type: "outbound.message",
        subject: key.value.description, seq: seq, at: at, traceparent: event.traceparent, data: data.finish()))
    return .stored
  }

  /// Where they wrote last, as far as the agent does not say.
  private static func surface(
    among routes: [Surface: Route], _ channel: Channel?, _ visibility: Visibility?
  ) -> (Surface, Route)? {
    let eligible = routes.filter { surface, _ in
      (channel.map { $0 == surface.channel } ?? surface.isWritten)
        && (visibility == nil || visibility == .private || visibility == surface.visibility)
    }
    guard visibility == .private else { return last(of: eligible) }
    let others = eligible.filter { $0.key.visibility != .private }
    var alone = eligible.filter { surface, route in
      surface.visibility == .private
        && !others.contains { $0.key.channel == surface.channel && $0.value.replyAddress ?? "" == route.replyAddress }
    }
    for (surface, route) in others {
      let own = Surface(surface.channel, .private)
      guard eligible[own] == nil, let person = route.toPerson(on: surface.channel) else { continue }
      if alone[own]?.isBefore(person) ?? true { alone[own] = person }
    }
    return last(of: alone)
  }

  /// At the same moment, what fewest read.
  private static func last(of routes: [Surface: Route]) -> (Surface, Route)? {
    func rank(_ surface: Surface) -> Int {
      Visibility.allCases.count - (Visibility.allCases.firstIndex(of: surface.visibility) ?? 0)
    }
    return routes.max {
      ($0.value.orderedAt, rank($0.key), $0.key.channel.rawValue) < ($1.value.orderedAt, rank($1.key), $1.key.channel.rawValue)
    }
  }

  /// Adds a message of ours to a conversation that is known; without a route it stays among us.
  mutating func add(
    _ message: Message, to key: InTenant<ID>, _ id: ID, _ event: Event, _ at: Timestamp, on channel: Channel? = nil,
    _ route: Route? = nil
  ) {
    guard let conversation = conversations[key] else { return }
    var event = event
    event.channel = channel ?? event.channel
    event.account = route?.account ?? event.account
    writes.messages.append(
      .init(
        tenant: key.tenant, id: id, conversation: key.value, customer: conversation.customer, channel: event.channel,
        account: event.account, sentAt: nil, receivedAt: event.receivedAt, orderedAt: at, message: message,
        address: route?.address, deliveryStatus: route == nil ? nil : "queued"))
    advance(key, message, id, event, at)
  }

  /// What the adapter says about a message of ours: its provider's name leads here from now on. An echo that came first, and was
  /// taken for a message of its own, is the same message.
  mutating func apply(_ result: SendResult, _ event: Event, _ at: Timestamp, _ element: IdentityPlan.Element) -> Outcome {
    let key = InTenant(event.tenant, result.message)
    guard var message = messages[key], message.direction == .outbound,
      let conversation = current(event.tenant, message.conversation)
    else {
      return reject(Rejection(.unknownTarget, "message_id"), event.tenant, element, isAlone: true)
    }
    for name in result.names.map({ InTenant(event.tenant, $0) }) {
      guard let echo = references[name]?.message, echo != result.message else {
        claim(name, conversation.id, result.message)
        continue
      }
      if let position = writes.messages.firstIndex(where: { $0.id == echo && $0.tenant == event.tenant }) {
        writes.messages[position].deletedAt = writes.messages[position].deletedAt ?? at
      } else if writes.deletedEchoes[InTenant(event.tenant, echo)] == nil {
        writes.deletedEchoes[InTenant(event.tenant, echo)] = at
      }
      // How far it came was told of the echo; from now on it is told of the message that stays.
      if let echo = known(InTenant(event.tenant, echo)), let status = echo.status {
        deliver(key, status, error: echo.error, event, at)
      }
      note(name, conversation.id, result.message)
    }
    message.externalID = result.externalID ?? message.externalID
    messages[key] = message
    writes.deliveries[key] = message
    deliver(key, result.status, error: result.error, event, at)
    for name in result.names { applyParked(InTenant(event.tenant, name), event) }
    return .stored
  }

  /// How far a message of ours came. Of one message the words come in any order: what is later on its way stays.
  mutating func deliver(_ key: InTenant<ID>, _ status: String, error: String?, _ event: Event, _ at: Timestamp) {
    guard var message = messages[key], Self.rank(status) >= Self.rank(message.status ?? "") else { return }
    let wasFailed = message.status == "failed"
    (message.status, message.error) = (status, error)
    messages[key] = message
    writes.deliveries[key] = message
    guard status == "failed", !wasFailed, let conversation = current(key.tenant, message.conversation) else { return }
    update(InTenant(key.tenant, conversation.id)) { planner, conversation in
      planner.emit("conversation.delivery_failed", &conversation, event, at) { data in
        data.member("message_id", key.value)
        data.member("error", error)
      }
    }
  }

  /// The order in which a message gets there.
  private static func rank(_ status: String) -> Int {
    ["queued": 0, "sent": 1, "delivered": 2, "failed": 3, "read": 4][status] ?? 0
  }

  // MARK: - Bots

  /// A bot that still speaks after the hand-off is refused.
  mutating func refusal(ofBot message: Message, _ event: Event, _ at: Timestamp) -> Outcome? {
    guard message.direction == .outbound, let session = message.session, var conversation = conversation(named: session, event)
    else { return nil }
    let isStale = message.ownershipEpoch.map { $0 != conversation.owner.epoch } ?? false
    let isOver = isStale || conversation.owner.kind == .agent || conversation.handoff != nil
    guard conversation.status.isLive, isOver else { return nil }
    return refuse(bot: message.authorID, "message", &conversation, event, at)
  }

  /// A bot asks for a human. Nil when its conversation is not known.
  mutating func handOff(_ change: Change, _ event: Event, _ at: Timestamp) -> Outcome? {
    guard let target = change.target, var conversation = conversation(named: target, event) else { return nil }
    guard canBeHandedOff(conversation, change.ownershipEpoch, isAgain: true) else {
      return refuse(bot: nil, "handoff", &conversation, event, at)
    }
    let (key, id) = (InTenant(event.tenant, conversation.id), ids.next())
    handOff(key, by: id, event, at)
    let note = Message(direction: .internal, authorKind: .bot, customer: [], details: change.details)
    add(note, to: key, id, event, at)
    return .stored
  }

  /// Of a hand-off that goes where its customer's conversation goes on: nil, unless a human has that already, or has had it since. One
  /// that opens a conversation, or opens it again, needs but to know the last owner.
  mutating func refusal(ofHandoff message: Message, _ event: Event, _ at: Timestamp, _ resolved: Resolved) -> Outcome? {
    let lane = Lane(event: event, resolved: resolved)
    guard message.isHandoff,
      var current = live[lane].flatMap({ conversations[InTenant(event.tenant, $0)] }) ?? latestEnded(lane)
    else { return nil }
    let goesOn = current.status.isLive && at.duration(since: current.lastMessageAt) <= policy.idleWindow
    let isStale = message.ownershipEpoch.map { $0 != current.owner.epoch } ?? false
    guard goesOn ? !canBeHandedOff(current, message.ownershipEpoch, isAgain: true) : isStale else { return nil }
    return refuse(bot: message.authorID, "handoff", &current, event, at)
  }

  /// - Parameter isAgain: it may wait for a human already: the bot and the provider may both say so, and one of them says more.
  private func canBeHandedOff(_ conversation: ConversationState, _ epoch: Int64?, isAgain: Bool = false) -> Bool {
    let isStale = epoch.map { $0 != conversation.owner.epoch } ?? false
    let isFirst = conversation.handoff == nil
    return conversation.status.isLive && !isStale && conversation.owner.kind != .agent && (isFirst || isAgain)
  }

  /// The conversation waits for a human, as the message says, unless it has one.
  mutating func handOff(_ key: InTenant<ID>, by message: ID, _ event: Event, _ at: Timestamp) {
    guard var conversation = conversations[key], canBeHandedOff(conversation, nil) else { return }
    var handoff = JSONObjectWriter()
    handoff.member("message_id", message)
    handoff.member("at", at.iso8601)
    conversation.handoff = handoff.finish()
    conversation.status = .open
    conversation.snoozedUntil = nil
    conversation.waitingSince = conversation.waitingSince ?? at
    conversation.version += 1
    emit("conversation.handoff_requested", &conversation, event, at) { $0.member("message_id", message) }
    conversations[key] = conversation
    change(key)
  }

  private mutating func refuse(
    bot: String?, _ what: String, _ conversation: inout ConversationState, _ event: Event, _ at: Timestamp
  ) -> Outcome {
    let epoch = conversation.owner.epoch
    emit("action.refused", &conversation, event, at) { data in
      data.member("kind", "bot_" + what)
      data.member("bot_id", bot)
      data.member("reason", Refusal.staleEpoch.rawValue)
      data.member("ownership_epoch", epoch)
    }
    let key = InTenant(conversation.tenant, conversation.id)
    conversations[key] = conversation
    change(key)
    return .ignored(reason: "refused_stale_epoch")
  }
}

extension Message {
  var isFromCustomer: Bool { isSaidByCustomer && !isStandby }
  /// Where it comes from is where they can be written to.
  var isSaidByCustomer: Bool { direction == .inbound && authorKind == .customer && !isTranscript }
  /// Somebody has to do something about it.
  var asksForUs: Bool { isFromCustomer || isHandoff }
  /// About what is now, whatever time it states.
  var isOfABot: Bool { isTranscript || isHandoff }
}
