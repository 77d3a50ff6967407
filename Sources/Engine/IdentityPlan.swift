import Canonical

/// The first half of a batch's plan: duplicates told apart and every sender resolved, record by record.
public struct IdentityPlan: Sendable {
  public struct Element: Sendable {
    public var record: Int
    public var element: Int
    public var content: Content
  }
  public enum Content: Sendable {
    /// To be stored: its clamped time, and whose it is.
    indirect case event(Event, orderedAt: Timestamp, Resolved?)
    /// What became of a message of ours; `echoes` are the keys that its echo will have and has not had yet.
    indirect case result(Event, SendResult, orderedAt: Timestamp, echoes: [MessageKey])
    /// Its key is stored already, or an earlier element of the batch has it.
    case duplicate(InTenant<MessageKey>)
    case ignored(reason: String)
    case rejected(Rejection)
  }

  /// Those that fit into one plan; an identifier that leads to somebody else from then on ends it.
  public private(set) var records: [NormalisedRecord]
  public private(set) var rest: [NormalisedRecord] = []
  public private(set) var elements: [Element] = []
  public private(set) var resolver: IdentityResolver

  /// - Parameter seenKeys: the keys of the batch that are stored already.
  public init(
    records: [NormalisedRecord], seenKeys: Set<InTenant<MessageKey>>, facts: IdentityFacts, policy: Policy, ids: IDGenerator
  ) {
    self.records = records
    resolver = IdentityResolver(facts: facts, policy: policy, ids: ids)
    var seen = seenKeys
    for (recordIndex, record) in records.enumerated() {
      if recordIndex > 0, resolver.needsToLookAgain(for: record) {
        rest = Array(records[recordIndex...])
        self.records = Array(records[..<recordIndex])
        break
      }
      for (elementIndex, element) in record.elements.enumerated() {
        if case .event(let event) = element, event.channel.isCustomers { resolver.register(event) }
        let content: Content =
          switch element {
          case .ignored(let reason): .ignored(reason: reason)
          case .rejected(let rejection): .rejected(rejection)
          case .event(let event):
            if seen.insert(InTenant(event.tenant, event.key)).inserted {
              Self.resolved(event, policy, &resolver, seen: &seen)
            } else {
              .duplicate(InTenant(event.tenant, event.key))
            }
          }
        elements.append(Element(record: recordIndex, element: elementIndex, content: content))
      }
      guard resolver.endsPlan else { continue }
      rest = Array(records[(recordIndex + 1)...])
      self.records = Array(records[...recordIndex])
      break
    }
  }

  private static func resolved(
    _ event: Event, _ policy: Policy, _ resolver: inout IdentityResolver, seen: inout Set<InTenant<MessageKey>>
  ) -> Content {
    let orderedAt = clamp(event, policy)
    guard case .result(let result) = event.body else {
      return .event(event, orderedAt: orderedAt, resolver.resolve(event, at: orderedAt))
    }
    let echoes = result.names.map { MessageKey($0.raw) }.filter { seen.insert(InTenant(event.tenant, $0)).inserted }
    return .result(event, result, orderedAt: orderedAt, echoes: echoes)
  }

  /// Nothing was sent after it was received, and nothing before anybody could: such times order as the reception does.
  static func clamp(_ event: Event, _ policy: Policy) -> Timestamp {
    clamp(sentAt: event.sentAt, receivedAt: event.receivedAt, policy)
  }
  static func clamp(sentAt: Timestamp?, receivedAt: Timestamp, _ policy: Policy) -> Timestamp {
    guard let sentAt, sentAt >= policy.earliestPlausible else { return receivedAt }
    return min(sentAt, receivedAt)
  }

  /// The keys to look up before planning.
  public static func keys(of records: [NormalisedRecord]) -> [InTenant<MessageKey>] {
    records.flatMap(\.elements).flatMap { element -> [InTenant<MessageKey>] in
      guard case .event(let event) = element else { return [] }
      var keys = [event.key]
      if case .result(let result) = event.body { keys += result.names.map { MessageKey($0.raw) } }
      return keys.map { InTenant(event.tenant, $0) }
    }
  }

  /// The conversations that tokens and actions name.
  public static func namedConversations(_ records: [NormalisedRecord]) -> Set<InTenant<ID>> {
    var named: Set<InTenant<ID>> = []
    for case .event(let event) in records.lazy.flatMap(\.elements) {
      if let conversation = event.namedConversation { named.insert(InTenant(event.tenant, conversation)) }
    }
    return named
  }

  /// The messages of ours that results are about.
  public static func sentMessages(_ records: [NormalisedRecord]) -> Set<InTenant<ID>> {
    var sent: Set<InTenant<ID>> = []
    for case .event(let event) in records.lazy.flatMap(\.elements) {
      if case .result(let result) = event.body { sent.insert(InTenant(event.tenant, result.message)) }
    }
    return sent
  }

  /// The identifiers to look up before planning, each once.
  public static func identifiers(of records: [NormalisedRecord], policy: Policy) -> Set<InTenant<Identifier>> {
    var identifiers: Set<InTenant<Identifier>> = []
    for case .event(let event) in records.lazy.flatMap(\.elements) {
      for identifier in IdentityResolver.lookups(for: event, policy: policy) {
        identifiers.insert(InTenant(event.tenant, identifier))
      }
    }
    return identifiers
  }

  /// The lanes whose conversations the second half needs: those of existing customers who write, or who become one.
  ///
  /// Each with the times of its messages: what ended before is needed if one is from before the live conversation, or if the batch may end
  /// that by somebody's word or by a message after a long silence.
  public var lanes: [Lane: LaneSpan] {
    var lanes: [Lane: LaneSpan] = [:]
    var acted = joining
    for (conversation, owner) in resolver.facts.owners {
      acted.insert(InTenant(conversation.tenant, resolver.survivor(of: InTenant(conversation.tenant, owner.customer))))
    }
    for case .event(let event, let orderedAt, let resolved?) in elements.lazy.map(\.content) {
      guard case .message = event.body else { continue }
      let customer = InTenant(event.tenant, resolved.customer)
      guard resolver.newCustomers[customer] == nil else { continue }
      let earliest = acted.contains(customer) ? Timestamp.storable.lowerBound : orderedAt
      let lane = Lane(event: event, resolved: resolved)
      let silentSince = orderedAt.advanced(by: .zero - resolver.policy.idleWindow)
      let known = lanes[lane]
      lanes[lane] = LaneSpan(
        earliest: min(known?.earliest ?? earliest, earliest), silentSince: max(known?.silentSince ?? silentSince, silentSince))
    }
    for customer in joining {
      let lane = Lane(tenant: customer.tenant, customer: customer.value, name: "")
      lanes[lane, default: LaneSpan(earliest: .storable.lowerBound, silentSince: .storable.lowerBound)].earliest =
        Timestamp.storable.lowerBound
    }
    return lanes
  }

  /// Existing customers of whom every live conversation is needed, and all traits: they become one with another, or known, or an
  /// agent opens a conversation of theirs again.
  public var joining: Set<InTenant<ID>> {
    var joining = resolver.merging.union(resolver.identified.keys)
    for case .event(let event, _, _) in elements.lazy.map(\.content) {
      guard case .action(let action) = event.body, action.kind == .reopen,
        let owner = resolver.owner(of: InTenant(event.tenant, action.conversation))
      else { continue }
      joining.insert(InTenant(event.tenant, owner))
    }
    return joining.subtracting(resolver.newCustomers.keys)
  }

  /// The conversations that tokens, actions and results are about, and those of them that agents answer.
  public var named: (all: Set<InTenant<ID>>, answered: Set<InTenant<ID>>) {
    var (all, answered): (Set<InTenant<ID>>, Set<InTenant<ID>>) = ([], [])
    for case .event(let event, _, _) in elements.lazy.map(\.content) {
      guard let conversation = event.namedConversation.map({ InTenant(event.tenant, $0) }) else { continue }
      all.insert(conversation)
      if case .action(let action) = event.body, action.kind == .reply || action.kind == .invite { answered.insert(conversation) }
    }
    return (all, answered)
  }

  /// The ownerships under which agents answer.
  public var holdings: Set<Holding> {
    var holdings: Set<Holding> = []
    for case .event(let event, _, _) in elements.lazy.map(\.content) {
      guard case .action(let action) = event.body, action.kind == .reply, let epoch = action.ownershipEpoch else { continue }
      holdings.insert(Holding(tenant: event.tenant, conversation: action.conversation, epoch: epoch))
    }
    return holdings
  }

  /// The human reference numbers in subjects.
  public var numbers: Set<InTenant<String>> {
    var numbers: Set<InTenant<String>> = []
    for case .event(let event, _, _) in elements.lazy.map(\.content) {
      guard case .message(let message) = event.body, let number = message.subject.flatMap(Subject.reference) else { continue }
      numbers.insert(InTenant(event.tenant, number))
    }
    return numbers
  }

  /// The names that the batch's messages bring, and those that its changes are about. A session is named by whoever writes in it first.
  public var names:
    (brought: Set<InTenant<ReferenceKey>>, sessions: Set<InTenant<ReferenceKey>>, targets: Set<InTenant<ReferenceKey>>)
  {
    var (brought, sessions, targets): (Set<InTenant<ReferenceKey>>, Set<InTenant<ReferenceKey>>, Set<InTenant<ReferenceKey>>) = (
      [], [], []
    )
    for case .event(let event, _, _) in elements.lazy.map(\.content) {
      switch event.body {
      case .message(let message):
        for name in message.names { brought.insert(InTenant(event.tenant, name)) }
        if let session = message.session { sessions.insert(InTenant(event.tenant, session)) }
      case .change(let change):
        if let target = change.target.map({ InTenant(event.tenant, $0) }) {
          // A link names the session before anybody has written in it.
          if change.continuation != nil { sessions.insert(target) } else { targets.insert(target) }
        }
        if let name = change.name { brought.insert(InTenant(event.tenant, name)) }
      default: break
      }
    }
    for case .result(let event, let result, _, _) in elements.lazy.map(\.content) {
      for name in result.names { brought.insert(InTenant(event.tenant, name)) }
    }
    return (brought, sessions, targets)
  }

  /// Where the batch's customers write from, or are handed over.
  public var senders: Set<WriteSet.Address> {
    var senders: Set<WriteSet.Address> = []
    for case .event(let event, _, _) in elements.lazy.map(\.content) {
      guard case .message(let message) = event.body, message.isSaidByCustomer || message.isHandoff,
        let address = message.customer.first(where: { $0.identifier.kind.definesCustomer })?.identifier.value
      else { continue }
      senders.insert(.init(tenant: event.tenant, channel: event.channel, account: event.account, address: address))
    }
    return senders
  }

  /// The names of messages that something happens to: those that changes and results are about, and the wholes of pieces.
  public var watchedNames: [InTenant<ReferenceKey>] {
    elements.flatMap { element -> [InTenant<ReferenceKey>] in
      switch element.content {
      case .event(let event, _, _):
        switch event.body {
        case .change(let change): return change.target.map { [InTenant(event.tenant, $0)] } ?? []
        case .message(let message): return message.part.map { [InTenant(event.tenant, $0.whole)] } ?? []
        default: return []
        }
      case .result(let event, let result, _, _): return result.names.map { InTenant(event.tenant, $0) }
      case .duplicate, .ignored, .rejected: return []
      }
    }
  }

  /// The references to look up: what the batch's messages are called, what they refer to and what changes are about.
  public var references: Set<InTenant<ReferenceKey>> {
    var references: Set<InTenant<ReferenceKey>> = []
    for case .event(let event, _, _) in elements.lazy.map(\.content) {
      switch event.body {
      case .message(let message):
        for key in message.names + message.references + (message.session.map { [$0] } ?? []) {
          references.insert(InTenant(event.tenant, key))
        }
      case .survey(let response): if let session = response.session { references.insert(InTenant(event.tenant, session)) }
      case .change(let change):
        for key in [change.target, change.name].compactMap({ $0 }) { references.insert(InTenant(event.tenant, key)) }
      default: break
      }
    }
    for case .result(let event, let result, _, _) in elements.lazy.map(\.content) {
      for name in result.names { references.insert(InTenant(event.tenant, name)) }
    }
    return references
  }
}

/// When the messages of a batch in one lane are from.
public struct LaneSpan: Sendable {
  public var earliest: Timestamp
  /// A live conversation in which nothing was said since then ends by the latest of them.
  public var silentSince: Timestamp
}

/// Where a customer can have one live conversation: everywhere, or inside one channel account when they are but a claim.
public struct Lane: Hashable, Sendable {
  public var tenant: String
  public var customer: ID
  /// Empty, or `channel/account`.
  public var name: String

  public init(tenant: String, customer: ID, name: String) {
    self.tenant = tenant
    self.customer = customer
    self.name = name
  }

  init(event: Event, resolved: Resolved) {
    self.init(tenant: event.tenant, customer: resolved.customer, name: resolved.isClaimed ? event.lane : "")
  }
}
