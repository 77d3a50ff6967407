import Canonical

/// Who an event is from, or (of an echo) to.
public struct Resolved: Sendable, Equatable {
  public var customer: ID
  /// Known by nothing but a claim: their messages thread inside their channel account only.
  public var isClaimed: Bool
  /// The strongest assurance by which this record speaks for the customer.
  public var assurance: Assurance
  /// What the record states and nobody vouches for.
  public var claims: [Identifier]
  /// Customers that this record makes one, in this order, before anything else of it.
  public var merges: [Merge] = []
  /// Was known by nothing but a claim until this record.
  public var isNewlyKnown = false
}

/// Two customers become one: `survivor` is the older, by creation and id.
public struct Merge: Sendable, Equatable {
  public var tenant: String
  public var survivor: ID
  public var loser: ID
  /// `record_evidence` or `agent_identify`.
  public var rule: String
  /// By which identifiers the record reaches them: a JSON array.
  public var evidence: JSONText
  /// Of `agent_identify`.
  public var agent: String?
  public var at: Timestamp
}

/// Resolves the senders of a batch, one event after the other: rules 1 to 7 of identity-and-threading.md.
///
/// Where rule 5 would merge two customers and a guard forbids it, or the evidence is weaker, the pair becomes a suggestion.
public struct IdentityResolver: Sendable {
  public struct NewIdentity: Sendable, Equatable {
    public var customer: ID
    /// Whose it was first; the same unless the batch merges them.
    public var origin: ID
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
  public internal(set) var newIdentities: [InTenant<Identifier>: NewIdentity] = [:]
  public private(set) var seenIdentities: [InTenant<Identifier>: SeenIdentity] = [:]
  /// Evidence by pair: the kinds and assurances that met on one record.
  public private(set) var suggestions: [Suggestion: (evidence: JSONText, at: Timestamp)] = [:]
  /// Identities of which it mattered how sure they are: stated on a record that leads to several customers.
  var weighed: Set<InTenant<Identifier>> = []
  /// The strongest assurance that the batch brings to each customer.
  public internal(set) var assurances: [InTenant<ID>: Assurance] = [:]
  public internal(set) var merges: [Merge] = []
  /// Customers who were known by a claim and are known otherwise from now on: the claim does not lead to them any more.
  public private(set) var identified: [InTenant<ID>: Timestamp] = [:]

  /// Numbers that are somebody else's by now (rule 8), with whose they were.
  public private(set) var retired: [InTenant<Identifier>: (owner: ID, at: Timestamp, holder: Identifier)] = [:]

  /// An identity that was looked up leads nowhere any more: what follows has to look again.
  var endsPlan: Bool { !retired.isEmpty || !identified.isEmpty }

  /// Loser to survivor, of this batch.
  var survivors: [InTenant<ID>: ID] = [:]

  var facts: IdentityFacts
  let policy: Policy
  private var ids: IDGenerator

  public init(facts: IdentityFacts, policy: Policy, ids: IDGenerator) {
    self.facts = facts
    self.policy = policy
    self.ids = ids
  }

  /// Those that the batch makes one.
  public var merging: Set<InTenant<ID>> {
    Set(merges.flatMap { [InTenant($0.tenant, $0.survivor), InTenant($0.tenant, $0.loser)] })
  }

  /// Existing customers that gained or may have gained something, became one with another or could have: the ones to lock.
  public var touchedCustomers: Set<InTenant<ID>> {
    let former = retired.map { InTenant($0.key.tenant, $0.value.owner) }
    let others = weighed.compactMap { key in facts.identities[key].map { InTenant(key.tenant, $0.customer) } }
    return Set(assurances.keys).union(merging).union(former).union(others).subtracting(newCustomers.keys)
  }

  /// Whose the conversation was before the batch.
  func owner(of conversation: InTenant<ID>) -> ID? { facts.owners[conversation]?.customer }

  /// Who the customer is by the end of the batch.
  public func survivor(of customer: InTenant<ID>) -> ID {
    guard !survivors.isEmpty else { return customer.value }
    var found = customer
    while let next = survivors[found] { found.value = next }
    return found.value
  }

  /// The identifiers whose identities decide about the event.
  public static func lookups(for event: Event, policy: Policy) -> [Identifier] {
    var lookups: [Identifier] = []
    var first: StatedIdentifier?
    for candidate in stated(in: event) where candidate.identifier.kind.definesCustomer && !policy.isBlocked(candidate.identifier)
    {
      if first == nil { first = candidate }
      if candidate.assurance > .a0 { lookups.append(candidate.identifier) }
    }
    // What is not scoped to a channel may turn out to be shared or our own; then the claim decides.
    if let first, first.assurance == .a0 || !first.identifier.kind.isChannelScoped || event.isOutbound {
      lookups.append(claim(first.identifier, of: event))
    }
    if case .change(let change) = event.body { lookups += change.former }
    return lookups
  }

  /// The identifiers that an event states about its customer; changes of messages and unknown elements speak for nobody.
  public static func stated(in event: Event) -> [StatedIdentifier] {
    switch event.body {
    case .message(let message): message.customer
    case .contact(let contact): contact.identifiers
    // What nobody vouches for is no order, and its customer nobody.
    case .order(let order): order.isAttested ? order.customer : []
    case .survey(let response): response.isBelieved ? response.customer : []
    case .change(let change): change.saysWhoItIsAbout ? change.customer : []
    case .action(let action): action.kind == .identify ? action.identifiers : []
    case .unknown, .result, .presence: []
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
    var (usable, claims, named) = sorted(stated, event)
    if case .change(let change) = event.body, change.kind != Change.identityChange, change.continuation == nil {
      // Finds somebody, and makes nobody.
      let known = usable.filter { self.stored($0.identifier, event.tenant) != nil }
      return hit(known, tenant: event.tenant).map { Resolved(customer: $0, isClaimed: false, assurance: .a0, claims: []) }
    }
    if event.isOutbound {
      // Whom we wrote to says nothing about who they are: below the provider's word it finds somebody, and makes nobody.
      usable = usable.filter { $0.assurance >= .a2 || stored($0.identifier, event.tenant) != nil }
      claims = []
    }
    if let owner = event.namedConversation.flatMap({ facts.owners[InTenant(event.tenant, $0)] }) {
      if case .action(let action) = event.body { return identify(action, usable, claims, owner, event, at: time) }
      return resolve(usable, claims, as: survivor(of: InTenant(event.tenant, owner.customer)), event, at: time)
    }
    // An action about a conversation that is not there, or a change that a token of one came with.
    if case .action = event.body { return nil }
    if case .change(let change) = event.body, change.continuation != nil { return nil }
    if usable.isEmpty {
      guard let named else {
        // An order or an answer of nobody.
        guard case .message = event.body else { return nil }
        return Resolved(customer: newCustomer(event.tenant, .a0, time), isClaimed: true, assurance: .a0, claims: claims)
      }
      let customer = attach(
        [StatedIdentifier(Self.claim(named, of: event), .a0)], to: nil, tenant: event.tenant, at: time)
      return Resolved(customer: customer, isClaimed: true, assurance: .a0, claims: claims)
    }
    let assurance = usable.map(\.assurance).max() ?? .a0
    let holder = usable.compactMap { retired[InTenant(event.tenant, $0.identifier)]?.holder }.first
    let former = retire(&usable, event.tenant, at: time)
    if usable.isEmpty {
      // An earlier element of the record has said whose number this is now.
      guard let holder, let customer = customer(of: holder, event.tenant) else {
        return Resolved(customer: newCustomer(event.tenant, .a0, time), isClaimed: true, assurance: .a0, claims: claims)
      }
      return Resolved(customer: customer, isClaimed: false, assurance: assurance, claims: claims)
    }
    // Rule 6: over a limit, the weakest identifier of the record is left out and the rest resolved again.
    var customer = hit(usable, tenant: event.tenant)
    while usable.count > 1, breaksLimit(usable, customer, event.tenant) {
      claims.append(removeWeakest(&usable))
      customer = hit(usable, tenant: event.tenant)
    }
    let merges = event.isOutbound || event.isChangeOfNumber ? [] : merge(usable, tenant: event.tenant, at: time)
    customer = customer.map { survivor(of: InTenant(event.tenant, $0)) }
    let resolved = attach(usable, to: customer, tenant: event.tenant, at: time)
    for other in former where other != resolved {
      suggest(event.tenant, resolved, other, rule: "recycled_number", JSONText(), time)
    }
    if case .change(let change) = event.body { giveUp(change.former, of: resolved, usable, event.tenant, at: time) }
    return Resolved(
      customer: resolved, isClaimed: false, assurance: usable.map(\.assurance).max() ?? .a0, claims: claims, merges: merges)
  }

  /// Whoever holds a token is its customer.
  private mutating func resolve(
    _ usable: [StatedIdentifier], _ claims: [Identifier], as owner: ID, _ event: Event, at time: Timestamp
  ) -> Resolved {
    let tenant = event.tenant
    // A link may be passed on: beyond a cookie, what its holder brings along and nobody has yet stays a claim.
    let passedOn = usable.filter { stated in
      stored(stated.identifier, tenant) == nil && (!stated.identifier.kind.isBearer || breaksLimit([stated], owner, tenant))
    }
    let own = usable.filter { !passedOn.contains($0) }
    _ = attach(own, to: owner, tenant: tenant, at: time, atLeast: .bearer)
    // A mail whose address nobody vouches for leaves its writer what they were.
    let hasClaims = facts.hasClaims(InTenant(tenant, owner))
    let isNewlyKnown = hasClaims && !event.isOutbound && own.contains { customer(of: $0.identifier, tenant) == owner }
    if isNewlyKnown { identified[InTenant(tenant, owner)] = time }
    return Resolved(
      customer: owner, isClaimed: hasClaims && !isNewlyKnown, assurance: .bearer, claims: claims + passedOn.map(\.identifier),
      isNewlyKnown: isNewlyKnown)
  }

  /// An agent vouches for the conversation's customer. Nil when the action is about an older ownership, or when nothing of it can be
  /// given to anybody: then it has done nothing.
  private mutating func identify(
    _ action: Action, _ usable: [StatedIdentifier], _ claims: [Identifier], _ owner: IdentityFacts.Owner, _ event: Event,
    at time: Timestamp
  ) -> Resolved? {
    guard action.kind == .identify, action.ownershipEpoch.map({ $0 == owner.epoch && !owner.isMerged }) ?? true else {
      return nil
    }
    let tenant = event.tenant
    let customer = survivor(of: InTenant(tenant, owner.customer))
    var (usable, claims) = (usable, claims)
    while breaksLimit(usable, customer, tenant) { claims.append(removeWeakest(&usable)) }
    let merges = merge(usable, with: customer, agent: action.agent, tenant: tenant, at: time)
    let isGiven = { [self] (stated: StatedIdentifier) in
      stored(stated.identifier, tenant).map { $0.customer == survivor(of: InTenant(tenant, customer)) } ?? true
    }
    guard !merges.isEmpty || usable.contains(where: isGiven) else { return nil }
    let isNewlyKnown = facts.hasClaims(InTenant(tenant, customer))
    let known = survivor(of: InTenant(tenant, customer))
    _ = attach(usable, to: known, tenant: tenant, at: time, atLeast: .a3)
    if isNewlyKnown { identified[InTenant(tenant, known)] = time }
    return Resolved(
      customer: known, isClaimed: false, assurance: .a3, claims: claims, merges: merges, isNewlyKnown: isNewlyKnown)
  }

  /// What of the statements can lead to a customer, what is but a claim, and the first that names anybody.
  private func sorted(
    _ stated: [StatedIdentifier], _ event: Event
  ) -> (usable: [StatedIdentifier], claims: [Identifier], named: Identifier?) {
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
            && !(identifier.kind == .email && policy.ownMailboxes.contains(identifier.value, of: event.tenant))
            && facts.identities[InTenant(event.tenant, identifier)]?.isShared != true)
      if !isUsable {
        if !claims.contains(identifier) { claims.append(identifier) }
      } else if let index = usable.firstIndex(where: { $0.identifier == identifier }) {
        usable[index].assurance = max(usable[index].assurance, candidate.assurance)
      } else {
        usable.append(candidate)
      }
    }
    return (usable, claims, named)
  }

  // MARK: - The rules

  /// A number that this plan has given to somebody changes hands with this record, or may: that has to be written first.
  func needsToLookAgain(for record: NormalisedRecord) -> Bool {
    guard !newIdentities.isEmpty else { return false }
    var statesBusinessScoped = false
    for case .event(let event) in record.elements {
      statesBusinessScoped = statesBusinessScoped || Self.stated(in: event).contains { $0.identifier.isBusinessScoped }
      guard case .change(let change) = event.body else { continue }
      if change.former.contains(where: { newIdentities[InTenant(event.tenant, $0)] != nil }) { return true }
    }
    guard statesBusinessScoped else { return false }
    let stated = record.elements.map { element -> (tenant: String, identifiers: [Identifier]) in
      guard case .event(let event) = element else { return ("", []) }
      return (event.tenant, Self.stated(in: event).filter { $0.assurance > .a0 }.map(\.identifier))
    }
    let ids = Set(stated.flatMap(\.identifiers).filter(\.isBusinessScoped))
    return stated.contains { tenant, identifiers in
      guard let id = identifiers.first(where: \.isBusinessScoped), stored(id, tenant) == nil else { return false }
      return identifiers.contains { number in
        guard number.isNumber, let new = newIdentities[InTenant(tenant, number)] else { return false }
        return ids.count > 1 || facts.isSomebodyElse(InTenant(tenant, new.customer), than: id)
      }
    }
  }

  /// Rule 8: a new business-scoped id with a number whose customer has another one. The number leads nowhere from now on, and to the
  /// new customer as soon as it is stated again. Returns whose the numbers were.
  private mutating func retire(_ usable: inout [StatedIdentifier], _ tenant: String, at time: Timestamp) -> [ID] {
    usable.removeAll { retired[InTenant(tenant, $0.identifier)] != nil }
    guard let id = usable.first(where: { $0.identifier.isBusinessScoped })?.identifier, stored(id, tenant) == nil else {
      return []
    }
    var former: [ID] = []
    for stated in usable where stated.identifier.isNumber {
      guard let owner = customer(of: stated.identifier, tenant), facts.isSomebodyElse(InTenant(tenant, owner), than: id) else {
        continue
      }
      let key = InTenant(tenant, stated.identifier)
      if newIdentities[key] == nil { retired[key] = (owner, time, id) }
      usable.removeAll { $0.identifier == stated.identifier }
      if !former.contains(owner) { former.append(owner) }
    }
    return former
  }

  /// What the provider says to be theirs no longer: whoever states it next is somebody else.
  private mutating func giveUp(
    _ former: [Identifier], of customer: ID, _ usable: [StatedIdentifier], _ tenant: String, at time: Timestamp
  ) {
    // Something has to lead to them still.
    guard let holder = usable.first(where: { !former.contains($0.identifier) && $0.assurance >= .a2 })?.identifier else { return }
    for identifier in former {
      let key = InTenant(tenant, identifier)
      if newIdentities[key] == nil, stored(identifier, tenant)?.customer == customer { retired[key] = (customer, time, holder) }
    }
  }

  /// Rule 4: the identity of a sender that is nothing but a claim, kept inside the channel account.
  private static func claim(_ identifier: Identifier, of event: Event) -> Identifier {
    Identifier(identifier.kind.claimed, scope: event.lane, identifier.value)
  }

  /// Rules 1 and 2: the record's first identifier (the channel-scoped one) decides, then the strongest that hits.
  private func hit(_ usable: [StatedIdentifier], tenant: String) -> ID? {
    guard usable.count > 1 else { return usable.first.flatMap { customer(of: $0.identifier, tenant) } }
    let rest = usable.dropFirst().sorted(by: Self.isStronger)
    for candidate in usable.prefix(1) + rest {
      if let customer = customer(of: candidate.identifier, tenant) { return customer }
    }
    return nil
  }

  private func customer(of identifier: Identifier, _ tenant: String) -> ID? { stored(identifier, tenant)?.customer }

  /// Whose the identifier is by now, and how sure that is.
  func stored(_ identifier: Identifier, _ tenant: String) -> (customer: ID, assurance: Assurance)? {
    let key = InTenant(tenant, identifier)
    if let stored = facts.identities[key] {
      return (survivor(of: InTenant(tenant, stored.customer)), seenIdentities[key]?.assurance ?? stored.assurance)
    }
    return newIdentities[key].map { ($0.customer, $0.assurance) }
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
  ///
  /// - Parameter atLeast: how sure it is without the identifiers that the record is about `found`.
  private mutating func attach(
    _ stated: [StatedIdentifier], to found: ID?, tenant: String, at time: Timestamp, atLeast: Assurance = .a0
  ) -> ID {
    let strongest = max(atLeast, stated.map(\.assurance).max() ?? .a0)
    let known = stated.map { stored($0.identifier, tenant) }
    let customer = found ?? known[0]?.customer ?? newCustomer(tenant, strongest, time)
    let customerKey = InTenant(tenant, customer)
    assurances[customerKey] = max(assurances[customerKey] ?? .a0, strongest)
    // Whether the record reaches the customer that it is resolved to by evidence of merge grade.
    let isReached =
      atLeast == .a3
      || zip(stated, known).contains { candidate, known in
        guard let known else { return false }
        return known.customer == customer && Self.isMergeGrade(candidate, known.assurance)
      }
    for (candidate, known) in zip(stated, known) {
      let key = InTenant(tenant, candidate.identifier)
      guard let known else {
        newIdentities[key] = NewIdentity(
          customer: customer, origin: customer, assurance: candidate.assurance, firstSeenAt: time, lastSeenAt: time.day)
        facts.counts[customerKey, default: [:]][candidate.identifier.kind, default: 0] += 1
        if candidate.identifier.isBusinessScoped { facts.whatsApp[customerKey, default: []].insert(candidate.identifier) }
        continue
      }
      if known.customer == customer {
        see(key, candidate.assurance, time)
      } else {
        weigh(stated, tenant)
        suggest(tenant, customer, known.customer, candidate, stored: known.assurance, isReached, time)
      }
    }
    return customer
  }

  /// An identity was stated again, by whom it belongs to.
  private mutating func see(_ key: InTenant<Identifier>, _ assurance: Assurance, _ time: Timestamp) {
    if var new = newIdentities[key] {
      new.assurance = max(new.assurance, assurance)
      new.lastSeenAt = max(new.lastSeenAt, time.day)
      newIdentities[key] = new
    } else if let stored = facts.identities[key] {
      let seen = seenIdentities[key]
      let now = SeenIdentity(
        customer: stored.customer, assurance: max(seen?.assurance ?? stored.assurance, assurance),
        lastSeenAt: max(seen?.lastSeenAt ?? stored.lastSeenAt, time.day))
      if now.assurance != stored.assurance || now.lastSeenAt != stored.lastSeenAt { seenIdentities[key] = now }
    }
  }

  /// The record reached `customer` and also states an identity of `other`.
  private mutating func suggest(
    _ tenant: String, _ customer: ID, _ other: ID, _ stated: StatedIdentifier, stored: Assurance, _ isReached: Bool,
    _ time: Timestamp
  ) {
    let isMergeGrade = isReached && Self.isMergeGrade(stated, stored)
    var evidence = JSONObjectWriter()
    evidence.member("kind", stated.identifier.kind.rawValue)
    evidence.member("stated", stated.assurance.label)
    evidence.member("stored", stored.label)
    suggest(tenant, customer, other, rule: isMergeGrade ? "merge_evidence" : "weaker_evidence", evidence.finish(), time)
  }

  /// The first evidence of a pair is kept.
  private mutating func suggest(
    _ tenant: String, _ customer: ID, _ other: ID, rule: String, _ evidence: JSONText, _ time: Timestamp
  ) {
    let key = Suggestion(tenant: tenant, customer: min(customer, other), other: max(customer, other), rule: rule)
    if suggestions[key] == nil { suggestions[key] = (evidence.isEmpty ? JSONObjectWriter().finish() : evidence, time) }
  }
}

extension Timestamp {
  /// The start of its day, in UTC.
  var day: Timestamp {
    let day: Int64 = 86_400_000_000
    let rest = microseconds % day
    return Timestamp(microseconds: microseconds - (rest < 0 ? rest + day : rest))
  }
}
