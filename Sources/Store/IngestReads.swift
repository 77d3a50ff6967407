import Canonical
import Engine
import Postgres

/// What an ingest batch reads and locks, each a statement for the whole batch.
public enum IngestReads {
  /// The keys that are stored already.
  public static func seenKeys(
    _ keys: [InTenant<MessageKey>], on db: isolated PostgresConnection
  ) throws(PostgresFault) -> Set<InTenant<MessageKey>> {
    guard !keys.isEmpty else { return [] }
    let result = try db.query(
      Queries.named("keys_seen"), [.texts(keys.map(\.tenant)), .uuids(keys.map { PostgresUUID($0.value.raw) })])
    return Set((0..<result.count).map { keys[result.position($0)] })
  }

  /// Who the identifiers belong to, and which of their values are accounts of ours.
  public static func identities(
    _ identifiers: Set<InTenant<Identifier>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> IdentityFacts {
    var facts = IdentityFacts()
    guard !identifiers.isEmpty else { return facts }
    let keys = Array(identifiers)
    let found = try db.query(Queries.named("identities_read"), parameters(keys))
    for row in 0..<found.count {
      guard let assurance = Assurance(label: found.text(row, 2)) else { continue }
      facts.identities[keys[found.position(row)]] = .init(
        customer: found.uuid(row, 1).id, assurance: assurance, isShared: found.bool(row, 3), lastSeenAt: found.timestamp(row, 4))
    }
    let addresses = keys.filter { !$0.value.kind.isChannelScoped && !$0.value.kind.isClaimed }
    guard !addresses.isEmpty else { return facts }
    let own = try db.query(
      Queries.named("accounts_own"), [.texts(addresses.map(\.tenant)), .texts(addresses.map(\.value.value))])
    for row in 0..<own.count {
      let address = addresses[own.position(row)]
      facts.ownAccounts.insert(InTenant(address.tenant, address.value.value))
    }
    return facts
  }

  /// How many identities of each kind the customers have.
  public static func identityCounts(
    _ customers: Set<InTenant<ID>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [InTenant<ID>: [IdentifierKind: Int]] {
    guard !customers.isEmpty else { return [:] }
    let keys = Array(customers)
    let result = try db.query(Queries.named("identity_counts"), [.texts(keys.map(\.tenant)), .ids(keys.map(\.value))])
    var counts: [InTenant<ID>: [IdentifierKind: Int]] = [:]
    for row in 0..<result.count {
      counts[keys[result.position(row)], default: [:]][IdentifierKind(rawValue: result.text(row, 1))] = Int(result.int8(row, 2))
    }
    return counts
  }

  /// Locks the customers, in id order, and returns their profiles.
  public static func lockCustomers(
    _ customers: Set<InTenant<ID>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [InTenant<ID>: CustomerProfile] {
    guard !customers.isEmpty else { return [:] }
    let keys = customers.sorted()
    let result = try db.query(Queries.named("customers_lock"), [.texts(keys.map(\.tenant)), .ids(keys.map(\.value))])
    var profiles: [InTenant<ID>: CustomerProfile] = [:]
    for row in 0..<result.count {
      profiles[keys[result.position(row)]] = CustomerProfile(
        displayName: result.optionalText(row, 1), isVerified: result.bool(row, 2), language: result.optionalText(row, 3),
        organization: result.optionalText(row, 4), updatedAt: result.optionalTimestamp(row, 5))
    }
    return profiles
  }

  /// Where the references lead, and, locked in id order, the conversations of the lanes and of the references. Only under
  /// `lockCustomers`: then nobody else opens one.
  public static func threads(
    lanes: Set<Lane>, references: Set<InTenant<ReferenceKey>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> ThreadFacts {
    var facts = ThreadFacts()
    var conversations: Set<InTenant<ID>> = []
    if !references.isEmpty {
      let keys = Array(references)
      let result = try db.query(
        Queries.named("references_read"), [.texts(keys.map(\.tenant)), .uuids(keys.map { PostgresUUID($0.value.raw) })])
      for row in 0..<result.count {
        let key = keys[result.position(row)]
        facts.references[key] = (result.uuid(row, 1).id, result.bool(row, 2))
        conversations.insert(InTenant(key.tenant, result.uuid(row, 1).id))
      }
    }
    if !lanes.isEmpty {
      let keys = Array(lanes)
      let result = try db.query(
        Queries.named("lanes_read"), [.texts(keys.map(\.tenant)), .ids(keys.map(\.customer)), .texts(keys.map(\.name))])
      for row in 0..<result.count { conversations.insert(InTenant(result.text(row, 0), result.uuid(row, 1).id)) }
    }
    guard !conversations.isEmpty else { return facts }
    let keys = conversations.sorted()
    let result = try db.query(Queries.named("conversations_lock"), [.texts(keys.map(\.tenant)), .ids(keys.map(\.value))])
    for row in 0..<result.count {
      let key = InTenant(result.text(row, 0), result.uuid(row, 1).id)
      guard let status = ConversationState.Status(rawValue: result.text(row, 4)) else { continue }
      facts.conversations[key] = ConversationState(
        tenant: key.tenant, id: key.value, customer: result.uuid(row, 2).id, lane: result.text(row, 3), status: status,
        version: result.int8(row, 5), eventSeq: result.int8(row, 6), lastChannel: result.text(row, 7),
        language: result.optionalText(row, 8), subject: result.optionalText(row, 9), previous: result.optionalUUID(row, 10)?.id,
        openedAt: result.timestamp(row, 11), firstResponseAt: result.optionalTimestamp(row, 12),
        resolvedAt: result.optionalTimestamp(row, 13), lastMessageAt: result.timestamp(row, 14))
    }
    return facts
  }

  private static func parameters(_ keys: [InTenant<Identifier>]) -> [PostgresParameter] {
    [
      .texts(keys.map(\.tenant)), .texts(keys.map(\.value.kind.rawValue)), .texts(keys.map(\.value.scope)),
      .texts(keys.map(\.value.value)),
    ]
  }
}
