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
  public var routes: [InTenant<ID>: [Channel: Route]] = [:]
  public var outboundSeqs: [OutboundTopic: Int64] = [:]
  /// Which agent had a conversation under an earlier ownership, and until when.
  public var holders: [Holding: (agent: String, until: Timestamp)] = [:]
  /// The messages of ours that results are about.
  public var sent: [InTenant<ID>: SentMessage] = [:]
  /// Bots that asked for a human before the session they name was known.
  public var handoffs: [InTenant<ReferenceKey>: [WriteSet.ParkedEvent]] = [:]
  public init() {}
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

/// A message of ours, where it is and how far it came.
public struct SentMessage: Sendable, Equatable {
  public var conversation: ID
  public var status: String?
  public var error: String?
  public var externalID: String?
  public init(conversation: ID, status: String?, error: String?, externalID: String?) {
    self.conversation = conversation
    self.status = status
    self.error = error
    self.externalID = externalID
  }
}

/// Where an answer goes: the account and address of the customer's last message on a channel.
public struct Route: Sendable, Equatable {
  public var account: String
  public var address: String
  /// The provider's id of that message.
  public var externalID: String?
  public var at: Timestamp
  public init(account: String, address: String, externalID: String?, at: Timestamp) {
    self.account = account
    self.address = address
    self.externalID = externalID
    self.at = at
  }
}
