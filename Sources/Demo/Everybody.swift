import Canonical
import Postgres
import Store
import Synchronization

/// Everybody else's day: the desk is kept busy while the scenes are played, closes, and leaves some waiting for the morning.
final class Everybody: Sendable {
  private static let title = "Everybody else"
  /// Records that come in at once.
  private static let handful = 24
  /// No more comes in while so many wait for an answer.
  private static let patience: Int64 = 40
  private static let nightCount = 6

  private let stage: Stage
  private let day: Background
  private let night: [Delivery]
  private let leftUnanswered = Mutex<Int64>(-1)

  init(on stage: Stage, seed: UInt64) {
    self.stage = stage
    var background = Background(seed: seed, messages: 420, people: 180, day: stage.day)
    night = background.night(Self.nightCount)
    day = background
  }

  /// Publishes the day, handful by handful, as the desk keeps up with it.
  func write() async throws {
    let all = day.deliveries
    for (number, start) in stride(from: 0, to: all.count, by: Self.handful).enumerated() {
      let handful = Array(all[start..<min(start + Self.handful, all.count)])
      _ = try await stage.deliver(handful)
      let unanswered = try await stage.wait(for: "room at the desk") {
        let unanswered = try await stage.totals().unanswered
        return unanswered < Self.patience ? unanswered : nil
      }
      note(handful.last?.at, "\(start + handful.count) of \(all.count) records, \(unanswered) wait for an answer")
      await comeAndGo(number)
    }
  }

  /// Agents take breaks.
  private func comeAndGo(_ handful: Int) async {
    switch handful {
    case 4: await stage.staff.set("a_jonas", to: .away)
    case 7:
      await stage.staff.set("a_jonas", to: .online)
      await stage.staff.set("a_giulia", to: .away)
      // Whoever goes home gives away what they hold: here somebody without a part in a scene.
      await stage.staff.set("a_ruth", to: .offline)
    case 10:
      await stage.staff.set("a_giulia", "a_ruth", to: .online)
      await stage.staff.set("a_amelie", to: .wrapUp)
    case 13: await stage.staff.set("a_amelie", to: .online)
    default: break
    }
  }

  /// Waits until everybody has an answer, sends the agents home, and lets a few more write.
  func close() async throws {
    note(stage.day.at(17, 58), "the last answers")
    await stage.staff.set("a_jonas", "a_giulia", "a_ruth", "a_amelie", to: .online)
    do {
      // What was put off comes back, and is an agent's to end: whoever goes home before gives it to the queue.
      try await stage.wait(until: "answer for everybody") { try await stage.totals().unfinished == 0 }
    } catch is Stage.Late {
      // Then that is what the verdict says.
    }
    let unanswered = try await stage.totals().unanswered
    leftUnanswered.withLock { $0 = unanswered }
    note(stage.day.at(18, 0), "the agents go home")
    await stage.staff.closeDesk()
    try await stage.wait(until: "empty desk") { try await stage.totals().agentsOnline == 0 }
    let late = Set(try await stage.deliver(night).map(\.conversation))
    try await stage.wait(until: "queue for those who wrote at night") {
      late.allSatisfy { !stage.events.events(about: $0, "conversation.queued").isEmpty }
    }
  }

  private func note(_ at: Timestamp?, _ what: String) {
    stage.progress.note("\(at?.timeOfDay ?? "")  \(Self.title): \(what)")
  }

  var verdict: Verdict {
    Verdict(Self.title) { [self] in
      let tenant = stage.tenant
      let totals = try await stage.totals()
      let channels = try await stage.read { db throws(PostgresFault) in try TimelineReads.channels(tenant: tenant, on: db) }
      let ids = (day.deliveries + night).compactMap(\.externalID)
      let stored = try await stage.stored(Array(Set(ids)))
      let repeated = ids.count - Set(ids).count
      let waitingAtNight = Set(try await stage.stored(night.compactMap(\.externalID)).map(\.conversation)).count
      let names = Set(channels.map(\.channel))
      return SceneResult(
        Self.title,
        [
          Expectation(
            "every message is there once, whatever providers repeated", stored.count == Set(ids).count && totals.doubled == 0),
          Expectation("no record became a dead letter", totals.deadLetters == 0),
          Expectation(
            "all eleven channels were used",
            names.isSuperset(of: ["email", "chat", "form", "whatsapp", "messenger", "instagram", "sms", "voice", "x", "bot"])
              && day.contacts > 0),
          Expectation("everybody who wrote by day had an answer before the desk closed", leftUnanswered.withLock { $0 } == 0),
          Expectation("who wrote at night waits in a queue, and nobody else", totals.waiting == Int64(waitingAtNight)),
          Expectation(
            "no agent had more than they can take, and every load was given back",
            totals.agentsOverCapacity == 0 && totals.unbalancedAgents == 0),
        ],
        story: [
          "\(totals.received) messages of \(totals.customers) customers in \(totals.conversations) conversations, "
            + "\(totals.sent) answers",
          "\(repeated) messages repeated by providers and dropped, \(totals.parked) receipts, reactions and the like kept aside",
          "\(totals.merged) customers turned out to be known already, \(totals.claims) claims, "
            + "\(totals.refusedReferences) references refused",
          "\(totals.assignments) assignments, \(stage.events.count(of: "action.refused")) actions refused as overtaken or too late",
          "\(totals.waiting) conversations wait for an agent now, \(totals.withBots) are with a bot, \(totals.deadLetters) dead letters",
          "",
          "channel      received      sent  customers",
        ]
          + channels.map { row in
            Self.left(row.channel, 11) + Self.right(row.received, 10) + Self.right(row.sent, 10) + Self.right(row.customers, 11)
          } + [Self.left("crm", 11) + Self.right(Int64(day.contacts + 2), 10) + "  contacts"])
    }
  }

  private static func left(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
  private static func right(_ number: Int64, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - "\(number)".count)) + "\(number)"
  }
}
