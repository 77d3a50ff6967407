import Canonical

/// Who may be given which conversation, and what it takes of them: the policy file as a value.
public struct RoutingPolicy: Sendable, Equatable {
  /// A queue, and which conversations belong to it.
  public struct Queue: Sendable, Equatable {
    public var id: String
    public var name: String
    public var match = Match()
    /// What an agent needs at least.
    public var skills: [String: Int16] = [:]
    /// Of whom one must be the agent's; empty: anybody.
    public var teams: Set<String> = []
    /// Who is asked before anybody else, in this order.
    public var prefer: [Preference] = []
    /// How long a conversation waits for a preferred agent who is online and has no room.
    public var hold: Duration = .zero
    /// How long an offer stands; nil: the conversation is the agent's at once.
    public var acceptWithin: Duration?

    public init(id: String, name: String? = nil) {
      self.id = id
      self.name = name ?? id
    }
  }

  /// What must hold of a conversation; nil: whatever it is.
  public struct Match: Sendable, Equatable {
    public var channels: Set<Channel>?
    public var accounts: Set<String>?
    public var languages: Set<String>?
    public var priorityAtLeast: Int16?
    public var organization: Organization?
    /// A bot has asked for a human.
    public var isHandoff: Bool?

    public init() {}

    /// Matches everything.
    public var isOpen: Bool { self == Match() }

    func holds(for conversation: WaitingConversation) -> Bool {
      if let channels, !channels.contains(conversation.channel) { return false }
      if let accounts, !accounts.contains(conversation.account ?? "") { return false }
      // 'pt-BR' is Portuguese.
      if let languages {
        guard let language = conversation.language?.lowercased() else { return false }
        guard languages.contains(language) || languages.contains(String(language.prefix { $0 != "-" })) else { return false }
      }
      if let priorityAtLeast, conversation.priority < Int32(priorityAtLeast) { return false }
      if let isHandoff, conversation.isHandedOff != isHandoff { return false }
      switch organization {
      case nil: return true
      case .any: return conversation.organization != nil
      case .oneOf(let ids): return conversation.organization.map(ids.contains) ?? false
      }
    }
  }

  public enum Organization: Sendable, Equatable {
    case any
    case oneOf(Set<String>)
  }

  public enum Preference: String, Sendable, CaseIterable {
    case lastAgent = "last_agent"
    case accountManager = "account_manager"
  }

  /// A channel account whose new conversations begin with a bot.
  public struct BotRule: Sendable, Equatable {
    public var channel: Channel
    public var account: String
    public var bot: String
    public init(channel: Channel, account: String, bot: String) {
      self.channel = channel
      self.account = account
      self.bot = bot
    }
  }

  public var version: Int32 = 1
  /// What one conversation takes of an agent's capacity; `otherUnits` for the channels not named.
  public var units: [Channel: Int32] = [.voice: 100, .email: 20, .form: 20, .ticket: 20]
  public var otherUnits: Int32 = 30
  /// The first that matches; the last one matches everything.
  public var queues: [Queue] = [Queue(id: "general", name: "General")]
  public var bots: [BotRule] = []
  public var closeAfter: Duration = .seconds(72 * 3_600)
  public var resolvePendingAfter: Duration = .seconds(336 * 3_600)
  /// What agents hold whose lease ran out goes back to the queue; otherwise it waits for them.
  public var requeuesWhenLost = true
  /// How much waiting one step of priority is worth: who has waited so much longer goes first all the same.
  public var ageing: Duration = .seconds(900)
  /// How long who declined, missed or gave away a conversation is not asked again for it.
  public var excludedFor: Duration = .seconds(600)

  public init() {}

  public func units(_ channel: Channel) -> Int32 { units[channel] ?? otherUnits }
  public func queue(_ id: String) -> Queue? { queues.first { $0.id == id } }

  /// The queue of a conversation: where it was put, else the first that matches.
  func queue(for conversation: WaitingConversation) -> Queue? {
    if let id = conversation.queue, let queue = queue(id) { return queue }
    return queues.first { $0.match.holds(for: conversation) } ?? queues.last
  }

  /// The bot that a new conversation begins with.
  func bot(for conversation: WaitingConversation) -> String? {
    guard conversation.epoch == 0, conversation.queuedAt == nil, conversation.queue == nil, !conversation.isHandedOff else {
      return nil
    }
    return bots.first { $0.channel == conversation.channel && $0.account == conversation.account }?.bot
  }
}
