import Foundation

/// What agents did, and what events say became of it: every action is applied once or refused once, however often it was delivered.
///
/// An event names the action that it refuses. One that tells of a change names the conversation and the reason, so that actions of a
/// kind are counted by conversation; what is sent to customers has the action's own text.
struct DeedLedger {
  private struct Deed: Hashable {
    var conversation: String
    var kind: String
  }

  /// The reason that an event gives for what such an action changes, by its type.
  private static let changes = [
    "conversation.resolved": ["agent": "resolve"],
    "conversation.assigned": ["taken": "take", "accepted": "accept", "transferred": "transfer"],
    "conversation.queued": ["transferred": "transfer"],
    "conversation.unassigned": ["released": "release"],
  ]

  /// The ids of the actions in the topic.
  private var done: [Deed: Set<String>] = [:]
  private var applied: [Deed: Int] = [:]
  private var refusals: [String: Int] = [:]
  /// The texts of answers, by action.
  private var answers: [String: String] = [:]
  private var sendings: [String: Int] = [:]

  mutating func done(_ kind: String, _ id: String, _ value: [UInt8]) {
    let data = (try? JSONSerialization.jsonObject(with: Data(value))) as? [String: Any]
    done[Deed(conversation: data?["conversation_id"] as? String ?? "", kind: kind), default: []].insert(id)
    if kind == "reply" { answers[id] = data?["text"] as? String ?? "" }
  }

  /// An event that was not heard before.
  mutating func heard(_ type: String, _ data: [String: Any]) {
    let conversation = data["conversation_id"] as? String ?? ""
    if type == "action.refused" {
      refusals[data["action_id"] as? String ?? "", default: 0] += 1
    } else if type == "outbound.message" {
      applied[Deed(conversation: conversation, kind: "reply"), default: 0] += 1
      sendings[data["text"] as? String ?? "", default: 0] += 1
    } else if let kind = Self.changes[type]?[data["reason"] as? String ?? ""] {
      applied[Deed(conversation: conversation, kind: kind), default: 0] += 1
    }
  }

  /// The texts that were sent to customers.
  var sent: Set<String> { Set(sendings.keys) }

  var count: Int { done.values.reduce(0) { $0 + $1.count } }
  var refusedCount: Int { refusals.count }

  var problems: [String] {
    let ids = Set(done.values.joined())
    let findings: [(String, [String])] = [
      (
        "actions without an end, or with two",
        Set(done.keys).union(applied.keys).filter { deed in
          let ids = done[deed] ?? []
          return ids.count != (applied[deed] ?? 0) + ids.count { refusals[$0] != nil }
        }.map { "\($0.kind) in \($0.conversation)" }
      ),
      ("actions refused more than once", refusals.filter { $0.value > 1 }.map(\.key)),
      ("refusals of what nobody did", refusals.keys.filter { !ids.contains($0) }),
      (
        "answers not sent once, or refused and sent",
        answers.filter { id, text in (sendings[text] ?? 0) + (refusals[id] == nil ? 0 : 1) != 1 }.map(\.key)
      ),
    ]
    return findings.compactMap { sentence, culprits in
      culprits.isEmpty ? nil : "\(culprits.count) \(sentence), such as \(culprits.sorted().prefix(3))"
    }
  }
}
