import Canonical
import Kafka
import Logging
import Synchronization

/// The agents of the sample desk at their desktops, which report where they are: a few teams, seven languages.
public final class DeskStaff: Sendable {
  struct Member: Sendable {
    var id: String
    var name: String
    var teams: [String]
    var skills: [String: Int64]
    /// How many conversations at once, by channel; empty: any.
    var channels: [Channel: Int64] = [:]
    /// Begins later, when somebody says so.
    var startsLater = false
  }

  static let accountManager = "a_henrik"
  static let shoeExpert = "a_lena"

  static let members: [Member] = [
    Member(id: "a_amelie", name: "Amélie Laurent", teams: ["support"], skills: ["language:fr": 5, "language:en": 4]),
    Member(
      id: "a_bruno", name: "Bruno Carvalho", teams: ["support"], skills: ["language:pt": 5, "language:es": 3, "language:en": 3]),
    Member(id: "a_giulia", name: "Giulia Rossi", teams: ["support"], skills: ["language:it": 5, "language:en": 4]),
    Member(id: "a_henrik", name: "Henrik Dahl", teams: ["key_accounts"], skills: ["language:en": 5, "language:de": 3]),
    Member(id: "a_jonas", name: "Jonas Weber", teams: ["support"], skills: ["language:de": 5, "language:en": 4]),
    Member(
      id: "a_lena", name: "Lena Novak", teams: ["shoes"], skills: ["product:shoes": 4, "language:en": 5], startsLater: true),
    Member(id: "a_lucia", name: "Lucía Ferrer", teams: ["support"], skills: ["language:es": 5, "language:en": 3]),
    Member(id: "a_priya", name: "Priya Nair", teams: ["support"], skills: ["language:en": 5]),
    Member(id: "a_ruth", name: "Ruth Albrecht", teams: ["key_accounts"], skills: ["language:en": 5, "language:de": 5]),
    Member(
      id: "a_samira", name: "Samira Haddad", teams: ["support"], skills: ["language:ar": 5, "language:fr": 4, "language:en": 4]),
    Member(
      id: "a_tom", name: "Tom Okafor", teams: ["support"], skills: ["language:en": 5], channels: [.voice: 1, .sms: 2, .email: 2]),
  ]

  static func name(of agent: String) -> String { members.first { $0.id == agent }?.name ?? agent }

  /// Long enough for a machine that has other things to do.
  private static let leaseSeconds: Int64 = 120
  private let publisher: Publisher
  private let logger: Logger
  private let states: Mutex<[String: Presence.State]>

  public init(kafka: KafkaConfiguration, topicPrefix: String, logger: Logger) throws(KafkaFault) {
    publisher = try Publisher(kafka: kafka, topicPrefix: topicPrefix)
    self.logger = logger
    states = Mutex(Dictionary(uniqueKeysWithValues: Self.members.map { ($0.id, $0.startsLater ? .offline : .online) }))
  }

  /// Reports for everybody who is there, again and again, until its task is cancelled.
  public func keepOnline() async {
    while !Task.isCancelled {
      let here = states.withLock { states in Self.members.filter { states[$0.id] != .offline } }
      await report(here)
      try? await Task.sleep(for: .seconds(5))
    }
    await publisher.close()
  }

  /// An agent comes, goes or comes back.
  func set(_ agents: String..., to state: Presence.State) async {
    states.withLock { states in
      for agent in agents { states[agent] = state }
    }
    await report(Self.members.filter { agents.contains($0.id) })
  }

  /// At their desk, whether they take new conversations or not.
  func isHere(_ agent: String) -> Bool { states.withLock { $0[agent] ?? .offline } != .offline }

  /// Everybody goes home.
  func closeDesk() async {
    states.withLock { states in
      for member in Self.members { states[member.id] = .offline }
    }
    await report(Self.members)
  }

  private func report(_ members: [Member]) async {
    let now = Timestamp.now
    let reports = states.withLock { states in
      members.map { Self.report($0, states[$0.id] ?? .offline, at: now) }
    }
    do {
      try await publisher.publish(reports)
    } catch {
      logger.warning(
        "presence not reported: \(error)", metadata: ["event.action": "demo_presence", "error.type": "\(error.name)"])
    }
  }

  static func report(_ member: Member, _ state: Presence.State, at: Timestamp) -> Delivery {
    let root = object { root in
      root.member("agent_id", member.id)
      root.member("name", member.name)
      root.member("state", state.rawValue)
      root.member("capacity", Int64(100))
      root.member(
        "channels",
        object { channels in
          for (channel, count) in member.channels.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            channels.member(channel.rawValue, count)
          }
        })
      root.member(
        "skills",
        object { skills in
          for (skill, level) in member.skills.sorted(by: { $0.key < $1.key }) { skills.member(skill, level) }
        })
      root.member("teams", member.teams)
      // Who is gone leaves what they have to the others soon.
      root.member("lease_seconds", state == .offline ? 5 : leaseSeconds)
    }
    return Delivery(
      type: "agent.presence", topic: "agent.presence", channel: .desk, account: "main", key: member.id, at: at, value: root.utf8)
  }
}
