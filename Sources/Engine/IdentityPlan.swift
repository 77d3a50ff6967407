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
  public private(set) var needs = ThreadNeeds()

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
    needs = ThreadNeeds(of: elements, resolver)
  }

  private static func resolved(
    _ event: Event, _ policy: Policy, _ resolver: inout IdentityResolver, seen: inout Set<InTenant<MessageKey>>
  ) -> Content {
    let orderedAt = clamp(event, policy)
    guard case .result(let result) = event.body else {
      return .event(event, orderedAt: orderedAt, resolver.resolve(event, at: orderedAt))
    }
    let echoes = result.names.map { MessageKey($0) }.filter { seen.insert(InTenant(event.tenant, $0)).inserted }
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
    var keys: [InTenant<MessageKey>] = []
    keys.reserveCapacity(records.count)
    for case .event(let event) in records.lazy.flatMap(\.elements) {
      keys.append(InTenant(event.tenant, event.key))
      guard case .result(let result) = event.body else { continue }
      keys += result.names.map { InTenant(event.tenant, MessageKey($0)) }
    }
    return keys
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
}

/// The identifiers that decide whose the events of a batch are, and the conversations that do: what is looked up before planning.
public struct IdentityLookups: Sendable {
  /// Each once.
  public private(set) var identifiers: Set<InTenant<Identifier>> = []
  /// The conversations that tokens and actions name.
  public private(set) var named: Set<InTenant<ID>> = []
  /// Of each event that has several, or names a conversation: those that are no claims, and the conversation.
  private var events: [(identifiers: [InTenant<Identifier>], named: InTenant<ID>?)] = []

  public init(_ records: [NormalisedRecord], policy: Policy) {
    identifiers.reserveCapacity(records.count)
    for case .event(let event) in records.lazy.flatMap(\.elements) {
      let lookups = IdentityResolver.lookups(for: event, policy: policy)
      for identifier in lookups { identifiers.insert(InTenant(event.tenant, identifier)) }
      let named = event.namedConversation.map { InTenant(event.tenant, $0) }
      if let named { self.named.insert(named) }
      guard lookups.count > 1 || named != nil else { continue }
      events.append((lookups.filter { !$0.kind.isClaimed }.map { InTenant(event.tenant, $0) }, named))
    }
  }

  /// Customers that a record may bring to a limit or make one with another: one of its identifiers leads there, and another one, or
  /// the conversation that it names, elsewhere or nowhere.
  public func customersThatMayGain(_ facts: IdentityFacts) -> Set<InTenant<ID>> {
    var customers: Set<InTenant<ID>> = []
    for event in events {
      var found = event.identifiers.map { key in facts.identities[key].map { InTenant(key.tenant, $0.customer) } }
      if let named = event.named { found += [facts.owners[named].map { InTenant(named.tenant, $0.customer) }, nil] }
      guard found.contains(where: { $0 == nil || $0 != found[0] }) else { continue }
      customers.formUnion(found.lazy.compactMap(\.self))
    }
    return customers
  }
}

/// When the messages of a batch in one lane are from.
public struct LaneSpan: Sendable {
  public var earliest: Timestamp
  /// A live conversation in which nothing was said since then ends by the latest of them.
  public var silentSince: Timestamp

  /// Whether nothing matters but the lane's live conversation, if it is the one that it was.
  public var mayNeedOnly: Bool { earliest > .storable.lowerBound }

  /// Whether the conversation is the lane's live one, and what ended before it does not matter.
  public func needsOnly(_ conversation: ConversationState?, in lane: Lane) -> Bool {
    guard let conversation, conversation.laneKey == lane, conversation.status.isLive else { return false }
    return conversation.openedAt <= earliest && conversation.lastMessageAt >= silentSince
  }
}

extension ConversationState {
  public var laneKey: Lane { Lane(tenant: tenant, customer: customer, name: lane) }
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

  /// A customer has few.
  public func hash(into hasher: inout Hasher) { hasher.combine(customer) }
  public func _rawHashValue(seed: Int) -> Int { customer._rawHashValue(seed: seed) }

  init(event: Event, resolved: Resolved) {
    self.init(tenant: event.tenant, customer: resolved.customer, name: resolved.isClaimed ? event.lane : "")
  }
}
