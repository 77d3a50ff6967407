import Canonical

/// The second half of a batch's plan: chooses the conversation of every message by the cascade of identity-and-threading.md, applies
/// merges (`ThreadPlanner+Merges`) and what agents do (`ThreadPlanner+Actions`), and derives all rows and events.
///
/// It goes through the elements one by one on its own copy of the facts, so that the plan for a batch is what its records alone,
/// one after the other, would have left behind.
public struct ThreadPlanner: Sendable {
  let policy: Policy
  let facts: ThreadFacts
  var ids: IDGenerator
  var writes = WriteSet()
  var conversations: [InTenant<ID>: ConversationState]
  var references: [InTenant<ReferenceKey>: (conversation: ID, message: ID?)]
  var profiles: [InTenant<ID>: CustomerProfile]
  var routes: [InTenant<ID>: [Surface: Route]]
  /// Where we may write, as far as that has been said.
  var consents: [WriteSet.Address: Consent]
  var outboundSeqs: [OutboundTopic: Int64]
  /// Those that something happens to.
  var messages: [InTenant<ID>: StoredMessage]
  /// What waits for a name, stored or of this batch.
  var waiting: [InTenant<ReferenceKey>: [WriteSet.ParkedEvent]]
  var live: [Lane: ID] = [:]
  var ended: [Lane: Set<ID>] = [:]
  /// In the order of first use, so that rows come out the same for the same batch.
  private var newConversations: [InTenant<ID>] = []
  private var changedConversations: [InTenant<ID>] = []
  private var touched: Set<InTenant<ID>> = []
  /// Reopened by the message that is being added: its event carries that message's id.
  private var reopened: Set<InTenant<ID>> = []
  /// Whose messages are somewhere else, or somebody else's, by now.
  var moved: Set<InTenant<ID>> = []

  public static func plan(_ identity: IdentityPlan, facts: ThreadFacts, policy: Policy, ids: IDGenerator) -> WriteSet {
    var planner = ThreadPlanner(facts: facts, policy: policy, ids: ids)
    planner.run(identity)
    return planner.writes
  }

  private init(facts: ThreadFacts, policy: Policy, ids: IDGenerator) {
    self.policy = policy
    self.ids = ids
    self.facts = facts
    conversations = facts.conversations
    references = facts.references
    profiles = facts.profiles
    routes = facts.routes
    consents = facts.consents
    outboundSeqs = facts.outboundSeqs
    messages = facts.messages
    waiting = facts.parked
    for (key, conversation) in facts.conversations { index(conversation, key) }
  }

  mutating func index(_ conversation: ConversationState, _ key: InTenant<ID>) {
    let lane = conversation.laneKey
    if conversation.status.isLive {
      live[lane] = conversation.id
    } else if conversation.mergedInto == nil {
      ended[lane, default: []].insert(conversation.id)
    }
  }

  /// The conversation, or the one that it has become part of.
  func current(_ tenant: String, _ id: ID) -> ConversationState? {
    var found = conversations[InTenant(tenant, id)]
    while let next = found?.mergedInto { found = conversations[InTenant(tenant, next)] }
    return found
  }

  func latestEnded(_ lane: Lane) -> ConversationState? {
    ended[lane]?.compactMap { conversations[InTenant(lane.tenant, $0)] }.max { ($0.endedAt, $0.id) < ($1.endedAt, $1.id) }
  }

  private mutating func run(_ identity: IdentityPlan) {
    let resolver = identity.resolver
    writes.outcomes = identity.records.map { _ in [] }
    // What is rejected leaves no key: a retry is not a duplicate, nor is a repetition in this batch.
    var rejected: [InTenant<MessageKey>: Rejection] = [:]
    func settle(_ key: MessageKey, of event: Event, _ outcome: Outcome) {
      let key = InTenant(event.tenant, key)
      if case .deadLetter = outcome { rejected[key] = writes.deadLetters.last?.rejection } else { writes.keys.append(key) }
    }
    for element in identity.elements {
      let record = identity.records[element.record]
      let outcome: Outcome
      switch element.content {
      case .duplicate(let key):
        outcome = rejected[key].map { reject($0, key.tenant, element, isAlone: record.elements.count == 1) } ?? .duplicate
      case .ignored(let reason): outcome = .ignored(reason: reason)
      case .rejected(let rejection): outcome = reject(rejection, record.tenant, element, isAlone: record.elements.count == 1)
      case .event(let event, let orderedAt, let resolved):
        for merge in resolved?.merges ?? [] { apply(merge, event) }
        if let resolved, resolved.isNewlyKnown { adopt(InTenant(event.tenant, resolved.customer), orderedAt, event) }
        outcome = store(event, orderedAt, resolved, element, resolver)
        settle(event.key, of: event, outcome)
      case .result(let event, let result, let orderedAt, let echoes):
        outcome = apply(result, event, orderedAt, element)
        for key in [event.key] + echoes { settle(key, of: event, outcome) }
      }
      writes.outcomes[element.record].append(outcome)
    }
    for (key, createdAt) in resolver.newCustomers {
      let profile = profiles[key] ?? CustomerProfile(isVerified: (resolver.assurances[key] ?? .a0) >= .a1)
      let survivor = resolver.survivor(of: key)
      writes.customers.append(
        .init(
          tenant: key.tenant, id: key.value, profile: profile, createdAt: createdAt,
          mergedInto: survivor == key.value ? nil : survivor))
      writes.changedCustomers[key] = nil
    }
    writes.moves = moved.sorted().compactMap { key in
      current(key.tenant, key.value).map {
        WriteSet.Move(tenant: key.tenant, from: key.value, into: $0.id, customer: $0.customer)
      }
    }
    writes.outboundSeqs = outboundSeqs.filter { facts.outboundSeqs[$0.key] != $0.value }
    writes.newConversations = newConversations.compactMap { conversations[$0] }
    writes.changedConversations = changedConversations.compactMap { conversations[$0] }
  }

  mutating func reject(
    _ rejection: Rejection, _ tenant: String, _ element: IdentityPlan.Element, isAlone: Bool
  ) -> Outcome {
    writes.deadLetters.append(
      .init(
        tenant: tenant, id: ids.next(), record: element.record, element: isAlone ? nil : element.element, rejection: rejection))
    return .deadLetter(rejection.reason)
  }

  private mutating func store(
    _ event: Event, _ orderedAt: Timestamp, _ resolved: Resolved?, _ element: IdentityPlan.Element,
    _ resolver: IdentityResolver
  ) -> Outcome {
    var messageID: ID?
    let outcome: Outcome
    switch event.body {
    case .message(let message):
      guard let resolved else { preconditionFailure("every message has a customer") }
      // Whatever becomes of the message, its identifiers are known from now on.
      updateProfile(event, resolved, resolver) { profile in
        profile.displayName = profile.displayName ?? message.customerName
      }
      if message.authorKind == .bot, !message.isTranscript, let refusal = refusal(ofBot: message, event, orderedAt) {
        return refusal
      }
      if let refusal = refusal(ofHandoff: message, event, orderedAt, resolved) { return refusal }
      if isHeld(message, event.tenant) { return .ignored(reason: "held_already") }
      if message.isTranscript, live[Lane(event: event, resolved: resolved)] == nil { return .ignored(reason: "not_handed_over") }
      if isLoop(message, event, orderedAt, resolved) { return .ignored(reason: "loop") }
      if let part = message.part, let joined = join(message, part, event, orderedAt, resolved.customer) { return joined }
      let (id, place) = add(message, of: event, orderedAt, resolved)
      if message.isHandoff { handOff(place, by: id, event, orderedAt) }
      messageID = id
      outcome = .stored
    case .contact(let contact):
      guard let resolved else { return .stored }
      // What nobody vouches for changes nothing that others rely on.
      guard contact.identifiers.contains(where: { $0.assurance >= .a1 }) else {
        outcome = .stored
        break
      }
      var contact = contact
      // A clock ahead of its time would keep out every later word.
      contact.updatedAt = min(contact.updatedAt, event.receivedAt)
      if let organization = contact.organization { add(organization, of: event, contact.updatedAt) }
      updateProfile(event, resolved, resolver) { Self.apply(contact, from: event.account, to: &$0) }
      outcome = .stored
    case .order(let order):
      if let resolved, order.isAttested {
        updateProfile(event, resolved, resolver) { profile in
          profile.displayName = profile.displayName ?? order.customerName
          profile.language = profile.language ?? order.language
        }
      }
      outcome = add(order, event, resolved)
    case .survey(let response):
      if let resolved {
        updateProfile(event, resolved, resolver) { $0.displayName = $0.displayName ?? response.customerName }
      }
      outcome = add(response, event, resolved)
    case .change(let change):
      if let resolved, change.kind == Change.identityChange { updateProfile(event, resolved, resolver) { _ in } }
      if let done = apply(change, event, orderedAt, resolved) { return done }
      park(event, change, resolved?.customer, element)
      outcome = .parked
    case .unknown(let unknown):
      park(event, Change(kind: "unknown", details: Self.details(unknown)), nil, element)
      outcome = .stored
    case .action(let action):
      if let resolved { updateProfile(event, resolved, resolver) { _ in } }
      outcome = apply(action, event, orderedAt, element, resolved)
    // Results have a content of their own, and presence is the router's.
    case .result, .presence: outcome = .ignored(reason: "routing")
    }
    for claim in resolved?.claims ?? [] {
      guard let customer = resolved?.customer else { break }
      writes.claims.append(
        .init(
          tenant: event.tenant, id: ids.next(), customer: customer, message: messageID, identifier: claim, at: orderedAt))
    }
    return outcome
  }

  // MARK: - Conversations

  private mutating func add(
    _ message: Message, of event: Event, _ orderedAt: Timestamp, _ resolved: Resolved
  ) -> (ID, in: InTenant<ID>) {
    let id = ids.next()
    var message = message
    let lane = Lane(event: event, resolved: resolved)
    let (conversation, links) = place(&message, event, orderedAt, lane)
    let side = message.customer.first { $0.identifier.kind.definesCustomer }?.identifier
    // Our people pass on what a customer wrote: the answer is not for them.
    let isOurs = side.map { $0.kind == .email && policy.ownMailboxes.contains($0.value, of: event.tenant) } ?? false
    let address = isOurs && message.continuation != nil ? nil : side?.value
    for link in links where link.conversation != conversation {
      let link = WriteSet.NewLink(
        tenant: event.tenant, conversation: conversation, linked: link.conversation, reason: link.reason)
      if writes.links[link] == nil { writes.links[link] = (id, orderedAt) }
    }
    if !message.isTranscript { remember(&message, event, conversation: conversation, message: id) }
    writes.messages.append(
      .init(
        tenant: event.tenant, id: id, conversation: conversation,
        customer: conversations[InTenant(event.tenant, conversation)]?.customer ?? resolved.customer, channel: event.channel,
        account: event.account, sentAt: event.sentAt, receivedAt: event.receivedAt, orderedAt: orderedAt, message: message,
        address: address, addressKind: side?.kind.rawValue))
    let key = InTenant(event.tenant, conversation)
    // In a ticket of another desk only the desk can be answered.
    if let address = address ?? message.replyAddress, event.channel != .ticket || message.replyAddress != nil,
      message.isSaidByCustomer || message.isHandoff
    {
      let surface = Surface(event.channel, message.visibility)
      let route = Route(
        account: event.account, address: address, replyAddress: message.replyAddress,
        externalID: message.isHandoff ? nil : message.externalID, orderedAt: orderedAt, message: id, isHeard: !message.isHandoff)
      if routes[key]?[surface]?.isBefore(route) ?? true { routes[key, default: [:]][surface] = route }
    }
    advance(InTenant(event.tenant, conversation), message, id, event, orderedAt)
    if !waiting.isEmpty {
      for name in message.names { applyParked(InTenant(event.tenant, name), event) }
      if let session = message.session { applyParked(InTenant(event.tenant, session), event) }
    }
    return (id, key)
  }

  /// Step 2: machines that answer each other would go on for ever. Counts the message where its customer's conversation goes on.
  private mutating func isLoop(_ message: Message, _ event: Event, _ orderedAt: Timestamp, _ resolved: Resolved) -> Bool {
    guard message.direction == .inbound, message.authorKind == .system,
      let key = live[Lane(event: event, resolved: resolved)].map({ InTenant(event.tenant, $0) }),
      var conversation = conversations[key]
    else { return false }
    let since = conversation.automaticSince.flatMap { orderedAt.duration(since: $0) < .seconds(86_400) ? $0 : nil }
    guard since == nil || conversation.automaticCount < policy.automaticPerDay else { return true }
    conversation.automaticSince = since ?? orderedAt
    conversation.automaticCount = since == nil ? 1 : conversation.automaticCount + 1
    conversations[key] = conversation
    change(key)
    return false
  }

  /// The cascade: which conversation the message belongs to, opening or reopening it where it must.
  private mutating func place(
    _ message: inout Message, _ event: Event, _ orderedAt: Timestamp, _ lane: Lane
  ) -> (ID, links: [(conversation: ID, reason: String)]) {
    var links: [(conversation: ID, reason: String)] = []
    // Steps 4 and 5: a reference counts when it leads to a conversation of the same customer; nobody reaches a history by an id.
    var referenced: ConversationState?
    let isNamed = message.continuation != nil
    let isOurs = event.isOutbound && (isNamed || message.customer.contains { $0.assurance >= .a1 })
    // Step 3: whoever holds a token of ours takes part in the conversation that it names.
    if let named = message.continuation.flatMap({ current(event.tenant, $0) }) {
      if named.status.isLive || isOurs { return (named.id, []) }
      referenced = named
    }
    let session = message.session.map { [$0] } ?? []
    for (key, isOwnName) in message.names.map({ ($0, true) }) + (session + message.references).map({ ($0, false) }) {
      guard let target = references[InTenant(event.tenant, key)], !(isOwnName && target.message != nil),
        let conversation = current(event.tenant, target.conversation)
      else { continue }
      // What we sent ourselves belongs where its reference leads, if somebody vouches that it was us.
      if conversation.customer == lane.customer || isOurs {
        referenced = referenced ?? conversation
      } else if isOwnName {
        links.append((conversation.id, "referred_to_by_other"))
      } else {
        links.append((conversation.id, "reference_refused"))
        if !message.flags.contains("reference_refused") { message.flags.append("reference_refused") }
      }
    }
    if let referenced, referenced.status.isLive || isOurs { return (referenced.id, links) }
    if referenced == nil { referenced = byNumberOrSubject(message, lane, orderedAt) }
    // Step 7: what it refers to is over; the lane's live conversation takes it, linked.
    if let referenced { links.append((referenced.id, "reference_not_live")) }

    let asksForUs = message.asksForUs
    let ended = latestEnded(lane)
    if let current = live[lane].flatMap({ conversations[InTenant(lane.tenant, $0)] }) {
      // A late message joins what was live when it was sent.
      if !message.isOfABot, orderedAt < current.openedAt, let ended, ended.wasLive(at: orderedAt) { return (ended.id, links) }
      // Step 8.
      let silence = orderedAt.duration(since: current.lastMessageAt)
      guard asksForUs, referenced == nil, silence > policy.idleWindow else { return (current.id, links) }
      resolve(InTenant(lane.tenant, current.id), at: orderedAt, event)
      return (open(lane, event, message, orderedAt, previous: current.id), links)
    }
    // Step 9.
    guard let candidate = referenced.flatMap({ $0.lane == lane.name ? $0 : nil }) ?? ended else {
      return (open(lane, event, message, orderedAt, previous: nil), links)
    }
    let resolvedAt = candidate.endedAt
    // What comes late opens it again as well: nobody has seen it.
    let isLate = candidate.wasLive(at: orderedAt)
    if candidate.status == .resolved, isLate || orderedAt.duration(since: resolvedAt) <= policy.reopenWindow(event.channel) {
      if asksForUs {
        reopen(InTenant(lane.tenant, candidate.id), lane)
        reopened.insert(InTenant(lane.tenant, candidate.id))
      }
      return (candidate.id, links)
    }
    return (open(lane, event, message, orderedAt, previous: candidate.id), links)
  }

  /// Step 6: a human reference number, or the subject of a conversation that is over; of the same customer, and not for long.
  private func byNumberOrSubject(_ message: Message, _ lane: Lane, _ orderedAt: Timestamp) -> ConversationState? {
    guard let subject = message.subject else { return nil }
    let isRecent = { [policy] (conversation: ConversationState) in
      orderedAt.duration(since: conversation.lastMessageAt) <= policy.referenceWindow
    }
    if let number = Subject.reference(in: subject), let id = facts.numbers[InTenant(lane.tenant, number)],
      let numbered = current(lane.tenant, id), numbered.customer == lane.customer, isRecent(numbered)
    {
      return numbered
    }
    guard live[lane] == nil, let base = Subject.base(subject) else { return nil }
    return ended[lane]?.compactMap { conversations[InTenant(lane.tenant, $0)] }
      .filter { $0.subject.flatMap(Subject.base) == base && isRecent($0) }
      .max { ($0.endedAt, $0.id) < ($1.endedAt, $1.id) }
  }

  private mutating func open(
    _ lane: Lane, _ event: Event, _ message: Message, _ orderedAt: Timestamp, previous: ID?
  ) -> ID {
    let id = ids.next()
    let key = InTenant(lane.tenant, id)
    var conversation = ConversationState(
      tenant: lane.tenant, id: id, customer: lane.customer, lane: lane.name,
      // What we send and what machines send waits for nobody here.
      status: message.asksForUs ? .open : .pending, lastChannel: event.channel.rawValue, previous: previous,
      openedAt: orderedAt, lastMessageAt: orderedAt)
    conversation.version = 1
    conversation.lastAccount = event.account
    let status = conversation.status
    emit("conversation.opened", &conversation, event, orderedAt) { data in
      data.member("channel", event.channel.rawValue)
      data.member("status", status.rawValue)
      data.member("opened_at", orderedAt.iso8601)
      data.member("previous_conversation_id", previous)
    }
    conversations[key] = conversation
    newConversations.append(key)
    touched.insert(key)
    live[lane] = id
    return id
  }

  mutating func reopen(_ key: InTenant<ID>, _ lane: Lane) {
    guard var conversation = conversations[key] else { return }
    conversation.status = .open
    conversation.resolvedAt = nil
    conversations[key] = conversation
    live[lane] = key.value
    ended[lane]?.remove(key.value)
  }

  /// - Parameter reason: `idle`, or `agent` with who it was.
  mutating func resolve(_ key: InTenant<ID>, at time: Timestamp, _ event: Event, reason: String = "idle", agent: String? = nil) {
    guard var conversation = conversations[key] else { return }
    conversation.status = .resolved
    conversation.resolvedAt = time
    conversation.waitingSince = nil
    conversation.snoozedUntil = nil
    conversation.handoff = nil
    conversation.version += 1
    emit("conversation.resolved", &conversation, event, time) { data in
      data.member("reason", reason)
      data.member("agent_id", agent)
    }
    conversations[key] = conversation
    change(key)
    let lane = conversation.laneKey
    live[lane] = nil
    ended[lane, default: []].insert(key.value)
  }

  mutating func change(_ key: InTenant<ID>) {
    if touched.insert(key).inserted { changedConversations.append(key) }
  }

  /// What the message does to its conversation, and the events that tell of it.
  mutating func advance(_ key: InTenant<ID>, _ message: Message, _ id: ID, _ event: Event, _ orderedAt: Timestamp) {
    guard var conversation = conversations[key] else { preconditionFailure("placed in a conversation that is not known") }
    change(key)
    conversation.version += 1
    if reopened.remove(key) != nil {
      emit("conversation.reopened", &conversation, event, orderedAt) { $0.member("message_id", id) }
    }
    let isNewest = orderedAt >= conversation.lastMessageAt
    if isNewest, message.direction != .internal, !message.isTranscript, conversation.lastChannel != event.channel.rawValue {
      let from = conversation.lastChannel
      conversation.lastChannel = event.channel.rawValue
      emit("conversation.channel_switched", &conversation, event, orderedAt) { data in
        data.member("from", from)
        data.member("to", event.channel.rawValue)
        data.member("message_id", id)
      }
    }
    conversation.openedAt = min(conversation.openedAt, orderedAt)
    if !message.isTranscript { conversation.lastMessageAt = max(conversation.lastMessageAt, orderedAt) }
    conversation.language = conversation.language ?? message.language
    conversation.subject = conversation.subject ?? message.subject
    switch (message.direction, message.authorKind) {
    case _ where message.isTranscript: break
    case (.inbound, _) where message.isStandby:
      if message.isSaidByCustomer { conversation.customerVersion = conversation.version }
    // Whoever has handed it over says so; a colleague answers.
    case (.outbound, _) where message.isStandby && conversation.handoff != nil: break
    case (.inbound, .customer):
      conversation.lastAccount = event.account
      conversation.customerVersion = conversation.version
      if conversation.status.isLive {
        conversation.status = .open
        conversation.snoozedUntil = nil
        conversation.waitingSince = min(conversation.waitingSince ?? orderedAt, orderedAt)
      }
    case (.outbound, .agent):
      conversation.firstResponseAt = min(conversation.firstResponseAt ?? orderedAt, orderedAt)
      if isNewest {
        conversation.waitingSince = nil
        if conversation.status == .open { conversation.status = .pending }
      }
    default: break
    }
    emit("conversation.message_added", &conversation, event, orderedAt) { data in
      data.member("message_id", id)
      data.member("channel", event.channel.rawValue)
      data.member("account", event.account)
      data.member("direction", message.direction.rawValue)
      data.member("author_kind", message.authorKind.rawValue)
      data.member("visibility", message.visibility == .private ? nil : message.visibility.rawValue)
      if message.isTranscript { data.member("source", "transcript") }
      data.member("sent_at", event.sentAt?.iso8601)
    }
    conversations[key] = conversation
  }

  mutating func emit(
    _ type: String, _ conversation: inout ConversationState, _ event: Event, _ time: Timestamp,
    _ members: (inout JSONObjectWriter) -> Void
  ) {
    conversation.eventSeq += 1
    var data = JSONObjectWriter()
    data.member("seq", conversation.eventSeq)
    data.member("version", conversation.version)
    data.member("conversation_id", conversation.id)
    data.member("customer_id", conversation.customer)
    members(&data)
    writes.events.append(
      .init(
        tenant: conversation.tenant, id: ids.next(), topic: "conversation.events", type: type,
        subject: conversation.id.description, seq: conversation.eventSeq, at: time, traceparent: event.traceparent,
        data: data.finish()))
  }
}

extension ConversationState {
  fileprivate var endedAt: Timestamp { resolvedAt ?? lastMessageAt }
  fileprivate func wasLive(at time: Timestamp) -> Bool { openedAt <= time && time <= endedAt }
}
