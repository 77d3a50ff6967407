import Canonical

/// What a batch leaves behind: the rows to insert and to change, and the outcome of every element.
public struct WriteSet: Sendable {
  public struct NewCustomer: Sendable, Equatable {
    public var tenant: String
    public var id: ID
    public var profile: CustomerProfile
    public var createdAt: Timestamp
  }
  public struct NewMessage: Sendable {
    public var tenant: String
    public var id: ID
    public var conversation: ID
    public var customer: ID
    public var channel: Channel
    public var account: String
    public var sentAt: Timestamp?
    public var receivedAt: Timestamp
    public var orderedAt: Timestamp
    public var message: Message
  }
  public struct NewReference: Sendable, Equatable {
    public var conversation: ID
    /// nil while only others have referred to it.
    public var message: ID?
    /// The key exists in the database, pointing at a conversation by hearsay.
    public var replaces: Bool
  }
  public struct NewClaim: Sendable, Equatable {
    public var tenant: String
    public var id: ID
    public var customer: ID
    public var message: ID?
    public var identifier: Identifier
    public var at: Timestamp
  }
  public struct NewLink: Sendable, Hashable {
    public var tenant: String
    public var conversation: ID
    public var linked: ID
    public var reason: String
  }
  public struct ParkedEvent: Sendable {
    public var tenant: String
    public var id: ID
    public var kind: String
    public var channel: Channel
    public var account: String
    public var customer: ID?
    public var target: ReferenceKey?
    public var targetExternalID: String?
    public var sentAt: Timestamp?
    public var receivedAt: Timestamp
    public var details: JSONText
    /// The record in the batch and the element in it.
    public var record: Int
    public var element: Int
  }
  public struct DeadLetter: Sendable, Equatable {
    public var tenant: String
    public var id: ID
    public var record: Int
    /// nil: the whole record.
    public var element: Int?
    public var rejection: Rejection
  }
  /// An event of ours for `conversation.events`.
  public struct DomainEvent: Sendable, Equatable {
    public var tenant: String
    public var id: ID
    public var type: String
    public var subject: ID
    public var seq: Int64
    public var at: Timestamp
    public var traceparent: String?
    public var data: JSONText
  }

  public var customers: [NewCustomer] = []
  /// Existing customers whose profile changes, with the new whole of it.
  public var changedCustomers: [InTenant<ID>: CustomerProfile] = [:]
  public var organizations: [InTenant<String>: (organization: Organization, at: Timestamp)] = [:]
  public var newConversations: [ConversationState] = []
  public var changedConversations: [ConversationState] = []
  public var messages: [NewMessage] = []
  public var keys: [InTenant<MessageKey>] = []
  public var references: [InTenant<ReferenceKey>: NewReference] = [:]
  public var claims: [NewClaim] = []
  public var links: [NewLink: (message: ID, at: Timestamp)] = [:]
  public var parked: [ParkedEvent] = []
  public var deadLetters: [DeadLetter] = []
  public var events: [DomainEvent] = []
  /// By record and element.
  public var outcomes: [[Outcome]] = []

  public init() {}
}

/// What became of one element: exactly one of these.
public enum Outcome: Sendable, Equatable {
  case stored
  case duplicate
  case ignored(reason: String)
  case parked
  case deadLetter(Rejection.Reason)

  /// The label of metrics and logs.
  public var label: String {
    switch self {
    case .stored: "stored"
    case .duplicate: "duplicate"
    case .ignored: "ignored"
    case .parked: "parked"
    case .deadLetter: "dead_letter"
    }
  }
}

/// What is known of a customer beside their identities.
public struct CustomerProfile: Sendable, Equatable {
  public var displayName: String?
  public var isVerified: Bool
  public var language: String?
  /// External id of the organization.
  public var organization: String?
  /// Name to `{"value", "source", "at"}`; only what a batch adds.
  public var traits: [String: JSONText] = [:]
  public var updatedAt: Timestamp?

  public init(
    displayName: String? = nil, isVerified: Bool, language: String? = nil, organization: String? = nil,
    updatedAt: Timestamp? = nil
  ) {
    self.displayName = displayName
    self.isVerified = isVerified
    self.language = language
    self.organization = organization
    self.updatedAt = updatedAt
  }
}

/// One issue of a customer, as far as threading cares.
public struct ConversationState: Sendable, Equatable {
  public enum Status: String, Sendable {
    case open, pending, snoozed, resolved, closed
    public var isLive: Bool { self == .open || self == .pending || self == .snoozed }
  }
  public var tenant: String
  public var id: ID
  public var customer: ID
  public var lane: String
  public var status: Status
  public var version: Int64
  public var eventSeq: Int64
  public var lastChannel: Channel.RawValue
  public var language: String?
  public var subject: String?
  public var previous: ID?
  public var openedAt: Timestamp
  public var firstResponseAt: Timestamp?
  public var resolvedAt: Timestamp?
  public var lastMessageAt: Timestamp

  public init(
    tenant: String, id: ID, customer: ID, lane: String, status: Status, version: Int64 = 0, eventSeq: Int64 = 0,
    lastChannel: Channel.RawValue, language: String? = nil, subject: String? = nil, previous: ID? = nil, openedAt: Timestamp,
    firstResponseAt: Timestamp? = nil, resolvedAt: Timestamp? = nil, lastMessageAt: Timestamp
  ) {
    self.tenant = tenant
    self.id = id
    self.customer = customer
    self.lane = lane
    self.status = status
    self.version = version
    self.eventSeq = eventSeq
    self.lastChannel = lastChannel
    self.language = language
    self.subject = subject
    self.previous = previous
    self.openedAt = openedAt
    self.firstResponseAt = firstResponseAt
    self.resolvedAt = resolvedAt
    self.lastMessageAt = lastMessageAt
  }
}
