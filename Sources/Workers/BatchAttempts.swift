import Canonical
import Postgres

/// What to do about work that could not be committed, fault after fault: pure (operations.md, recipe steps 5 and 6).
struct BatchAttempts: Sendable {
  /// After so many failures for reasons that pass, a batch is halved; a record alone is given up.
  static let limit = 8

  enum Verdict: Sendable, Equatable {
    /// Try the same again, after the backoff of this attempt.
    case again(attempt: Int)
    case halve
    /// It fails alone and always will.
    case reject(Rejection.Reason)
    /// Our own bug.
    case stop
  }

  /// Failures in a row, and those of them that are not the server's.
  private var attempt = 0
  private var races = 0

  /// - Parameter count: how many records it was.
  mutating func failed(_ fault: PostgresFault, count: Int) -> Verdict {
    attempt += 1
    switch fault.disposition {
    case .stop: return .stop
    case .reconnect, .backOff: return .again(attempt: attempt)
    // Waiting for a lock, or for memory, says nothing about the record that waits: the batch is halved, and the record never rejected.
    case .halve where ["55P03", "53200"].contains(fault.sqlState) && count == 1: return .again(attempt: attempt)
    case .replan, .halve, .bisect: races += 1
    }
    let isHopeless =
      fault.disposition == .bisect || races >= Self.limit || fault.disposition == .halve && count > 1
    guard isHopeless else { return .again(attempt: attempt) }
    self = .init()
    return count > 1 ? .halve : .reject(fault.disposition == .bisect ? .databaseRejected : .internal)
  }
}
