import Canonical

// The rows that a router's transaction locks, and what it leaves behind.

extension OwnershipPlan {
  public struct Conversation: Sendable, Equatable {
    public var customer: ID
    public var status: ConversationState.Status
    public var isMerged: Bool
    public var owner: Owner
    public var epoch: Int64
    public var queue: String?
    public var version: Int64
    public var eventSeq: Int64
    public var routingSeq: Int64
    public var channel: Channel
    public var isHandedOff: Bool
    public var openedAt: Timestamp
    public var lastMessageAt: Timestamp
    public var waitingSince: Timestamp?
    public var resolvedAt: Timestamp?
    public var snoozedUntil: Timestamp?
    public var queuedAt: Timestamp?
    public var heldFor: [String]
    public var heldUntil: Timestamp?

    public init(
      customer: ID, status: ConversationState.Status, isMerged: Bool = false, owner: Owner = .queue, epoch: Int64 = 0,
      queue: String? = nil, version: Int64 = 1, eventSeq: Int64 = 1, routingSeq: Int64 = 0, channel: Channel,
      isHandedOff: Bool = false, openedAt: Timestamp, lastMessageAt: Timestamp, waitingSince: Timestamp? = nil,
      resolvedAt: Timestamp? = nil, snoozedUntil: Timestamp? = nil, queuedAt: Timestamp? = nil, heldFor: [String] = [],
      heldUntil: Timestamp? = nil
    ) {
      self.customer = customer
      self.status = status
      self.isMerged = isMerged
      self.owner = owner
      self.epoch = epoch
      self.queue = queue
      self.version = version
      self.eventSeq = eventSeq
      self.routingSeq = routingSeq
      self.channel = channel
      self.isHandedOff = isHandedOff
      self.openedAt = openedAt
      self.lastMessageAt = lastMessageAt
      self.waitingSince = waitingSince
      self.resolvedAt = resolvedAt
      self.snoozedUntil = snoozedUntil
      self.queuedAt = queuedAt
      self.heldFor = heldFor
      self.heldUntil = heldUntil
    }

    /// An agent can have it.
    var isWorkable: Bool { !isMerged && (status == .open || status == .pending) }
  }

  public enum Owner: Sendable, Equatable {
    case queue
    case bot(String)
    case agent(String)

    public var kind: String {
      switch self {
      case .queue: "queue"
      case .bot: "bot"
      case .agent: "agent"
      }
    }
    public var id: String? {
      switch self {
      case .queue: nil
      case .bot(let id), .agent(let id): id
      }
    }
  }

  /// One that has not ended.
  public struct Assignment: Sendable, Equatable {
    public var id: ID
    public var agent: String
    public var queue: String?
    public var isOffer: Bool
    public var epoch: Int64
    public var channel: Channel
    public var units: Int32
    public var offeredAt: Timestamp
    public var acceptBy: Timestamp?
    /// The agent has written to the customer since it was offered.
    public var isAnswered: Bool

    public init(
      id: ID, agent: String, queue: String?, isOffer: Bool, epoch: Int64, channel: Channel, units: Int32, offeredAt: Timestamp,
      acceptBy: Timestamp?, isAnswered: Bool = false
    ) {
      self.id = id
      self.agent = agent
      self.queue = queue
      self.isOffer = isOffer
      self.epoch = epoch
      self.channel = channel
      self.units = units
      self.offeredAt = offeredAt
      self.acceptBy = acceptBy
      self.isAnswered = isAnswered
    }
  }

  public struct Agent: Sendable, Equatable {
    public var name: String?
    public var state: Presence.State
    public var capacity: Int32
    public var load: Int32
    /// By channel; nil: every channel, within the capacity.
    public var channels: [Channel: Int32]?
    /// What they have, by channel.
    public var live: [Channel: Int32]
    public var teams: [String]
    public var profile: String
    public var leaseExpiresAt: Timestamp
    public var reportedAt: Timestamp
    public var idleSince: Timestamp
    public var routingSeq: Int64

    public init(
      name: String?, state: Presence.State, capacity: Int32, load: Int32, channels: [Channel: Int32]?, live: [Channel: Int32],
      teams: [String], profile: String, leaseExpiresAt: Timestamp, reportedAt: Timestamp, idleSince: Timestamp, routingSeq: Int64
    ) {
      self.name = name
      self.state = state
      self.capacity = capacity
      self.load = load
      self.channels = channels
      self.live = live
      self.teams = teams
      self.profile = profile
      self.leaseExpiresAt = leaseExpiresAt
      self.reportedAt = reportedAt
      self.idleSince = idleSince
      self.routingSeq = routingSeq
    }

    func hasRoom(_ channel: Channel, _ units: Int32) -> Bool {
      guard capacity - load >= units else { return false }
      guard let channels else { return true }
      return channels[channel] ?? 0 > live[channel] ?? 0
    }
    func isThere(_ now: Timestamp) -> Bool { leaseExpiresAt > now }
  }

  public struct EndedAssignment: Sendable {
    public var conversation: InTenant<ID>
    public var assignment: Assignment
    public var reason: String
    public var excludedUntil: Timestamp?
  }
  public struct Segment: Sendable {
    public var conversation: InTenant<ID>
    public var position: Int64
    public var owner: Owner
    public var queue: String?
    public var startedAt: Timestamp
    public var endedAt: Timestamp?
    public var endReason: String?
  }
  public struct Report: Sendable {
    /// Before anything else in the transaction: what the channels' loads begin with.
    public var live: [Channel: Int32]
    public var presence: Presence
  }
}

extension Presence {
  /// All that matters to routing as one text: two reports with the same one say the same.
  var profile: String {
    var object = JSONObjectWriter()
    object.member("name", name)
    object.member("state", state.rawValue)
    object.member("capacity", Int64(capacity))
    object.member("channels", channels.map { "\($0.key.rawValue)=\($0.value)" }.sorted())
    object.member("skills", skills.map { "\($0.key)=\($0.value)" }.sorted())
    object.member("teams", teams.sorted())
    return object.finish().string
  }
}
