import Canonical
import Engine
import Synchronization

/// Whose identities are, as this worker last saw it committed: spares a batch the first of its two readings of them.
///
/// It may be out of date, since other workers write, too. A plan made from it is compared with the rows under the locks of their customers,
/// as one made from the rows is; and what is used is taken out, so that whoever fails and plans again reads the rows.
final class KnownIdentities: Sendable {
  /// Of the younger half, after which the older one is forgotten.
  private static let limit = 40_000

  private struct Halves {
    var younger: [InTenant<Identifier>: IdentityFacts.Stored] = [:]
    var older: [InTenant<Identifier>: IdentityFacts.Stored] = [:]
  }
  private let halves = Mutex(Halves())

  /// Takes out what is known of the identifiers, and says of which nothing is.
  ///
  /// - Parameter newer: what is known better, and stays where it is.
  func take(
    _ identifiers: Set<InTenant<Identifier>>, _ newer: [InTenant<Identifier>: IdentityFacts.Stored] = [:]
  ) -> (known: [InTenant<Identifier>: IdentityFacts.Stored], unknown: [InTenant<Identifier>]) {
    halves.withLock { halves in
      var known = [InTenant<Identifier>: IdentityFacts.Stored](minimumCapacity: identifiers.count)
      var unknown: [InTenant<Identifier>] = []
      for identifier in identifiers {
        if let found = newer[identifier] ?? halves.younger.removeValue(forKey: identifier)
          ?? halves.older.removeValue(forKey: identifier)
        {
          known[identifier] = found
        } else {
          unknown.append(identifier)
        }
      }
      return (known, unknown)
    }
  }

  /// These are in use.
  func forget(_ identifiers: some Sequence<InTenant<Identifier>>) {
    halves.withLock { halves in
      for identifier in identifiers where halves.younger.removeValue(forKey: identifier) == nil { halves.older[identifier] = nil }
    }
  }

  func forget() { halves.withLock { $0 = Halves() } }

  /// What is committed now.
  func put(_ identities: [InTenant<Identifier>: IdentityFacts.Stored]) {
    halves.withLock { halves in
      halves.younger.merge(identities) { $1 }
      guard halves.younger.count > Self.limit else { return }
      halves.older = halves.younger
      halves.younger = [:]
    }
  }
}
