import Canonical

/// What the database knows about the conversations of a batch's customers, read under their locks.
public struct ThreadFacts: Sendable {
  /// The live conversation of each lane, the two that ended last (the batch may open one of them again), and every conversation
  /// that a reference leads to.
  public var conversations: [InTenant<ID>: ConversationState] = [:]
  public var references: [InTenant<ReferenceKey>: (conversation: ID, isSeen: Bool)] = [:]
  /// The profiles of the existing customers that the batch touches.
  public var profiles: [InTenant<ID>: CustomerProfile] = [:]
  public init() {}
}

/// The second half of a batch's plan: chooses the conversation of every message by the cascade of identity-and-threading.md
/// (steps 1, 4, 5, 7, 8 and 9) and derives all rows and events.
///
/// It goes through the elements one by one on its own copy of the facts, so that the plan for a batch is what its records alone,
/// one after the other, would have left behind.
public struct ThreadPlanner: Sendable {
  private let policy: Policy
  private var ids: IDGenerator
  private var writes = WriteSet()
  private var conversations: [InTenant<ID>: ConversationState]
  private var references: [InTenant<ReferenceKey>: (conversation: ID, isSeen: Bool)]
  private var profiles: [InTenant<ID>: CustomerProfile]
  private var live: [Lane: ID] = [:]
  private var ended: [Lane: Set<ID>] = [:]
  /// In the order of first use, so that rows come out the same for the same batch.
  private var newConversations: [InTenant<ID>] = []
  private var changedConversations: [InTenant<ID>] = []
  private var touched: Set<InTenant<ID>> = []
  /// Reopened by the message that is being added: its event carries that message's id.
  private var reopened: Set<InTenant<ID>> = []

  public static func plan(_ identity: IdentityPlan, facts: ThreadFacts, policy: Policy, ids: IDGenerator) -> WriteSet {
    var planner = ThreadPlanner(facts: facts, policy: policy, ids: ids)
    planner.run(identity)
    return planner.writes
  }

  private init(facts: ThreadFacts, policy: Policy, ids: IDGenerator) {
    self.policy = policy
    self.ids = ids
    conversations = facts.conversations
    references = facts.references
    profiles = facts.profiles
    for (key, conversation) in facts.conversations { index(conversation, key) }
  }

  private mutating func index(_ conversation: ConversationState, _ key: InTenant<ID>) {
    let lane = Lane(tenant: key.tenant, customer: conversation.customer, name: conversation.lane)
    if conversation.status.isLive {
      live[lane] = conversation.id
    } else {
      ended[lane, default: []].insert(conversation.id)
    }
  }

  private func latestEnded(_ lane: Lane) -> ConversationState? {
    ended[lane]?.compactMap { conversations[InTenant(lane.tenant, $0)] }.max { ($0.endedAt, $0.id) < ($1.endedAt, $1.id) }
  }

  private mutating func run(_ identity: IdentityPlan) {
    let resolver = identity.resolver
    writes.outcomes = identity.records.map { _ in [] }
    for element in identity.elements {
      let record = identity.records[element.record]
      let outcome: Outcome
      switch element.content {
      case .duplicate: outcome = .duplicate
      case .ignored(let reason): outcome = .ignored(reason: reason)
      case .rejected(let rejection):
        writes.deadLetters.append(
          .init(
            tenant: record.tenant, id: ids.next(), record: element.record,
            element: record.elements.count > 1 ? element.element : nil, rejection: rejection))
        outcome = .deadLetter(rejection.reason)
      case .event(let event, let orderedAt, let resolved):
        writes.keys.append(InTenant(event.tenant, event.key))
        outcome = store(event, orderedAt, resolved, element, resolver)
      }
      writes.outcomes[element.record].append(outcome)
    }
    for (key, createdAt) in resolver.newCustomers {
      let profile = profiles[key] ?? CustomerProfile(isVerified: (resolver.assurances[key] ?? .a0) >= .a1)
      writes.customers.append(.init(tenant: key.tenant, id: key.value, profile: profile, createdAt: createdAt))
      writes.changedCustomers[key] = nil
    }
    writes.newConversations = newConversations.compactMap { conversations[$0] }
    writes.changedConversations = changedConversations.compactMap { conversations[$0] }
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
      updateProfile(event, resolved, resolver) { profile in
        profile.displayName = profile.displayName ?? message.customerName
      }
      messageID = add(message, of: event, orderedAt, resolved)
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
    case .change(let change):
      if let resolved { updateProfile(event, resolved, resolver) { _ in } }
      park(event, kind: change.kind, change.target, change.targetExternalID, change.details, resolved?.customer, element)
      outcome = .parked
    case .unknown(let unknown):
      park(event, kind: "unknown", nil, nil, Self.details(unknown), nil, element)
      outcome = .stored
    }
    for claim in resolved?.claims ?? [] {
      guard let customer = resolved?.customer else { break }
      writes.claims.append(
        .init(
          tenant: event.tenant, id: ids.next(), customer: customer, message: messageID, identifier: claim, at: orderedAt))
    }
    return outcome
  }

  // MARK: - Customers

  private mutating func updateProfile(
    _ event: Event, _ resolved: Resolved, _ resolver: IdentityResolver, _ change: (inout CustomerProfile) -> Void
  ) {
    let key = InTenant(event.tenant, resolved.customer)
    let before = profiles[key]
    var profile = before ?? CustomerProfile(isVerified: false)
    profile.isVerified = profile.isVerified || resolved.assurance >= .a1
    change(&profile)
    guard profile != before else { return }
    profiles[key] = profile
    writes.changedCustomers[key] = profile
  }

  /// Rule 10: the newest word of the business wins, and every trait keeps its source and time.
  private static func apply(_ contact: Contact, from source: String, to profile: inout CustomerProfile) {
    guard profile.updatedAt.map({ contact.updatedAt >= $0 }) ?? true else { return }
    profile.updatedAt = contact.updatedAt
    profile.displayName = contact.displayName ?? profile.displayName
    profile.language = contact.language ?? profile.language
    profile.organization = contact.organization?.externalID ?? profile.organization
    for (name, value) in contact.traits {
      var trait = JSONObjectWriter()
      trait.member("value", value)
      trait.member("source", source)
      trait.member("at", contact.updatedAt.iso8601)
      profile.traits[name] = trait.finish()
    }
  }

  private mutating func add(_ organization: Organization, of event: Event, _ updatedAt: Timestamp) {
    let key = InTenant(event.tenant, organization.externalID)
    // Who only names it says nothing about it.
    let isBare = organization == Organization(externalID: organization.externalID)
    let updatedAt = isBare ? Timestamp.storable.lowerBound : updatedAt
    if let known = writes.organizations[key], known.at > updatedAt { return }
    writes.organizations[key] = (organization, updatedAt)
  }

  // MARK: - Conversations

  private mutating func add(
    _ message: Message, of event: Event, _ orderedAt: Timestamp, _ resolved: Resolved
  ) -> ID {
    let id = ids.next()
    var message = message
    let lane = Lane(event: event, resolved: resolved)
    let (conversation, links) = place(&message, event, orderedAt, lane)
    for link in links where link.conversation != conversation {
      let link = WriteSet.NewLink(
        tenant: event.tenant, conversation: conversation, linked: link.conversation, reason: link.reason)
      if writes.links[link] == nil { writes.links[link] = (id, orderedAt) }
    }
    remember(&message, event, conversation: conversation, message: id)
    writes.messages.append(
      .init(
        tenant: event.tenant, id: id, conversation: conversation,
        customer: conversations[InTenant(event.tenant, conversation)]?.customer ?? resolved.customer, channel: event.channel,
        account: event.account, sentAt: event.sentAt, receivedAt: event.receivedAt, orderedAt: orderedAt, message: message))
    advance(InTenant(event.tenant, conversation), message, id, event, orderedAt)
    return id
  }

  /// The cascade: which conversation the message belongs to, opening or reopening it where it must.
  private mutating func place(
    _ message: inout Message, _ event: Event, _ orderedAt: Timestamp, _ lane: Lane
  ) -> (ID, links: [(conversation: ID, reason: String)]) {
    var links: [(conversation: ID, reason: String)] = []
    // Steps 4 and 5: a reference counts when it leads to a conversation of the same customer; nobody reaches a history by an id.
    var referenced: ConversationState?
    let isOurs = event.isOutbound && message.customer.contains { $0.assurance >= .a1 }
    let session = message.session.map { [$0] } ?? []
    for (key, isOwnName) in message.names.map({ ($0, true) }) + (session + message.references).map({ ($0, false) }) {
      guard let target = references[InTenant(event.tenant, key)], !(isOwnName && target.isSeen),
        let conversation = conversations[InTenant(event.tenant, target.conversation)]
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
    // Step 7: what it refers to is over; the lane's live conversation takes it, linked.
    if let referenced { links.append((referenced.id, "reference_not_live")) }

    let isFromCustomer = message.direction == .inbound && message.authorKind == .customer
    let ended = latestEnded(lane)
    if let current = live[lane].flatMap({ conversations[InTenant(lane.tenant, $0)] }) {
      // A late message joins what was live when it was sent.
      if orderedAt < current.openedAt, let ended, ended.wasLive(at: orderedAt) { return (ended.id, links) }
      // Step 8.
      let silence = orderedAt.duration(since: current.lastMessageAt)
      guard isFromCustomer, referenced == nil, silence > policy.idleWindow else { return (current.id, links) }
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
      if isFromCustomer { reopen(InTenant(lane.tenant, candidate.id), lane) }
      return (candidate.id, links)
    }
    return (open(lane, event, message, orderedAt, previous: candidate.id), links)
  }

  private mutating func open(
    _ lane: Lane, _ event: Event, _ message: Message, _ orderedAt: Timestamp, previous: ID?
  ) -> ID {
    let id = ids.next()
    let key = InTenant(lane.tenant, id)
    var conversation = ConversationState(
      tenant: lane.tenant, id: id, customer: lane.customer, lane: lane.name,
      status: message.direction == .outbound ? .pending : .open, lastChannel: event.channel.rawValue, previous: previous,
      openedAt: orderedAt, lastMessageAt: orderedAt)
    conversation.version = 1
    let status = conversation.status
    emit("conversation.opened", &conversation, event, orderedAt) { data in
      data.member("channel", event.channel.rawValue)
      data.member("status", status.rawValue)
      data.member("opened_at", orderedAt.iso8601)
      data.member("previous_conversation_id", previous?.description)
    }
    conversations[key] = conversation
    newConversations.append(key)
    touched.insert(key)
    live[lane] = id
    return id
  }

  private mutating func reopen(_ key: InTenant<ID>, _ lane: Lane) {
    guard var conversation = conversations[key] else { return }
    conversation.status = .open
    conversation.resolvedAt = nil
    conversations[key] = conversation
    reopened.insert(key)
    live[lane] = key.value
    ended[lane]?.remove(key.value)
  }

  private mutating func resolve(_ key: InTenant<ID>, at time: Timestamp, _ event: Event) {
    guard var conversation = conversations[key] else { return }
    conversation.status = .resolved
    conversation.resolvedAt = time
    conversation.version += 1
    emit("conversation.resolved", &conversation, event, time) { $0.member("reason", "idle") }
    conversations[key] = conversation
    change(key)
    let lane = Lane(tenant: key.tenant, customer: conversation.customer, name: conversation.lane)
    live[lane] = nil
    ended[lane, default: []].insert(key.value)
  }

  private mutating func change(_ key: InTenant<ID>) {
    if touched.insert(key).inserted { changedConversations.append(key) }
  }

  /// What the message does to its conversation, and the events that tell of it.
  private mutating func advance(_ key: InTenant<ID>, _ message: Message, _ id: ID, _ event: Event, _ orderedAt: Timestamp) {
    guard var conversation = conversations[key] else { preconditionFailure("placed in a conversation that is not known") }
    change(key)
    conversation.version += 1
    if reopened.remove(key) != nil {
      emit("conversation.reopened", &conversation, event, orderedAt) { $0.member("message_id", id.description) }
    }
    let isNewest = orderedAt >= conversation.lastMessageAt
    if isNewest, conversation.lastChannel != event.channel.rawValue {
      let from = conversation.lastChannel
      conversation.lastChannel = event.channel.rawValue
      emit("conversation.channel_switched", &conversation, event, orderedAt) { data in
        data.member("from", from)
        data.member("to", event.channel.rawValue)
        data.member("message_id", id.description)
      }
    }
    conversation.openedAt = min(conversation.openedAt, orderedAt)
    conversation.lastMessageAt = max(conversation.lastMessageAt, orderedAt)
    conversation.language = conversation.language ?? message.language
    conversation.subject = conversation.subject ?? message.subject
    switch (message.direction, message.authorKind) {
    case (.inbound, .customer):
      if conversation.status == .pending || conversation.status == .snoozed { conversation.status = .open }
    case (.outbound, .agent):
      conversation.firstResponseAt = min(conversation.firstResponseAt ?? orderedAt, orderedAt)
      if isNewest, conversation.status == .open { conversation.status = .pending }
    default: break
    }
    emit("conversation.message_added", &conversation, event, orderedAt) { data in
      data.member("message_id", id.description)
      data.member("channel", event.channel.rawValue)
      data.member("account", event.account)
      data.member("direction", message.direction.rawValue)
      data.member("author_kind", message.authorKind.rawValue)
      data.member("sent_at", event.sentAt?.iso8601)
    }
    conversations[key] = conversation
  }

  private mutating func emit(
    _ type: String, _ conversation: inout ConversationState, _ event: Event, _ time: Timestamp,
    _ members: (inout JSONObjectWriter) -> Void
  ) {
    conversation.eventSeq += 1
    var data = JSONObjectWriter()
    data.member("seq", conversation.eventSeq)
    data.member("version", conversation.version)
    data.member("conversation_id", conversation.id.description)
    data.member("customer_id", conversation.customer.description)
    members(&data)
    writes.events.append(
      .init(
        tenant: conversation.tenant, id: ids.next(), type: type, subject: conversation.id, seq: conversation.eventSeq, at: time,
        traceparent: event.traceparent, data: data.finish()))
  }

  // MARK: - References and parked events

  /// What others may call this message by now leads to its conversation, and so do the names it heard of.
  private mutating func remember(_ message: inout Message, _ event: Event, conversation: ID, message id: ID) {
    for name in message.names {
      let key = InTenant(event.tenant, name)
      // Somebody else's message already has this name: it keeps it, the second one is marked.
      if let known = references[key], known.isSeen {
        if !message.flags.contains("duplicate_id") { message.flags.append("duplicate_id") }
        continue
      }
      note(key, conversation, id)
    }
    for reference in message.references + (message.session.map { [$0] } ?? []) {
      let key = InTenant(event.tenant, reference)
      if references[key] == nil { note(key, conversation, nil) }
    }
  }

  private mutating func note(_ key: InTenant<ReferenceKey>, _ conversation: ID, _ message: ID?) {
    let isStored = references[key] != nil && writes.references[key].map(\.replaces) ?? true
    references[key] = (conversation, message != nil)
    writes.references[key] = .init(conversation: conversation, message: message, replaces: isStored)
  }

  private mutating func park(
    _ event: Event, kind: String, _ target: ReferenceKey?, _ targetExternalID: String?, _ details: JSONText, _ customer: ID?,
    _ element: IdentityPlan.Element
  ) {
    writes.parked.append(
      .init(
        tenant: event.tenant, id: ids.next(), kind: kind, channel: event.channel, account: event.account, customer: customer,
        target: target, targetExternalID: targetExternalID, sentAt: event.sentAt, receivedAt: event.receivedAt, details: details,
        record: element.record, element: element.element))
  }

  private static func details(_ unknown: Unknown) -> JSONText {
    var details = JSONObjectWriter()
    details.member("unknown", unknown.what)
    details.member("element", unknown.details)
    return details.finish()
  }
}

extension ConversationState {
  fileprivate var endedAt: Timestamp { resolvedAt ?? lastMessageAt }
  fileprivate func wasLive(at time: Timestamp) -> Bool { openedAt <= time && time <= endedAt }
}
