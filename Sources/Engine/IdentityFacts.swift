import Canonical

/// What the database knows about the identifiers of a batch, before and again after the customers are locked.
public struct IdentityFacts: Sendable {
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
    /// A plan made from one is as good for the other: when somebody was last seen decides nothing.
    public func decides(as other: Self) -> Bool {
      customer == other.customer && assurance == other.assurance && isShared == other.isShared
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
