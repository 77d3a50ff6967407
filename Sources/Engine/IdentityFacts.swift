import Canonical

/// What the database knows about the identifiers of a batch, before the customers are locked; what is in doubt by then is read again.
public struct IdentityFacts: Sendable {
  public struct Stored: Sendable, Equatable {
    public var customer: ID
    public var assurance: Assurance
    public var isShared: Bool
    public var lastSeenAt: Timestamp
    /// `CustomerProfile.identitiesVersion` under the lock of the customer, when this was so; nil: nobody looked there.
    public var version: Int64?
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
  /// How many valid identities of each kind the customers that may gain some, or merge, have.
  public var counts: [InTenant<ID>: [IdentifierKind: Int]] = [:]
  /// The same customers: when they were made, and whom they must never be merged with.
  public var customers: [InTenant<ID>: (createdAt: Timestamp, neverMerge: Set<ID>)] = [:]
  /// The business-scoped WhatsApp ids of the same customers.
  public var whatsApp: [InTenant<ID>: Set<Identifier>] = [:]
  /// Whose the conversations are that tokens and actions name.
  public var owners: [InTenant<ID>: Owner] = [:]
  public init() {}

  public struct Owner: Sendable, Equatable {
    public var customer: ID
    public var epoch: Int64
    /// The conversation has become part of another.
    public var isMerged: Bool
    public init(customer: ID, epoch: Int64, isMerged: Bool) {
      self.customer = customer
      self.epoch = epoch
      self.isMerged = isMerged
    }
  }

  /// Known by a claim, which ends when they become known otherwise.
  func hasClaims(_ customer: InTenant<ID>) -> Bool { counts[customer]?.keys.contains(where: \.isClaimed) == true }

  /// Somebody else is known by another business-scoped id of the same portfolio: a number that leads to them has changed hands.
  func isSomebodyElse(_ customer: InTenant<ID>, than id: Identifier) -> Bool {
    whatsApp[customer]?.contains { $0.scope == id.scope && $0 != id } == true
  }
}

extension Identifier {
  /// WhatsApp's id of a person for one portfolio; its other ids are numbers.
  var isBusinessScoped: Bool {
    kind == .whatsapp && !value.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
  }
  var isNumber: Bool { kind == .phone || kind == .whatsapp && !isBusinessScoped }
}

extension IdentityResolver {
  /// The identities that may not be any more what the plan was made from, now that their customers are locked.
  ///
  /// Nobody has taken anything from a customer whose version is the same as ever. How sure an identity is can change without it.
  public func doubtful(under profiles: [InTenant<ID>: CustomerProfile]) -> [InTenant<Identifier>] {
    facts.identities.compactMap { key, found in
      let version = profiles[InTenant(key.tenant, found.customer)]?.identitiesVersion
      return version == nil || version != found.version || weighed.contains(key) ? key : nil
    }
  }

  /// Whether the plan is the same with what is `found` of these identities, under the locks of their customers, as with what it was made
  /// from.
  ///
  /// When somebody was last seen decides nothing, and how sure an identity is only where a record leads to several customers; elsewhere
  /// it may have become surer.
  public func holds(_ doubtful: [InTenant<Identifier>], with found: [InTenant<Identifier>: IdentityFacts.Stored]) -> Bool {
    doubtful.allSatisfy { key in
      guard let before = facts.identities[key], let now = found[key], before.customer == now.customer,
        before.isShared == now.isShared
      else { return false }
      return before.assurance == now.assurance || before.assurance < now.assurance && !weighed.contains(key)
    }
  }

  /// What is stored, once the batch is written, of its identities that were in doubt, or that it adds or changes; nil when others, that it
  /// does not name, have changed hands with it.
  ///
  /// - Parameter found: of those that were `doubtful`.
  public func stored(
    after found: [InTenant<Identifier>: IdentityFacts.Stored], under profiles: [InTenant<ID>: CustomerProfile]
  ) -> [InTenant<Identifier>: IdentityFacts.Stored]? {
    guard merges.isEmpty, !endsPlan else { return nil }
    var stored = [InTenant<Identifier>: IdentityFacts.Stored](
      minimumCapacity: found.count + seenIdentities.count + newIdentities.count)
    for (key, now) in found {
      stored[key] = now
      stored[key]?.version = profiles[InTenant(key.tenant, now.customer)]?.identitiesVersion
    }
    for (key, seen) in seenIdentities {
      guard var now = stored[key] ?? facts.identities[key] else { continue }
      now.assurance = max(now.assurance, seen.assurance)
      now.lastSeenAt = max(now.lastSeenAt, seen.lastSeenAt)
      stored[key] = now
    }
    for (key, new) in newIdentities {
      let customer = InTenant(key.tenant, new.customer)
      var now = IdentityFacts.Stored(
        customer: new.customer, assurance: new.assurance, isShared: false, lastSeenAt: new.lastSeenAt)
      now.version = profiles[customer]?.identitiesVersion ?? newCustomers[customer].map { _ in 0 }
      stored[key] = now
    }
    return stored
  }
}

/// What a plan will have changed, once it is written, of the facts from which the next one is made.
public struct IdentityOutlook: Sendable {
  /// What will be stored of the identities that the plan changes, or that were in doubt.
  public let identities: [InTenant<Identifier>: IdentityFacts.Stored]
  /// The keys that will be stored with it.
  public let keys: Set<InTenant<MessageKey>>
  /// The names that will have a row by then.
  public let names: [InTenant<ReferenceKey>: WriteSet.NewReference]
  private let resolver: IdentityResolver

  /// - Parameter identities: see `IdentityResolver.stored`; when that is nil there is no telling.
  public init(_ resolver: IdentityResolver, identities: [InTenant<Identifier>: IdentityFacts.Stored], writes: WriteSet) {
    self.identities = identities
    keys = Set(writes.keys)
    names = writes.references
    self.resolver = resolver
  }

  /// Adds accounts of ours to what was read before the plan is written.
  public func addAccounts(to facts: inout IdentityFacts) { facts.ownAccounts.formUnion(resolver.facts.ownAccounts) }

  /// Adds what the customers have gained to what was read of them before the plan is written.
  public func addGains(of customers: Set<InTenant<ID>>, to facts: inout IdentityFacts) {
    for (key, new) in resolver.newIdentities {
      let customer = InTenant(key.tenant, new.customer)
      guard customers.contains(customer) else { continue }
      facts.counts[customer, default: [:]][key.value.kind, default: 0] += 1
      if key.value.isBusinessScoped { facts.whatsApp[customer, default: []].insert(key.value) }
    }
    for (customer, createdAt) in resolver.newCustomers where customers.contains(customer) {
      facts.customers[customer] = (createdAt, [])
    }
  }
}
