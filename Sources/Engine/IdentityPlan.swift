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
    case event(Event, orderedAt: Timestamp, Resolved?)
    case duplicate
    case ignored(reason: String)
    case rejected(Rejection)
  }

  public var records: [NormalisedRecord]
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
      for (elementIndex, element) in record.elements.enumerated() {
        if case .event(let event) = element { resolver.register(event) }
        let content: Content =
          switch element {
          case .ignored(let reason): .ignored(reason: reason)
          case .rejected(let rejection): .rejected(rejection)
          case .event(let event):
            if seen.insert(InTenant(event.tenant, event.key)).inserted {
              Self.resolved(event, policy, &resolver)
            } else {
              .duplicate
            }
          }
        elements.append(Element(record: recordIndex, element: elementIndex, content: content))
      }
    }
  }

  private static func resolved(_ event: Event, _ policy: Policy, _ resolver: inout IdentityResolver) -> Content {
    let orderedAt = clamp(event, policy)
    return .event(event, orderedAt: orderedAt, resolver.resolve(event, at: orderedAt))
  }

  /// Nothing was sent after it was received, and nothing before anybody could: such times order as the reception does.
  static func clamp(_ event: Event, _ policy: Policy) -> Timestamp {
    guard let sentAt = event.sentAt, sentAt >= policy.earliestPlausible else { return event.receivedAt }
    return min(sentAt, event.receivedAt)
  }

  /// The keys to look up before planning.
  public static func keys(of records: [NormalisedRecord]) -> [InTenant<MessageKey>] {
    records.flatMap(\.elements).compactMap { element in
      guard case .event(let event) = element else { return nil }
      return InTenant(event.tenant, event.key)
    }
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

  /// The existing customers whose lanes and profiles the second half needs.
  public var lanes: Set<Lane> {
    var lanes: Set<Lane> = []
    for case .event(let event, _, let resolved?) in elements.lazy.map(\.content) {
      guard case .message = event.body, resolver.newCustomers[InTenant(event.tenant, resolved.customer)] == nil else { continue }
      lanes.insert(Lane(event: event, resolved: resolved))
    }
    return lanes
  }

  /// The references to look up: what the batch's messages are called and what they refer to.
  public var references: Set<InTenant<ReferenceKey>> {
    var references: Set<InTenant<ReferenceKey>> = []
    for case .event(let event, _, _) in elements.lazy.map(\.content) {
      guard case .message(let message) = event.body else { continue }
      for key in message.names + message.references + (message.session.map { [$0] } ?? []) {
        references.insert(InTenant(event.tenant, key))
      }
    }
    return references
  }
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
