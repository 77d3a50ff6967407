/// What an agent does with a conversation (`agent.actions`, types `agent.<kind>`).
public struct Action: Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    case reply, note, resolve, reopen, snooze, priority, identify, invite
    case accept, decline, take, release, transfer

    /// Changes who owns the conversation: applied by the router, passed over by ingest. The others the other way round.
    public var isRouting: Bool {
      switch self {
      case .accept, .decline, .take, .release, .transfer: true
      case .reply, .note, .resolve, .reopen, .snooze, .priority, .identify, .invite: false
      }
    }
  }

  public var kind: Kind
  /// The id of the CloudEvent: what a refusal names.
  public var id: String
  public var conversation: ID
  public var agent: String
  /// The ownership that the agent saw: with another one by now the action is refused. nil: not checked.
  public var ownershipEpoch: Int64?
  /// The conversation's version that the agent saw.
  public var seenVersion: Int64?
  public var text: String?
  public var attachments: [Attachment] = []
  /// Where a reply goes, or an invitation leads to.
  public var channel: Channel?
  /// Who is to read a reply; nil: whoever reads where the customer wrote last.
  public var visibility: Visibility?
  /// The end of a snooze.
  public var until: Timestamp?
  /// 0 is normal; higher goes first.
  public var priority: Int16?
  public var reason: String?
  /// What `identify` vouches for, at A3.
  public var identifiers: [StatedIdentifier] = []
  public var toQueue: String?
  public var toAgent: String?

  public init(kind: Kind, id: String, conversation: ID, agent: String) {
    self.kind = kind
    self.id = id
    self.conversation = conversation
    self.agent = agent
  }
}

/// What became of a message of ours at the provider (`outbound.results`).
public struct SendResult: Sendable {
  public var message: ID
  public var externalID: String?
  /// What the provider's echo and replies call the message.
  public var names: [ReferenceKey]
  /// `sent`, `delivered`, `read` or `failed`.
  public var status: String
  /// The provider's code or words; shown to the agent, never logged.
  public var error: String?

  public init(message: ID, externalID: String?, names: [ReferenceKey], status: String, error: String?) {
    self.message = message
    self.externalID = externalID
    self.names = names
    self.status = status
    self.error = error
  }
}

/// Where an agent is and what they can take (`agent.presence`).
public struct Presence: Sendable, Equatable {
  public enum State: String, Sendable, CaseIterable {
    case online, away, offline
    case wrapUp = "wrap_up"
  }

  public var agent: String
  public var name: String?
  public var state: State
  /// In units; what one conversation takes is the policy's word.
  public var capacity: Int32
  /// How many conversations at once, by channel. Who names any takes no others; empty: every channel, within the capacity.
  public var channels: [Channel: Int32]
  public var skills: [String: Int16]
  public var teams: [String]
  /// Without another report after so long, the agent is gone.
  public var leaseSeconds: Int32

  public init(
    agent: String, name: String? = nil, state: State, capacity: Int32, channels: [Channel: Int32] = [:],
    skills: [String: Int16] = [:], teams: [String] = [], leaseSeconds: Int32
  ) {
    self.agent = agent
    self.name = name
    self.state = state
    self.capacity = capacity
    self.channels = channels
    self.skills = skills
    self.teams = teams
    self.leaseSeconds = leaseSeconds
  }
}
