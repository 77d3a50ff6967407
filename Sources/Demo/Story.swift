import Canonical
import Postgres
import Store
import Synchronization

/// Who has a conversation: what every action of an agent states.
struct Ownership: Sendable {
  var conversation: ID
  var agent: String
  var epoch: Int64
}

/// One scene as it is played: its clock, and what its customers and agents do.
final class Story: Sendable {
  let title: String
  let stage: Stage
  /// Which time of the day it was when.
  private let marks = Mutex<[(wall: Timestamp, day: Timestamp)]>([])

  init(_ title: String, on stage: Stage) {
    self.title = title
    self.stage = stage
  }

  /// The next step: what happens, and when.
  func at(_ hour: Int, _ minute: Int, _ what: String) -> Timestamp { at(hour, minute, 0, what) }

  func at(_ hour: Int, _ minute: Int, _ second: Int, _ what: String) -> Timestamp {
    let time = stage.day.at(hour, minute, second)
    marks.withLock { $0.append((.now, time)) }
    stage.progress.note("\(time.timeOfDay)  \(title): \(what)")
    return time
  }

  /// When it was by the day's clock: the router's times are the wall clock's.
  func dayTime(of time: Timestamp) -> Timestamp {
    if stage.day.contains(time) { return time }
    return marks.withLock { marks in (marks.last { $0.wall <= time } ?? marks.first)?.day } ?? time
  }

  // MARK: - Customers

  /// Publishes the customer's message and waits until it is in its conversation, and the desktops know.
  @discardableResult
  func deliver(_ delivery: Delivery) async throws -> TimelineReads.Message {
    guard let id = delivery.externalID, let message = try await stage.deliver([delivery]).first(where: { $0.externalID == id })
    else {
      throw Stage.Late(description: "no message")
    }
    // Now an agent sees it.
    try await stage.wait(until: "news of the message") {
      stage.events.events(about: message.conversation, "conversation.message_added").contains {
        $0.text("message_id") == message.id.description
      }
    }
    return message
  }

  /// Publishes what the business knows and waits until it is known.
  func introduce(_ delivery: Delivery, as externalID: String) async throws -> ID {
    try await stage.publisher.publish(delivery)
    let identifier = Identifier(.externalID, externalID)
    return try await stage.wait(for: "customer of the CRM") {
      try await stage.owners(of: [identifier])[identifier]?.customer
    }
  }

  // MARK: - Agents

  /// Waits until an agent has the conversation.
  func owner(of conversation: ID) async throws -> Ownership {
    try await stage.wait(for: "agent for the conversation") {
      let event = stage.events.events(about: conversation, "conversation.assigned").last
      guard let event, let agent = event.text("agent_id"), let epoch = event.number("ownership_epoch") else { return nil }
      return Ownership(conversation: conversation, agent: agent, epoch: epoch)
    }
  }

  /// The agent acts on what the desktop shows; returns how often somebody was refused there before.
  @discardableResult
  func act(
    _ kind: Action.Kind, _ owner: Ownership, at: Timestamp, _ rest: (inout JSONObjectWriter) -> Void = { _ in }
  ) async throws -> Int {
    let refusals = refusals(about: owner.conversation).count
    let version = stage.events.version(of: owner.conversation)
    try await stage.publisher.publish(
      .action(kind, on: owner.conversation, by: owner.agent, at: at) { action in
        action.member("ownership_epoch", owner.epoch)
        action.member("seen_version", version)
        rest(&action)
      })
    return refusals
  }

  private func check(_ owner: Ownership, _ refusalsBefore: Int) throws {
    let refusals = refusals(about: owner.conversation)
    if refusals.count > refusalsBefore, let last = refusals.last {
      throw Stage.Late(description: "\(last.text("kind") ?? "") was refused: \(last.text("reason") ?? "")")
    }
  }

  func note(_ owner: Ownership, at: Timestamp, _ text: String) async throws {
    try await act(.note, owner, at: at) { $0.member("text", text) }
  }

  /// Resolves, and waits until it is.
  func resolve(_ owner: Ownership, at: Timestamp) async throws {
    let before = try await act(.resolve, owner, at: at)
    try await stage.wait(until: "resolved conversation") {
      try check(owner, before)
      return !stage.events.events(about: owner.conversation, "conversation.resolved").isEmpty
    }
  }

  /// What an agent sent, and what its provider calls it.
  struct Sent: Sendable {
    var event: OwnEvent
    var message: TimelineReads.Message
  }

  /// Answers, or invites to another channel, and waits until the adapter has said that it is sent.
  @discardableResult
  func send(
    _ owner: Ownership, at: Timestamp, on channel: Channel, isInvitation: Bool = false, _ text: String
  ) async throws -> Sent {
    let before = try await act(isInvitation ? .invite : .reply, owner, at: at) { action in
      action.member("text", text)
      action.member("channel", channel.rawValue)
    }
    let (event, id) = try await stage.wait(for: "outbound message") { () -> (OwnEvent, String)? in
      try check(owner, before)
      let sent = stage.events.events(about: owner.conversation, "outbound.message").last { $0.text("text") == text }
      return sent.flatMap { event in event.text("message_id").flatMap(stage.adapters.externalID).map { (event, $0) } }
    }
    let message = try await stage.wait(for: "delivery of the answer") {
      try await stage.messages([id]).first { ["sent", "delivered", "read"].contains($0.deliveryStatus) }
    }
    return Sent(event: event, message: message)
  }

  // MARK: - What became of it

  func conversation(_ id: ID) async throws -> TimelineReads.Conversation {
    guard let conversation = try await stage.conversations([id])[id] else {
      throw Stage.Late(description: "no such conversation")
    }
    return conversation
  }

  func timeline(of customer: ID) async throws -> [TimelineReads.Entry] {
    let tenant = stage.tenant
    return try await stage.read { db throws(PostgresFault) in try TimelineReads.timeline(of: customer, tenant: tenant, on: db) }
  }

  func decisions(about conversation: ID) async throws -> [TimelineReads.Decision] {
    let tenant = stage.tenant
    return try await stage.read { db throws(PostgresFault) in
      try TimelineReads.decisions(about: conversation, tenant: tenant, on: db)
    }
  }

  func customer(_ id: ID) async throws -> TimelineReads.Customer {
    let tenant = stage.tenant
    let found = try await stage.read { db throws(PostgresFault) in try TimelineReads.customer(id, tenant: tenant, on: db) }
    guard let found else { throw Stage.Late(description: "no such customer") }
    return found
  }

  func refusals(about conversation: ID) -> [OwnEvent] { stage.events.events(about: conversation, "action.refused") }

  /// From, to of each change of channel that was told.
  func switches(in conversation: ID) -> [String] {
    stage.events.events(about: conversation, "conversation.channel_switched").map {
      "\($0.text("from") ?? "")>\($0.text("to") ?? "")"
    }
  }
}
