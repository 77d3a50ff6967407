import Canonical

/// What routing knows of a conversation that waits for an owner.
public struct WaitingConversation: Sendable, Equatable {
  public var id: ID
  public var version: Int64
  /// The ownership that a claim is conditional on.
  public var epoch: Int64
  public var channel: Channel
  public var account: String?
  public var language: String?
  /// Higher goes first, as if it had waited longer by `RoutingPolicy.ageing` for each step.
  public var priority: Int32 = 0
  /// Kept across queues and owners: the older goes first.
  public var waitingSince: Timestamp
  /// Where it was put, and since when; nil while nobody has.
  public var queue: String?
  public var queuedAt: Timestamp?
  /// Whom it was held for, and until when, as its row says.
  public var heldFor: [String] = []
  public var heldUntil: Timestamp?
  public var organization: String?
  public var isHandedOff = false
  /// Who had the customer's last conversation.
  public var lastAgent: String?
  public var accountManager: String?
  /// Who is not asked again before that time.
  public var excluded: [String: Timestamp] = [:]

  public init(id: ID, version: Int64, epoch: Int64, channel: Channel, waitingSince: Timestamp) {
    self.id = id
    self.version = version
    self.epoch = epoch
    self.channel = channel
    self.waitingSince = waitingSince
  }
}

/// What routing knows of an agent: the row as the database has it.
public struct RoutingAgent: Sendable, Equatable {
  public var id: String
  public var version: Int64
  public var isOnline: Bool
  /// In units.
  public var capacity: Int32
  public var load: Int32
  /// How many conversations at once and how many there are, by channel; nil: every channel, within the capacity.
  public var channels: [Channel: ChannelLoad]?
  public var skills: [String: Int16] = [:]
  public var teams: Set<String> = []
  /// The last committed assignment or the coming online, whichever is later.
  public var idleSince: Timestamp

  public struct ChannelLoad: Sendable, Equatable {
    public var capacity: Int32
    public var load: Int32
    public init(capacity: Int32, load: Int32) {
      self.capacity = capacity
      self.load = load
    }
  }

  public init(id: String, version: Int64, isOnline: Bool, capacity: Int32, load: Int32, idleSince: Timestamp) {
    self.id = id
    self.version = version
    self.isOnline = isOnline
    self.capacity = capacity
    self.load = load
    self.idleSince = idleSince
  }
}

/// What can happen to a tenant's routing.
public enum RoutingEvent: Sendable {
  case policy(RoutingPolicy)
  /// As read; older versions than known are ignored.
  case agent(RoutingAgent)
  case agentGone(String)
  case waiting(WaitingConversation)
  /// It waits no longer, or not for us.
  case withdrawn(ID)
  /// A proposal was written.
  case committed(ID)
  /// A decision was not written: the facts had changed. What it is now follows as `waiting`, if it still does.
  case refused(ID)
  /// Time has passed.
  case clock
}

/// What is to be written, on condition that the conversation's ownership is still what it was.
public struct RoutingDecision: Sendable, Equatable {
  public enum Outcome: Sendable, Equatable {
    /// With `acceptWithin` it is an offer.
    case assign(agent: String, acceptWithin: Duration?)
    /// Nobody can and may: it stays in the queue, until then for these agents alone.
    case place(heldFor: [String], until: Timestamp?)
    case bot(String)
  }

  public struct Candidate: Sendable, Equatable {
    public var agent: String
    public var idleSince: Timestamp
  }

  public var conversation: ID
  public var epoch: Int64
  public var queue: String
  public var channel: Channel
  /// What it takes of the agent's capacity.
  public var units: Int32
  public var outcome: Outcome
  /// `longest_idle`, `preferred`, `nobody` or `bot`.
  public var rule: String
  /// Up to ten who could and may, the best first.
  public var candidates: [Candidate] = []
  /// How many agents were passed over, by reason.
  public var excluded: [String: Int] = [:]
  public var policyVersion: Int32

  public var agent: String? { if case .assign(let agent, _) = outcome { agent } else { nil } }
}
