import Canonical

/// What a batch leaves behind: the rows to insert and to change, and the outcome of every element.
public struct WriteSet: Sendable {
  public struct NewCustomer: Sendable, Equatable {
    public var tenant: String
    public var id: ID
    public var profile: CustomerProfile
    public var createdAt: Timestamp
    public var mergedInto: ID?
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
    /// The customer's side as the channel calls it, and what that is.
    public var address: String?
    public var addressKind: String?
    /// Of what we send: the adapter's word comes later.
    public var deliveryStatus: String?
    public var deliveryError: String?
    /// Where it began, if it was moved since.
    public var originConversation: ID?
    public var originCustomer: ID?
    /// An echo that turned out to be a message of ours, which is here already.
    public var deletedAt: Timestamp?
  }
  /// Everything of one conversation that has become part of another, or of another customer.
  public struct Move: Sendable, Equatable {
    public var tenant: String
    public var from: ID
    public var into: ID
    public var customer: ID
    public init(tenant: String, from: ID, into: ID, customer: ID) {
      self.tenant = tenant
      self.from = from
      self.into = into
      self.customer = customer
    }
  }
  public struct NewReference: Sendable, Equatable {
    /// nil: somebody waits for the name, and nobody has it.
    public var conversation: ID?
    /// nil while only others have referred to it.
    public var message: ID?
    /// The key exists in the database: by hearsay, for somebody who waits, or as the name of an echo (`was`).
    public var replaces: Bool
    public var was: ID?
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
    /// What it does once its message is known.
    public var change: PendingChange?
    /// The record in the batch and the element in it.
    public var record: Int
    public var element: Int

    /// One that is stored.
    public init(
      tenant: String, id: ID, kind: String, channel: Channel, account: String, target: ReferenceKey, targetExternalID: String?,
      sentAt: Timestamp?, receivedAt: Timestamp, details: JSONText, change: PendingChange?
    ) {
      (self.tenant, self.id, self.kind, self.channel, self.account) = (tenant, id, kind, channel, account)
      (self.target, self.targetExternalID, self.sentAt, self.receivedAt) = (target, targetExternalID, sentAt, receivedAt)
      (self.details, self.change, record, element) = (details, change, 0, 0)
    }

    init(_ event: Event, _ id: ID, _ change: Change, customer: ID?, _ element: IdentityPlan.Element) {
      (tenant, self.id, kind, channel, account) = (event.tenant, id, change.kind, event.channel, event.account)
      (self.customer, target, targetExternalID) = (customer, change.target, change.targetExternalID)
      (sentAt, receivedAt, details) = (event.sentAt, event.receivedAt, change.details)
      self.change = change.target.map { _ in PendingChange(change, on: event.channel, at: event.receivedAt) }
      (record, self.element) = (element.record, element.element)
    }
  }
  /// What has happened to a message since it was written.
  public struct MessageChange: Sendable, Equatable {
    /// In their order; an empty text is none, nil the same as before.
    public var edits: [(at: Timestamp, text: String?)] = []
    /// Its content goes: text, details, original and attachments.
    public var deletion: (at: Timestamp, by: AuthorKind?)?
    /// What was said in a call, behind what is known of that.
    public var transcript: String?
    /// Pieces of a long text, by their numbers.
    public var pieces: [Int64: String] = [:]
    /// What each further piece of an album has brought: the providers' ids, by the piece's own. Kept as `details.files`.
    public var files: [String: [String]] = [:]
    /// Pieces of an album that were taken back.
    public var removedPieces: [String] = []
    /// What was told of a call, each `{"at", "text", "details"}`; kept as `details.parts`.
    public var parts: [JSONText] = []
    /// What was attached is gone.
    public var losesAttachments = false
    /// JSON arrays of attachments, each added unless it is there.
    public var attachments: [JSONText] = []
    /// The same of attachments that are taken away, known by their providers' ids.
    public var removedAttachments: [JSONText] = []
    public init() {}

    public static func == (a: Self, b: Self) -> Bool {
      a.edits.elementsEqual(b.edits, by: ==) && a.deletion?.at == b.deletion?.at && a.deletion?.by == b.deletion?.by
        && a.transcript == b.transcript && a.pieces == b.pieces && a.files == b.files && a.removedPieces == b.removedPieces
        && a.parts == b.parts && a.losesAttachments == b.losesAttachments
        && a.attachments == b.attachments && a.removedAttachments == b.removedAttachments
    }
  }
  /// What somebody thinks of a message: one thing, or one of each kind where the channel has it so.
  public struct ReactionKey: Sendable, Hashable {
    public var message: InTenant<ID>
    /// The customer's side as the channel calls it, or `agent`.
    public var actor: String
    /// Empty, or the reaction itself.
    public var slot: String
  }
  public struct ReceiptKey: Sendable, Hashable {
    public var message: InTenant<ID>
    public var status: String
    /// The customer's side as the channel calls it; empty where it is not said.
    public var recipient: String
  }
  /// The customer's side of a channel account as the channel calls it.
  public struct Address: Sendable, Hashable, Comparable {
    public var tenant: String
    public var channel: Channel
    public var account: String
    public var address: String
    public init(tenant: String, channel: Channel, account: String, address: String) {
      (self.tenant, self.channel, self.account, self.address) = (tenant, channel, account, address)
    }

    public static func < (a: Self, b: Self) -> Bool {
      (a.tenant, a.channel.rawValue, a.account, a.address) < (b.tenant, b.channel.rawValue, b.account, b.address)
    }
  }
  public struct WatermarkKey: Sendable, Hashable {
    public var address: Address
    /// `delivered` or `read`.
    public var status: String
  }
  /// Something that happened with a customer and is no message: `identity_change`, `consent` or `erasure`.
  public struct CustomerEvent: Sendable {
    public var tenant: String
    public var id: ID
    public var customer: ID
    public var kind: String
    public var status: String?
    public var channel: Channel
    public var account: String
    public var at: Timestamp
    public var details: JSONText
  }
  /// An order or an answer, by the account that it came through and the id that it has there.
  public struct SourceKey: Sendable, Hashable, Comparable {
    public var tenant: String
    public var channel: Channel
    public var account: String
    public var externalID: String

    public static func < (a: Self, b: Self) -> Bool {
      (a.tenant, a.channel.rawValue, a.account, a.externalID) < (b.tenant, b.channel.rawValue, b.account, b.externalID)
    }
  }
  public struct DeadLetter: Sendable, Equatable {
    public var tenant: String
    public var id: ID
    public var record: Int
    /// nil: the whole record.
    public var element: Int?
    public var rejection: Rejection
  }
  /// An event of ours, for a topic of ours.
  public struct DomainEvent: Sendable, Equatable {
    public var tenant: String
    public var id: ID
    /// Without the prefix.
    public var topic: String
    public var type: String
    /// The id of the conversation, customer or agent that it is about.
    public var subject: String
    /// Grows by one per event of a subject on a topic.
    public var seq: Int64
    public var at: Timestamp
    public var traceparent: String?
    public var data: JSONText

    public init(
      tenant: String, id: ID, topic: String, type: String, subject: String, seq: Int64, at: Timestamp, traceparent: String?,
      data: JSONText
    ) {
      self.tenant = tenant
      self.id = id
      self.topic = topic
      self.type = type
      self.subject = subject
      self.seq = seq
      self.at = at
      self.traceparent = traceparent
      self.data = data
    }
  }

  public var customers: [NewCustomer] = []
  /// Existing customers whose profile changes, with the new whole of it.
  public var changedCustomers: [InTenant<ID>: CustomerProfile] = [:]
  public var organizations: [InTenant<String>: (organization: Organization, at: Timestamp)] = [:]
  public var newConversations: [ConversationState] = []
  public var changedConversations: [ConversationState] = []
  /// Of the new and the changed ones those that are live in their lanes.
  public var liveConversations: [Lane: ID] {
    var live = [Lane: ID](minimumCapacity: newConversations.count + changedConversations.count)
    for conversations in [newConversations, changedConversations] {
      for conversation in conversations where conversation.status.isLive { live[conversation.laneKey] = conversation.id }
    }
    return live
  }
  public var messages: [NewMessage] = []
  public var keys: [InTenant<MessageKey>] = []
  public var references: [InTenant<ReferenceKey>: NewReference] = [:]
  public var claims: [NewClaim] = []
  public var links: [NewLink: (message: ID, at: Timestamp)] = [:]
  /// Of what is stored; new rows come as they end up.
  public var moves: [Move] = []
  /// In their order, with the conversations that became part of others.
  public var merges: [(id: ID, merge: Merge, conversations: [(from: ID, into: ID)])] = []
  /// What the adapters and the providers' receipts have said about messages of ours.
  public var deliveries: [InTenant<ID>: StoredMessage] = [:]
  public var messageChanges: [InTenant<ID>: MessageChange] = [:]
  /// nil: taken back.
  public var reactions: [ReactionKey: (reaction: String?, at: Timestamp)] = [:]
  public var receipts: [ReceiptKey: Timestamp] = [:]
  /// Everything that was sent up to then.
  public var watermarks: [WatermarkKey: Timestamp] = [:]
  /// Whether we may write there: the newest word wins.
  public var consents: [Address: Consent] = [:]
  public var customerEvents: [CustomerEvent] = []
  /// The newest version wins.
  public var orders: [SourceKey: (order: Order, customer: ID?)] = [:]
  public var surveys: [SourceKey: (response: SurveyResponse, customer: ID?, conversation: ID?)] = [:]
  /// Messages that turned out to be others: stored echoes of what results are about.
  public var deletedEchoes: [InTenant<ID>: Timestamp] = [:]
  /// Parked events that have come to their target.
  public var unparked: [InTenant<ID>] = []
  /// The last seq of a conversation on `outbound.<channel>`.
  public var outboundSeqs: [OutboundTopic: Int64] = [:]
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

/// One thing that the business knows of a customer.
public struct Trait: Sendable, Equatable {
  public var value: JSONText
  /// The account that said so.
  public var source: String
  /// The newest word wins.
  public var at: Timestamp
  public init(value: JSONText, source: String, at: Timestamp) {
    self.value = value
    self.source = source
    self.at = at
  }

  /// As it is stored.
  public var json: JSONText {
    var trait = JSONObjectWriter()
    trait.member("value", value)
    trait.member("source", source)
    trait.member("at", at.iso8601)
    return trait.finish()
  }
}

/// What is known of a customer beside their identities.
public struct CustomerProfile: Sendable, Equatable {
  public var displayName: String?
  public var isVerified: Bool
  public var language: String?
  /// External id of the organization.
  public var organization: String?
  /// Only what a batch adds.
  public var traits: [String: Trait] = [:]
  public var updatedAt: Timestamp?
  /// The last seq of this subject on conversation.events.
  public var eventSeq: Int64 = 0
  /// How often an identity has been taken from them, or changed other than by being seen or becoming surer.
  public var identitiesVersion: Int64 = 0

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

/// A conversation on one of the topics `outbound.<channel>`.
public struct OutboundTopic: Hashable, Sendable {
  public var tenant: String
  public var conversation: ID
  public var channel: Channel
  public init(tenant: String, conversation: ID, channel: Channel) {
    self.tenant = tenant
    self.conversation = conversation
    self.channel = channel
  }
}

/// One issue of a customer, as far as threading and the agents' actions care.
public struct ConversationState: Sendable, Equatable {
  public enum Status: String, Sendable {
    case open, pending, snoozed, resolved, closed
    public var isLive: Bool { self == .open || self == .pending || self == .snoozed }
  }
  /// The router's word; only read here.
  public struct Owner: Sendable, Equatable {
    public enum Kind: String, Sendable { case bot, queue, agent }
    public var kind: Kind
    public var id: String?
    /// Grows with every change of owner.
    public var epoch: Int64
    public init(kind: Kind = .queue, id: String? = nil, epoch: Int64 = 0) {
      self.kind = kind
      self.id = id
      self.epoch = epoch
    }
  }
  public var tenant: String
  public var id: ID
  public var customer: ID
  public var lane: String
  public var status: Status
  public var version: Int64
  public var eventSeq: Int64
  public var lastChannel: Channel.RawValue
  public var lastAccount: String?
  public var language: String?
  public var subject: String?
  public var previous: ID?
  public var openedAt: Timestamp
  public var firstResponseAt: Timestamp?
  public var resolvedAt: Timestamp?
  public var lastMessageAt: Timestamp
  public var priority: Int16 = 0
  /// The version that the last message of the customer made.
  public var customerVersion: Int64 = 0
  /// The first message of the customer that nobody has answered.
  public var waitingSince: Timestamp?
  public var snoozedUntil: Timestamp?
  /// A bot asks for a human: `{"message_id", "at"}`.
  public var handoff: JSONText?
  /// Mail by machines in a day, and since when.
  public var automaticCount: Int32 = 0
  public var automaticSince: Timestamp?
  public var owner = Owner()
  public var mergedInto: ID?
  /// The customer it began with, if that is another one by now.
  public var originCustomer: ID?
  /// Where its row is while it is locked; only the store knows how to read it.
  public var place: UInt64 = 0

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
