import Synchronization

/// What this worker last wrote or saw: whose identities are, and which conversation is live in a lane. Spares batches the reading of it.
///
/// It may be out of date, since other workers write, too. Identities are held against the versions of their customers, conversations
/// against their rows, under locks: `IdentityResolver.doubtful`, `LaneSpan.needsOnly`. Whoever fails forgets what was used, and reads the
/// rows when planning again.
final class Known<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct Halves {
    var younger: [Key: Value] = [:]
    var older: [Key: Value] = [:]
  }
  private let limit: Int
  private let halves = Mutex(Halves())

  /// - Parameter limit: of the younger half, after which the older one is forgotten.
  init(limit: Int) { self.limit = limit }

  /// What is known of the keys, and of which nothing is. What is found is among the younger from then on.
  ///
  /// - Parameter newer: what is known better.
  func find(_ keys: some Collection<Key>, _ newer: [Key: Value] = [:]) -> (known: [Key: Value], unknown: [Key]) {
    halves.withLock { halves in
      var known = [Key: Value](minimumCapacity: keys.count)
      var unknown: [Key] = []
      for key in keys {
        if let found = newer[key] ?? halves.younger[key] {
          known[key] = found
        } else if let found = halves.older.removeValue(forKey: key) {
          halves.younger[key] = found
          known[key] = found
        } else {
          unknown.append(key)
        }
      }
      return (known, unknown)
    }
  }

  func forget(_ keys: some Sequence<Key>) {
    halves.withLock { halves in
      for key in keys {
        halves.younger[key] = nil
        halves.older[key] = nil
      }
    }
  }

  func forget() { halves.withLock { $0 = Halves() } }

  /// What is being committed: forgotten again where that fails.
  func put(_ values: [Key: Value]) {
    halves.withLock { halves in
      halves.younger.merge(values) { $1 }
      guard halves.younger.count > limit else { return }
      halves.older = halves.younger
      halves.younger = [:]
    }
  }
}
