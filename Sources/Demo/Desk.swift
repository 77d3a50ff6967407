import Canonical
import Store
import Synchronization

/// What the agents of the day do beside the scenes: they accept, answer in the customer's language, note, snooze and resolve.
///
/// An event only says which conversation to look at; what an agent does depends on how it stands then. An action that was overtaken is
/// refused with an event, which makes the agent look again.
final class Desk: Sendable {
  private struct Marks {
    var conversations: Set<ID> = []
    var refused: Set<ID> = []
    var offers: [(conversation: ID, agent: String, epoch: Int64)] = []
  }
  private let stage: Stage
  private let marks = Mutex(Marks())
  private let bell: AsyncStream<Void>
  private let ringer: AsyncStream<Void>.Continuation

  init(stage: Stage) {
    self.stage = stage
    (bell, ringer) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  func hear(_ events: [OwnEvent]) {
    var hasNews = false
    marks.withLock { marks in
      for event in events {
        if event.type == "agent.state_changed" { hasNews = true }
        guard let conversation = event.text("conversation_id").flatMap({ ID($0) }) else { continue }
        switch event.type {
        case "conversation.offered":
          guard let agent = event.text("agent_id"), let epoch = event.number("ownership_epoch") else { continue }
          marks.offers.append((conversation, agent, epoch))
        case "conversation.assigned", "conversation.reopened": marks.conversations.insert(conversation)
        case "action.refused":
          marks.conversations.insert(conversation)
          marks.refused.insert(conversation)
        case "conversation.message_added" where event.text("direction") == "inbound": marks.conversations.insert(conversation)
        default: continue
        }
        hasNews = true
      }
    }
    if hasNews { ringer.yield() }
  }

  /// What an agent has acted on: as long as it is the same, there is nothing to do.
  private struct Seen: Equatable {
    var waitingSince: Timestamp?
    var last: Timestamp?
    var epoch: Int64
  }

  /// Works until its task is cancelled.
  func work() async throws {
    var handled: [ID: Seen] = [:]
    var refusals: [ID: Int] = [:]
    // Until their agent is back, or somebody else has them.
    var postponed: Set<ID> = []
    var count = 0
    for await _ in bell {
      let news = marks.withLock { marks in
        defer { marks = Marks() }
        return marks
      }
      for conversation in news.refused {
        refusals[conversation, default: 0] += 1
        // Who is refused again and again has lost it.
        if refusals[conversation] ?? 0 < 10 { handled[conversation] = nil }
      }
      var deliveries: [Delivery] = []
      let offered = try await stage.conversations(news.offers.map(\.conversation))
      for offer in news.offers {
        let at = offered[offer.conversation]?.lastMessageAt ?? stage.day.at(12, 0)
        deliveries.append(
          .action(.accept, on: offer.conversation, by: offer.agent, at: at) { $0.member("ownership_epoch", offer.epoch) })
      }
      let due = try await stage.conversations(news.conversations.union(postponed).sorted()).values
      postponed = []
      for conversation in due.sorted(by: { $0.id < $1.id }) {
        guard conversation.ownerKind == "agent", !conversation.isOffer, let agent = conversation.owner,
          ["open", "pending"].contains(conversation.status), !stage.isScripted(conversation)
        else { continue }
        // What waits for the customer is left alone, unless its end was refused.
        guard conversation.status == "open" || news.refused.contains(conversation.id) else { continue }
        guard stage.staff.isHere(agent) else {
          postponed.insert(conversation.id)
          continue
        }
        let seen = Seen(waitingSince: conversation.waitingSince, last: conversation.last?.at, epoch: conversation.epoch)
        guard handled[conversation.id] != seen else { continue }
        handled[conversation.id] = seen
        count += 1
        deliveries += handle(conversation, agent, count)
      }
      try await stage.publisher.publish(deliveries)
    }
  }

  /// - Parameter number: makes agents behave differently.
  private func handle(_ conversation: TimelineReads.Conversation, _ agent: String, _ number: Int) -> [Delivery] {
    let sentences = Sentences.of(conversation.language)
    var at = conversation.lastMessageAt.advanced(by: .seconds(120 + number % 7 * 75))
    func action(_ kind: Action.Kind, _ rest: (inout JSONObjectWriter) -> Void) -> Delivery {
      defer { at = at.advanced(by: .seconds(60)) }
      return .action(kind, on: conversation.id, by: agent, at: at) { action in
        action.member("ownership_epoch", conversation.epoch)
        action.member("seen_version", conversation.version)
        rest(&action)
      }
    }
    // What was put off until later, and what was answered.
    guard conversation.waitingSince != nil, let last = conversation.last else { return [action(.resolve) { _ in }] }
    // All was said on the phone.
    if last.channel == Channel.voice.rawValue {
      return [action(.note) { $0.member("text", sentences.note) }, action(.resolve) { _ in }]
    }
    var actions: [Delivery] = []
    if number % 9 == 4 { actions.append(action(.priority) { $0.member("priority", Int64(number % 4)) }) }
    actions.append(
      action(.reply) { reply in
        reply.member("text", sentences.answers[number % sentences.answers.count])
        reply.member("channel", last.channel)
      })
    switch number % 34 {
    case 3, 20: actions.append(action(.snooze) { $0.member("until", at.advanced(by: .seconds(5_400)).iso8601) })
    // Left until the customer says something, by those who are not the only ones with their language.
    case 11 where conversation.language == "en": break
    default: actions.append(action(.resolve) { _ in })
    }
    return actions
  }
}
