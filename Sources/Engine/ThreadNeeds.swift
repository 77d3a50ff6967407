import Canonical

/// What the second half of a batch's plan needs to know, as the first half tells it.
public struct ThreadNeeds: Sendable {
  /// Existing customers of whom every live conversation is needed, and all traits: they become one with another, or known, or an
  /// agent opens a conversation of theirs again.
  public private(set) var joining: Set<InTenant<ID>> = []
  /// The lanes whose conversations are needed: those of existing customers who write, or who become one.
  ///
  /// Each with the times of its messages: what ended before is needed if one is from before the live conversation, or if the batch may end
  /// that by somebody's word or by a message after a long silence.
  public private(set) var lanes: [Lane: LaneSpan] = [:]
  /// The conversations that tokens, actions and results are about, and those of them that agents answer.
  public private(set) var named: Set<InTenant<ID>> = []
  public private(set) var answered: Set<InTenant<ID>> = []
  /// The ownerships under which agents answer.
  public private(set) var holdings: Set<Holding> = []
  /// The human reference numbers in subjects.
  public private(set) var numbers: Set<InTenant<String>> = []
  /// What the batch's messages are called, what they refer to and what changes are about.
  public private(set) var references: Set<InTenant<ReferenceKey>> = []
  /// What they are called: of a name that nobody has, the second half mostly inserts a row.
  public private(set) var called: Set<InTenant<ReferenceKey>> = []
  /// The names that the batch brings, and those that its changes are about. A session is named by whoever writes in it first.
  public private(set) var brought: Set<InTenant<ReferenceKey>> = []
  public private(set) var sessions: Set<InTenant<ReferenceKey>> = []
  public private(set) var targets: Set<InTenant<ReferenceKey>> = []
  /// The names of messages that something happens to: those that changes and results are about, and the wholes of pieces.
  public private(set) var watched: Set<InTenant<ReferenceKey>> = []
  /// The messages of ours that results are about.
  public private(set) var sent: Set<InTenant<ID>> = []

  init() {}

  init(of elements: [IdentityPlan.Element], _ resolver: IdentityResolver) {
    joining = resolver.merging.union(resolver.identified.keys)
    references.reserveCapacity(elements.count)
    brought.reserveCapacity(elements.count)
    called.reserveCapacity(elements.count)
    for element in elements {
      switch element.content {
      case .event(let event, _, _): add(event, resolver)
      case .result(let event, let result, _, _): add(result, event.tenant)
      case .duplicate, .ignored, .rejected: break
      }
    }
    joining.subtract(resolver.newCustomers.keys)
    addLanes(elements, resolver)
  }

  private mutating func add(_ event: Event, _ resolver: IdentityResolver) {
    func key(_ name: ReferenceKey) -> InTenant<ReferenceKey> { InTenant(event.tenant, name) }
    if let conversation = event.namedConversation { named.insert(InTenant(event.tenant, conversation)) }
    switch event.body {
    case .message(let message):
      for name in message.names.lazy.map(key) {
        called.insert(name)
        brought.insert(name)
        references.insert(name)
      }
      for name in message.references { references.insert(key(name)) }
      if let session = message.session {
        sessions.insert(key(session))
        references.insert(key(session))
      }
      if let part = message.part { watched.insert(key(part.whole)) }
      if let number = message.subject.flatMap(Subject.reference) { numbers.insert(InTenant(event.tenant, number)) }
    case .change(let change):
      if let target = change.target.map(key) {
        references.insert(target)
        watched.insert(target)
        // A link names the session before anybody has written in it.
        if change.continuation != nil { sessions.insert(target) } else { targets.insert(target) }
      }
      if let name = change.name.map(key) {
        brought.insert(name)
        references.insert(name)
      }
    case .survey(let response):
      if let session = response.session { references.insert(key(session)) }
    case .action(let action):
      if action.kind == .reply || action.kind == .invite { answered.insert(InTenant(event.tenant, action.conversation)) }
      if action.kind == .reply, let epoch = action.ownershipEpoch {
        holdings.insert(Holding(tenant: event.tenant, conversation: action.conversation, epoch: epoch))
      }
      if action.kind == .reopen, let owner = resolver.owner(of: InTenant(event.tenant, action.conversation)) {
        joining.insert(InTenant(event.tenant, owner))
      }
    default: break
    }
  }

  private mutating func add(_ result: SendResult, _ tenant: String) {
    sent.insert(InTenant(tenant, result.message))
    for name in result.names.map({ InTenant(tenant, $0) }) {
      brought.insert(name)
      references.insert(name)
      watched.insert(name)
    }
  }

  private mutating func addLanes(_ elements: [IdentityPlan.Element], _ resolver: IdentityResolver) {
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
  }
}
