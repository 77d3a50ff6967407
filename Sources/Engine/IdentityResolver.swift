import Canonical

/// What the database knows about the identifiers of a batch, before and again after the customers are locked.
public struct IdentityFacts: Sendable, Equatable {
  public struct Stored: Sendable, Equatable {
    public var customer: ID
    public var assurance: Assurance
    public var isShared: Bool
    public var lastSeenAt: Timestamp
    public init(customer: ID, assurance: Assurance, isShared: Bool, lastSeenAt: Timestamp) {
      self.customer = customer
      self.assurance = assurance
      self.isShared = isShared
      self.lastSeenAt = lastSeenAt
    }
  }
  public var identities: [InTenant<Identifier>: Stored] = [:]
  /// Values that are accounts of ours: mailboxes and numbers.
  public var ownAccounts: Set<InTenant<String>> = []
  /// How many valid identities of each kind the customers behind `identities` have.
  public var counts: [InTenant<ID>: [IdentifierKind: Int]] = [:]
  public init() {}
}

/// Who an event is from, or (of an echo) to.
public struct Resolved: Sendable, Equatable {
  public var customer: ID
  /// Known by nothing but a claim: their messages thread inside their channel account only.
  public var isClaimed: Bool
  /// The strongest assurance by which this record speaks for the customer.
  public var assurance: Assurance
  /// What the record states and nobody vouches for.
  public var claims: [Identifier]
}

/// Resolves the senders of a batch, one event after the other: rules 1 to 4, 6 and 7 of identity-and-threading.md.
///
/// Where rule 5 would merge two customers, the pair becomes a suggestion.
public struct IdentityResolver: Sendable {
  public struct NewIdentity: Sendable, Equatable {
    public var customer: ID
    public var assurance: Assurance
    public var firstSeenAt: Timestamp
    public var lastSeenAt: Timestamp
  }
  /// What changes of an identity that exists.
  public struct SeenIdentity: Sendable, Equatable {
    public var customer: ID
    public var assurance: Assurance
    public var lastSeenAt: Timestamp
  }
  public struct Suggestion: Sendable, Hashable {
    public var tenant: String
    public var customer: ID
    public var other: ID
    public var rule: String
  }

  public private(set) var newCustomers: [InTenant<ID>: Timestamp] = [:]
  public private(set) var newIdentities: [InTenant<Identifier>: NewIdentity] = [:]
  public private(set) var seenIdentities: [InTenant<Identifier>: SeenIdentity] = [:]
  /// Evidence by pair: the kinds and assurances that met on one record.
  public private(set) var suggestions: [Suggestion: (evidence: JSONText, at: Timestamp)] = [:]
  /// The strongest assurance that the batch brings to each customer.
  public private(set) var assurances: [InTenant<ID>: Assurance] = [:]

  private var facts: IdentityFacts
  private let policy: Policy
  private var ids: IDGenerator

  public init(facts: IdentityFacts, policy: Policy, ids: IDGenerator) {
    self.facts = facts
    self.policy = policy
    self.ids = ids
  }

  /// Existing customers that gained or may have gained something: the ones to lock.
  public var touchedCustomers: Set<InTenant<ID>> { Set(assurances.keys).subtracting(newCustomers.keys) }

  /// The identifiers whose identities decide about the event.
  public static func lookups(for event: Event, policy: Policy) -> [Identifier] {
    let stated = stated(in: event).filter { !policy.isBlocked($0.identifier) }
    var lookups = stated.filter { $0.assurance > .a0 && $0.identifier.kind.definesCustomer }.map(\.identifier)
    // What is not scoped to a channel may turn out to be shared or our own; then the claim decides.
    if let first = stated.first(where: { $0.identifier.kind.definesCustomer }),
      first.assurance == .a0 || !first.identifier.kind.isChannelScoped || event.isOutbound
    {
      lookups.append(claim(first.identifier, of: event))
    }
    return lookups
  }

  /// Customers that a record may bring to a limit: one of its identifiers leads there, and another one elsewhere or nowhere.
  public static func customersThatMayGain(
    _ records: [NormalisedRecord], facts: IdentityFacts, policy: Policy
  ) -> Set<InTenant<ID>> {
    var customers: Set<InTenant<ID>> = []
    for case .event(let event) in records.lazy.flatMap(\.elements) {
      let found = lookups(for: event, policy: policy).filter { !$0.kind.isClaimed }.map {
        facts.identities[InTenant(event.tenant, $0)]
      }
      guard found.contains(where: { $0 == nil }) || Set(found.compactMap { $0?.customer }).count > 1 else { continue }
      for case let stored? in found { customers.insert(InTenant(event.tenant, stored.customer)) }
    }
    return customers
  }

  /// How many identities of each kind the customer has with what the batch adds.
  public func counts(of customer: InTenant<ID>) -> [IdentifierKind: Int] { facts.counts[customer] ?? [:] }

  /// The identifiers that an event states about its customer; changes and unknown elements speak for nobody.
  public static func stated(in event: Event) -> [StatedIdentifier] {
    switch event.body {
    case .message(let message): message.customer
    case .contact(let contact): contact.identifiers
    case .change(let change): change.kind == "identity_change" ? change.customer : []
    case .unknown: []
    }
  }

  /// From this event on its account is ours, duplicate or not.
  mutating func register(_ event: Event) { facts.ownAccounts.insert(InTenant(event.tenant, event.account)) }

  /// Resolves the next event of the batch. Nil for events that are about no customer.
  public mutating func resolve(_ event: Event, at time: Timestamp) -> Resolved? {
    let stated = Self.stated(in: event)
    if stated.isEmpty {
      guard case .message = event.body else { return nil }
    }
    var usable: [StatedIdentifier] = []
    var claims: [Identifier] = []
    var named: Identifier?
    for candidate in stated where !policy.isBlocked(candidate.identifier) {
      let identifier = candidate.identifier
      if named == nil, identifier.kind.definesCustomer { named = identifier }
      let isUsable =
        candidate.assurance > .a0 && identifier.kind.definesCustomer && !policy.isRoleAddress(identifier)
        && (identifier.kind.isChannelScoped
          || !facts.ownAccounts.contains(InTenant(event.tenant, identifier.value))
            && facts.identities[InTenant(event.tenant, identifier)]?.isShared != true)
      if !isUsable {
        if !claims.contains(identifier) { claims.append(identifier) }
      } else if let index = usable.firstIndex(where: { $0.identifier == identifier }) {
        usable[index].assurance = max(usable[index].assurance, candidate.assurance)
      } else {
        usable.append(candidate)
      }
    }
    if event.isOutbound {
      // Whom we wrote to says nothing about who they are: below the provider's word it finds somebody, and makes nobody.
      usable = usable.filter { $0.assurance >= .a2 || stored($0.identifier, event.tenant) != nil }
      claims = []
    }
    if usable.isEmpty {
      guard let named else {
        return Resolved(customer: newCustomer(event.tenant, .a0, time), isClaimed: true, assurance: .a0, claims: claims)
      }
      let customer = attach(
        [StatedIdentifier(Self.claim(named, of: event), .a0)], to: nil, tenant: event.tenant, at: time)
      return Resolved(customer: customer, isClaimed: true, assurance: .a0, claims: claims)
    }
    // Rule 6: over a limit, the weakest identifier of the record is left out and the rest resolved again.
    var customer = hit(usable, tenant: event.tenant)
    while usable.count > 1, breaksLimit(usable, customer, event.tenant) {
      claims.append(removeWeakest(&usable))
      customer = hit(usable, tenant: event.tenant)
    }
    let resolved = attach(usable, to: customer, tenant: event.tenant, at: time)
    return Resolved(
      customer: resolved, isClaimed: false, assurance: usable.map(\.assurance).max() ?? .a0, claims: claims)
  }

  // MARK: - The rules

  /// Rule 4: the identity of a sender that is nothing but a claim, kept inside the channel account.
  private static func claim(_ identifier: Identifier, of event: Event) -> Identifier {
    Identifier(identifier.kind.claimed, scope: event.lane, identifier.value)
  }

  /// Rules 1 and 2: the record's first identifier (the channel-scoped one) decides, then the strongest that hits.
  private func hit(_ usable: [StatedIdentifier], tenant: String) -> ID? {
    let rest = usable.dropFirst().sorted(by: Self.isStronger)
    for candidate in usable.prefix(1) + rest {
      if let customer = customer(of: candidate.identifier, tenant) { return customer }
    }
    return nil
  }

  private func customer(of identifier: Identifier, _ tenant: String) -> ID? { stored(identifier, tenant)?.customer }

  /// Whose the identifier is by now, and how sure that is.
  private func stored(_ identifier: Identifier, _ tenant: String) -> (customer: ID, assurance: Assurance)? {
    let key = InTenant(tenant, identifier)
    if let new = newIdentities[key] { return (new.customer, new.assurance) }
    return facts.identities[key].map { ($0.customer, seenIdentities[key]?.assurance ?? $0.assurance) }
  }

  private static func isStronger(_ a: StatedIdentifier, _ b: StatedIdentifier) -> Bool {
    if a.assurance != b.assurance { return a.assurance > b.assurance }
    if a.identifier.kind.rank != b.identifier.kind.rank { return a.identifier.kind.rank < b.identifier.kind.rank }
    return a.identifier < b.identifier
  }

  private func breaksLimit(_ usable: [StatedIdentifier], _ customer: ID?, _ tenant: String) -> Bool {
    var added: [IdentifierKind: Int] = [:]
    // What already is somebody else's would be theirs as well, if it could.
    for candidate in usable where customer == nil || self.customer(of: candidate.identifier, tenant) != customer {
      added[candidate.identifier.kind, default: 0] += 1
    }
    let counts = customer.flatMap { facts.counts[InTenant(tenant, $0)] } ?? [:]
    return added.contains { kind, count in counts[kind, default: 0] + count > policy.identityLimit(kind) }
  }

  private func removeWeakest(_ usable: inout [StatedIdentifier]) -> Identifier {
    var weakest = usable.startIndex
    // The first, the channel-scoped one, goes only when it is weaker than all others.
    for index in usable.indices.dropFirst() {
      let isWeaker =
        weakest == 0 ? usable[index].assurance <= usable[0].assurance : Self.isStronger(usable[weakest], usable[index])
      if isWeaker { weakest = index }
    }
    return usable.remove(at: weakest).identifier
  }

  private mutating func newCustomer(_ tenant: String, _ assurance: Assurance, _ time: Timestamp) -> ID {
    let customer = ids.next()
    newCustomers[InTenant(tenant, customer)] = time
    assurances[InTenant(tenant, customer)] = assurance
    return customer
  }

  /// Gives the customer what the record adds, notes what was seen again, and suggests where it points elsewhere.
  private mutating func attach(_ stated: [StatedIdentifier], to found: ID?, tenant: String, at time: Timestamp) -> ID {
    let strongest = stated.map(\.assurance).max() ?? .a0
    let customer = found ?? self.customer(of: stated[0].identifier, tenant) ?? newCustomer(tenant, strongest, time)
    let customerKey = InTenant(tenant, customer)
    assurances[customerKey] = max(assurances[customerKey] ?? .a0, strongest)
    // By what the record reaches the customer that it is resolved to: both the statement and the stored identity count.
    let reach =
      stated.compactMap { candidate in
        stored(candidate.identifier, tenant).flatMap { $0.customer == customer ? min($0.assurance, candidate.assurance) : nil }
      }.max() ?? .a0
    for candidate in stated {
      let key = InTenant(tenant, candidate.identifier)
      guard let known = stored(candidate.identifier, tenant) else {
        newIdentities[key] = NewIdentity(
          customer: customer, assurance: candidate.assurance, firstSeenAt: time, lastSeenAt: time.hour)
        facts.counts[customerKey, default: [:]][candidate.identifier.kind, default: 0] += 1
        continue
      }
      if known.customer == customer {
        see(key, candidate.assurance, time)
      } else {
        suggest(tenant, customer, known.customer, candidate, stored: known.assurance, reach, time)
      }
    }
    return customer
  }

  /// An identity was stated again, by whom it belongs to.
  private mutating func see(_ key: InTenant<Identifier>, _ assurance: Assurance, _ time: Timestamp) {
    if var new = newIdentities[key] {
      new.assurance = max(new.assurance, assurance)
      new.lastSeenAt = max(new.lastSeenAt, time.hour)
      newIdentities[key] = new
    } else if let stored = facts.identities[key] {
      let seen = seenIdentities[key]
      let now = SeenIdentity(
        customer: stored.customer, assurance: max(seen?.assurance ?? stored.assurance, assurance),
        lastSeenAt: max(seen?.lastSeenAt ?? stored.lastSeenAt, time.hour))
      if now.assurance != stored.assurance || now.lastSeenAt != stored.lastSeenAt { seenIdentities[key] = now }
    }
  }

  /// The record reached `customer` and also states an identity of `other`.
  private mutating func suggest(
    _ tenant: String, _ customer: ID, _ other: ID, _ stated: StatedIdentifier, stored: Assurance, _ reach: Assurance,
    _ time: Timestamp
  ) {
    let isMergeGrade =
      reach >= .a2
      && (min(stated.assurance, stored) >= .a2
        || stated.identifier.kind == .email && min(stated.assurance, stored) >= .a1 && max(stated.assurance, stored) == .a3)
    let key = Suggestion(
      tenant: tenant, customer: min(customer, other), other: max(customer, other),
      rule: isMergeGrade ? "merge_evidence" : "weaker_evidence")
    guard suggestions[key] == nil else { return }
    var evidence = JSONObjectWriter()
    evidence.member("kind", stated.identifier.kind.rawValue)
    evidence.member("stated", stated.assurance.label)
    evidence.member("stored", stored.label)
    suggestions[key] = (evidence.finish(), time)
  }
}

extension Event {
  /// Sent by us: the customer it names is whom it went to.
  var isOutbound: Bool {
    guard case .message(let message) = body else { return false }
    return message.direction == .outbound
  }
  /// The channel account as a lane and as the scope of claims.
  var lane: String { channel.rawValue + "/" + account }
}

extension Timestamp {
  /// The start of its hour, in UTC.
  var hour: Timestamp {
    let hour: Int64 = 3_600_000_000
    let rest = microseconds % hour
    return Timestamp(microseconds: microseconds - (rest < 0 ? rest + hour : rest))
  }
}
