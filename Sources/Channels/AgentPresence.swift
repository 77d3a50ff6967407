import Canonical
import Parsing

/// `agent.presence`: where an agent is and what they can take (`schemas/payloads/agent.presence.json`), one report a record.
enum AgentPresence {
  private static let maximumChannels = 32
  private static let maximumSkills = 64
  private static let maximumTeams = 32
  private static let maximumSkillBytes = 128

  static func read(_ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard payload.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in
      let agent = try payload.agentID()
      guard let state = payload["state"].string.flatMap(Presence.State.init) else { throw Rejection(.malformedPayload, "state") }
      let channels = try numbers(of: "channels", payload, atMost: maximumChannels, in: 0...1_000) { Channel(rawValue: $0) }
      let skills = try numbers(of: "skills", payload, atMost: maximumSkills, in: 0...10) { (name) throws(Rejection) in
        guard (1...maximumSkillBytes).contains(name.utf8.count) else { throw Rejection(.malformedPayload, "skills") }
        return name
      }
      let presence = Presence(
        agent: agent, name: try payload.text("name"), state: state,
        capacity: Int32(try payload.integer("capacity", in: 0...10_000) ?? 100), channels: channels.mapValues { Int32($0) },
        skills: skills.mapValues { Int16($0) }, teams: try teams(payload["teams"]),
        leaseSeconds: Int32(try payload.integer("lease_seconds", in: 5...3_600) ?? 60))
      return delivery.event(delivery.envelopeKey("presence"), sentAt: nil, .presence(presence))
    }
  }

  /// The numbers of the object under `name`, by what each key stands for; nil leaves one out.
  private static func numbers<Key: Hashable>(
    of name: String, _ payload: JSONValue, atMost limit: Int, in range: ClosedRange<Int64>,
    by key: (String) throws(Rejection) -> Key?
  ) throws(Rejection) -> [Key: Int64] {
    let object = payload[name]
    guard object.isObject || !object.exists || object.isNull else { throw Rejection(.malformedPayload, name) }
    var numbers: [Key: Int64] = [:]
    var count = 0
    for (member, value) in object.members {
      count += 1
      guard count <= limit else { throw Rejection(.tooLarge, name) }
      guard let key = try key(member) else { continue }
      guard let number = value.int64, range.contains(number) else { throw Rejection(.malformedPayload, name) }
      numbers[key] = number
    }
    // None at all may mean everything, which is not what somebody says who names some.
    guard count == 0 || !numbers.isEmpty else { throw Rejection(.malformedPayload, name) }
    return numbers
  }

  private static func teams(_ list: JSONValue) throws(Rejection) -> [String] {
    guard list.isArray || !list.exists || list.isNull else { throw Rejection(.malformedPayload, "teams") }
    var teams: [String] = []
    for item in list.elements {
      guard teams.count < maximumTeams else { throw Rejection(.tooLarge, "teams") }
      guard let team = item.id, team.utf8.count <= Identifier.maximumBytes else { throw Rejection(.malformedPayload, "teams") }
      teams.append(team)
    }
    return teams
  }
}
