import Canonical

/// What the database knows about the conversations of a batch's customers, read under their locks.
public struct ThreadFacts: Sendable {
  /// The live conversation of each lane, the two that ended last (the batch may open one of them again), and every conversation
  /// that a reference leads to.
  public var conversations: [InTenant<ID>: ConversationState] = [:]
  /// Where the references lead; without a message, while only others have referred to it.
  public var references: [InTenant<ReferenceKey>: (conversation: ID, message: ID?)] = [:]
  /// Where human reference numbers lead.
  public var numbers: [InTenant<String>: ID] = [:]
  /// The profiles of the existing customers that the batch touches; of those who become one with others, with all traits.
  public var profiles: [InTenant<ID>: CustomerProfile] = [:]
  /// How the customers of the conversations that agents answer were last heard, by channel.
  public var routes: [InTenant<ID>: [Surface: Route]] = [:]
  /// What the customers whom agents answer have said about being written to, there and where the batch's messages come from.
  public var consents: [WriteSet.Address: Consent] = [:]
  public var outboundSeqs: [OutboundTopic: Int64] = [:]
  /// Which agent had a conversation under an earlier ownership, and until when.
  public var holders: [Holding: (agent: String, until: Timestamp)] = [:]
  /// The messages that results and changes are about.
  public var messages: [InTenant<ID>: StoredMessage] = [:]
  /// Names that have a row and lead nowhere: changes wait for them, or they are but the keys of deliveries.
  public var awaited: Set<InTenant<ReferenceKey>> = []
  /// Changes that wait for names of the batch: of sessions (a bot that asked for a human, a ticket's state) and of messages.
  public var parked: [InTenant<ReferenceKey>: [WriteSet.ParkedEvent]] = [:]
  public init() {}

  /// The names that come with what has waited.
  public var namesOfParked: Set<InTenant<ReferenceKey>> {
    Set(parked.flatMap { name, parked in parked.compactMap { $0.change?.name.map { InTenant(name.tenant, $0) } } })
  }
}

/// A conversation under one of its ownerships.
public struct Holding: Hashable, Sendable {
  public var tenant: String
  public var conversation: ID
  public var epoch: Int64
  public init(tenant: String, conversation: ID, epoch: Int64) {
    self.tenant = tenant
    self.conversation = conversation
    self.epoch = epoch
  }
}

/// A message that is stored, as far as what happens to it later is concerned.
public struct StoredMessage: Sendable, Equatable {
  public var conversation: ID
  public var direction: Direction
  public var orderedAt: Timestamp
  /// The customer's side as the channel calls it, and what that is; nil where that is not known.
  public var address: String?
  public var addressKind: String?
  /// Of what we sent: how far it came.
  public var status: String?
  public var error: String?
  public var externalID: String?
  public var editedAt: Timestamp?
  public var isDeleted: Bool
  public init(
    conversation: ID, direction: Direction, orderedAt: Timestamp, address: String?, addressKind: String?, status: String?,
    error: String?,
    externalID: String?,
    editedAt: Timestamp? = nil, isDeleted: Bool = false
  ) {
    self.conversation = conversation
    self.direction = direction
    self.orderedAt = orderedAt
    self.address = address
    self.addressKind = addressKind
    self.status = status
    self.error = error
    self.externalID = externalID
    self.editedAt = editedAt
    self.isDeleted = isDeleted
  }
}

/// A change as it waits for its message.
public struct PendingChange: Sendable, Equatable {
  public var kind: String
  public var channel: Channel
  public var author: AuthorKind?
  /// The customer's side in every way that the change says.
  public var customer: [StatedIdentifier]
  /// The provider or the business vouches for the whole.
  public var isAttested: Bool
  public var at: Timestamp
  public var text: String?
  /// A JSON array.
  public var attachments: JSONText?
  public var status: String?
  public var error: String?
  public var reaction: String?
  public var name: ReferenceKey?
  /// The provider's id of what it is about, or of what is said.
  public var externalID: String?
  public var details: JSONText

  public init(
    kind: String, channel: Channel, author: AuthorKind?, customer: [StatedIdentifier], isAttested: Bool, at: Timestamp,
    text: String?,
    attachments: JSONText?, status: String?, error: String?, reaction: String?, name: ReferenceKey?, externalID: String?,
    details: JSONText
  ) {
    self.kind = kind
    self.channel = channel
    self.author = author
    self.customer = customer
    self.isAttested = isAttested
    self.at = at
    self.text = text
    self.attachments = attachments
    self.status = status
    self.error = error
    self.reaction = reaction
    self.name = name
    self.externalID = externalID
    self.details = details
  }

  init(_ change: Change, on channel: Channel, at: Timestamp) {
    self.init(
      kind: change.kind, channel: channel, author: change.authorKind, customer: change.customer, isAttested: change.isAttested,
      at: at, text: change.text, attachments: change.attachments.map { JSONText(array: $0.map(\.json)) }, status: change.status,
      error: change.error, reaction: change.reaction, name: change.name, externalID: change.targetExternalID,
      details: change.details)
  }
}

/// Whether we may write to an address.
public struct Consent: Sendable, Equatable {
  public var isGiven: Bool
  public var at: Timestamp
  public init(isGiven: Bool, at: Timestamp) {
    self.isGiven = isGiven
    self.at = at
  }
}

/// Where customers write: a channel, and who reads there.
public struct Surface: Hashable, Sendable {
  public var channel: Channel
  public var visibility: Visibility
  /// On the phone and at a counter nobody reads.
  var isWritten: Bool { channel != .voice && channel != .store }
  public init(_ channel: Channel, _ visibility: Visibility) {
    self.channel = channel
    self.visibility = visibility
  }
}

/// Where an answer goes: the account and address of the customer's last message on a surface.
public struct Route: Sendable, Equatable {
  public var account: String
  /// The customer's side.
  public var address: String
  /// What to send to instead, such as a group or a ticket.
  public var replyAddress: String?
  /// The provider's id of that message.
  public var externalID: String?
  /// When it was said, and the message that says so.
  public var orderedAt: Timestamp
  public var message: ID
  /// They have written themselves, and were not only handed over.
  public var isHeard: Bool
  /// When the customer was last heard here.
  public var at: Timestamp { isHeard ? orderedAt : Self.unheard }
  /// Of who was handed over and has not written yet: before everything that anybody has said about being written to.
  public static let unheard = Timestamp(seconds: 0)
  public init(
    account: String, address: String, replyAddress: String?, externalID: String?, orderedAt: Timestamp, message: ID,
    isHeard: Bool
  ) {
    self.account = account
    self.address = address
    self.replyAddress = replyAddress
    self.externalID = externalID
    self.orderedAt = orderedAt
    self.message = message
    self.isHeard = isHeard
  }

  /// To who has only written among others; nil where they have no address of their own. They have not been heard there.
  func toPerson(on channel: Channel) -> Route? {
    // Whoever is in copy reads what is written into a ticket; and groups and channels of Telegram, which write themselves, are negative.
    guard channel != .ticket, address != replyAddress, channel != .telegram || !address.hasPrefix("-") else { return nil }
    var route = self
    route.replyAddress = nil
    route.isHeard = false
    return route
  }

  /// Whether the other one counts, of two on one surface.
  public func isBefore(_ other: Route) -> Bool {
    (isHeard ? 1 : 0, orderedAt, message) < (other.isHeard ? 1 : 0, other.orderedAt, other.message)
  }
}
