import Canonical
import Postgres
import Store
import Synchronization

/// What every scene plays on: how to publish, to read and to wait.
final class Stage: Sendable {
  /// A condition that does not come in this time does not come.
  private static let patience = Duration.seconds(30)

  struct Late: Error, CustomStringConvertible {
    let description: String
  }

  let tenant = "default"
  let day = Day()
  let publisher: Publisher
  let adapters: Adapters
  let staff: DeskStaff
  let events = EventLog()
  let progress = Progress()
  private let db: PostgresConnection
  /// Ids of messages whose conversations are played by a scene, not by the desk.
  private let scripted = Mutex<Set<String>>([])

  init(publisher: Publisher, adapters: Adapters, staff: DeskStaff, db: PostgresConnection) {
    self.publisher = publisher
    self.adapters = adapters
    self.staff = staff
    self.db = db
  }

  func read<R: Sendable>(
    _ body: @Sendable (isolated PostgresConnection) throws(PostgresFault) -> R
  ) async throws(PostgresFault) -> R { try await db.perform(body) }

  func wait<R>(for what: @autoclosure () -> String, _ probe: () async throws -> R?) async throws -> R {
    let deadline = ContinuousClock.now + Self.patience
    while true {
      if let result = try await probe() { return result }
      guard ContinuousClock.now < deadline else { throw Late(description: "no \(what()) within \(Self.patience.spoken)") }
      try await Task.sleep(for: .milliseconds(40))
    }
  }

  func wait(until what: @autoclosure () -> String, _ holds: () async throws -> Bool) async throws {
    _ = try await wait(for: what()) { try await holds() ? true : nil }
  }

  /// Publishes messages and waits until all are there, in the order of their times.
  func deliver(_ deliveries: [Delivery]) async throws -> [TimelineReads.Message] {
    try await publisher.publish(deliveries)
    return try await messages(deliveries.compactMap(\.externalID))
  }

  /// Waits until the messages that providers call so are there.
  func messages(_ ids: [String]) async throws -> [TimelineReads.Message] {
    try await wait(for: "all of \(ids.count) messages") {
      let found = try await stored(ids)
      return Set(found.map(\.externalID)).count == Set(ids).count ? found : nil
    }
  }

  func stored(_ ids: [String]) async throws -> [TimelineReads.Message] {
    try await read { [tenant] db throws(PostgresFault) in try TimelineReads.messages(ids, tenant: tenant, on: db) }
  }

  func conversations(_ ids: [ID]) async throws -> [ID: TimelineReads.Conversation] {
    try await read { [tenant] db throws(PostgresFault) in try TimelineReads.conversations(ids, tenant: tenant, on: db) }
  }

  func totals() async throws -> TimelineReads.Totals {
    try await read { [tenant] db throws(PostgresFault) in try TimelineReads.totals(tenant: tenant, on: db) }
  }

  func owners(of identifiers: [Identifier]) async throws -> [Identifier: (customer: ID, assurance: String)] {
    try await read { [tenant] db throws(PostgresFault) in try TimelineReads.owners(of: identifiers, tenant: tenant, on: db) }
  }

  // MARK: - Scripted conversations

  func script(_ ids: [String]) { scripted.withLock { $0.formUnion(ids) } }

  func isScripted(_ conversation: TimelineReads.Conversation) -> Bool {
    scripted.withLock { scripted in conversation.receivedIDs.contains { scripted.contains($0) } }
  }
}

/// What is going on, for whoever watches.
final class Progress: Sendable {
  private let line = Mutex("")

  func note(_ text: String) { line.withLock { $0 = text } }
  var latest: String { line.withLock { $0 } }
}
