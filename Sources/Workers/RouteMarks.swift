import Canonical
import Synchronization

/// What may have changed since the router last looked, and the bell that says so. Marks only save time: all is read again anyway.
final class RouteMarks: Sendable {
  struct Marks: Sendable {
    var conversations: [String: Set<ID>] = [:]
    var agents: [String: Set<String>] = [:]
    var isFull = false
  }

  /// With more than that, everything is read again.
  private static let maximumCount = 100_000
  private let marks = Mutex((marks: Marks(), count: 0))
  let bell: AsyncStream<Void>
  private let ringer: AsyncStream<Void>.Continuation

  init() { (bell, ringer) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

  func mark(_ tenant: String, conversation: ID) { mark { $0.conversations[tenant, default: []].insert(conversation).inserted } }
  func mark(_ tenant: String, agent: String) { mark { $0.agents[tenant, default: []].insert(agent).inserted } }

  private func mark(_ insert: (inout Marks) -> Bool) {
    marks.withLock { state in
      guard state.count < Self.maximumCount else {
        state.marks.isFull = true
        return
      }
      if insert(&state.marks) { state.count += 1 }
    }
  }

  func ring() { ringer.yield() }

  func take() -> Marks {
    marks.withLock { state in
      defer { state = (Marks(), 0) }
      return state.marks
    }
  }
}
