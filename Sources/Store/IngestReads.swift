import Canonical
import Engine
import Postgres

/// What an ingest batch reads and locks, each a statement for the whole batch.
public enum IngestReads {
  /// The keys that have a row, and whether a delivery is stored or they are but names; also the same keys of other tenants.
  /// `meanwhile` runs while the server looks.
  public static func keys<R>(
    _ keys: [InTenant<MessageKey>], on db: isolated PostgresConnection, meanwhile: () -> R
  ) throws(PostgresFault) -> ([InTenant<MessageKey>: Bool], R) {
    guard !keys.isEmpty else { return ([:], meanwhile()) }
    try db.send(Queries.named("keys_seen"), [.uuids(keys.map { PostgresUUID($0.value.raw) })])
    let other = meanwhile()
    let result = try db.receive()
    let rows = (0..<result.count).map {
      (InTenant(result.text($0, 0), MessageKey(result.uuid($0, 1).id.raw)), result.bool($0, 2))
    }
    return (Dictionary(rows) { $1 }, other)
  }

  /// Who the identifiers belong to.
  public static func identities(
    _ keys: [InTenant<Identifier>], on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [InTenant<Identifier>: IdentityFacts.Stored] {
    guard !keys.isEmpty else { return [:] }
    let found = try db.query(Queries.named("identities_read"), PostgresParameter.identities(keys))
    var identities = [InTenant<Identifier>: IdentityFacts.Stored](minimumCapacity: found.count)
    for row in 0..<found.count {
      guard let assurance = Assurance(label: found.text(row, 2)) else { continue }
      identities[keys[found.position(row)]] = .init(
        customer: found.uuid(row, 1).id, assurance: assurance, isShared: found.bool(row, 3), lastSeenAt: found.timestamp(row, 4))
    }
    return identities
  }

  /// Which of the identifiers' values are accounts of ours.
  public static func ownAccounts(
    _ identifiers: Set<InTenant<Identifier>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> Set<InTenant<String>> {
    let addresses = identifiers.lazy.filter { !$0.value.kind.isChannelScoped && !$0.value.kind.isClaimed }
    let keys = Array(Set(addresses.map { InTenant($0.tenant, $0.value.value) }))
    guard !keys.isEmpty else { return [] }
    let own = try db.query(Queries.named("accounts_own"), [.texts(keys.map(\.tenant)), .texts(keys.map(\.value))])
    return Set((0..<own.count).map { keys[own.position($0)] })
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

  /// When the customers were made, and whom they must never be merged with.
  public static func customers(
    _ customers: Set<InTenant<ID>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [InTenant<ID>: (createdAt: Timestamp, neverMerge: Set<ID>)] {
    guard !customers.isEmpty else { return [:] }
    let keys = Array(customers)
    let result = try db.query(Queries.named("customers_read"), [.texts(keys.map(\.tenant)), .ids(keys.map(\.value))])
    var found: [InTenant<ID>: (createdAt: Timestamp, neverMerge: Set<ID>)] = [:]
    for row in 0..<result.count {
      let key = keys[result.position(row)]
      let createdAt = result.timestamp(row, 1)
      let other = result.optionalUUID(row, 2)?.id
      found[key] = (createdAt, (found[key]?.neverMerge ?? []).union(other.map { [$0] } ?? []))
    }
    return found
  }

  /// The business-scoped WhatsApp ids of the customers.
  public static func whatsApp(
    _ customers: Set<InTenant<ID>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [InTenant<ID>: Set<Identifier>] {
    guard !customers.isEmpty else { return [:] }
    let keys = Array(customers)
    let result = try db.query(Queries.named("whatsapp_read"), [.texts(keys.map(\.tenant)), .ids(keys.map(\.value))])
    var found: [InTenant<ID>: Set<Identifier>] = [:]
    for row in 0..<result.count {
      let identifier = Identifier(.whatsapp, scope: result.text(row, 1), result.text(row, 2))
      found[keys[result.position(row)], default: []].insert(identifier)
    }
    return found
  }

  /// Whose the conversations are, and under which ownership.
  public static func owners(
    _ conversations: Set<InTenant<ID>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [InTenant<ID>: IdentityFacts.Owner] {
    guard !conversations.isEmpty else { return [:] }
    let keys = Array(conversations)
    let result = try db.query(Queries.named("conversation_owners"), [.texts(keys.map(\.tenant)), .ids(keys.map(\.value))])
    var owners: [InTenant<ID>: IdentityFacts.Owner] = [:]
    for row in 0..<result.count {
      owners[keys[result.position(row)]] = .init(
        customer: result.uuid(row, 1).id, epoch: result.int8(row, 2), isMerged: result.bool(row, 3))
    }
    return owners
  }

  /// The messages that results and changes are about.
  private static func messages(
    _ messages: Set<InTenant<ID>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [InTenant<ID>: StoredMessage] {
    guard !messages.isEmpty else { return [:] }
    let keys = Array(messages)
    let result = try db.query(Queries.named("messages_read"), [.texts(keys.map(\.tenant)), .ids(keys.map(\.value))])
    var found: [InTenant<ID>: StoredMessage] = [:]
    for row in 0..<result.count {
      guard let direction = Direction(rawValue: result.text(row, 2)) else { continue }
      found[keys[result.position(row)]] = StoredMessage(
        conversation: result.uuid(row, 1).id, direction: direction, orderedAt: result.timestamp(row, 9),
        address: result.optionalText(row, 3), addressKind: result.optionalText(row, 10),
        status: result.optionalText(row, 4), error: result.optionalText(row, 5), externalID: result.optionalText(row, 6),
        editedAt: result.optionalTimestamp(row, 7), isDeleted: result.bool(row, 8))
    }
    return found
  }

  /// Locks the customers, in the order of tenants and ids, and returns their profiles; of `joining` with all traits.
  ///
  /// - Throws: the fault of a lost race where one has become part of another.
  public static func lockCustomers(
    _ customers: Set<InTenant<ID>>, joining: Set<InTenant<ID>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [InTenant<ID>: CustomerProfile] {
    guard !customers.isEmpty else { return [:] }
    let result = try db.query(Queries.named("customers_lock"), [.ids(customers.map(\.value))])
    var profiles: [InTenant<ID>: CustomerProfile] = [:]
    for row in 0..<result.count {
      let key = result.key(row)
      guard customers.contains(key) else { continue }
      guard !result.bool(row, 8) else { throw .replan("a customer became part of another") }
      var profile = CustomerProfile(
        displayName: result.optionalText(row, 2), isVerified: result.bool(row, 3), language: result.optionalText(row, 4),
        organization: result.optionalText(row, 5), updatedAt: result.optionalTimestamp(row, 6))
      profile.eventSeq = result.int8(row, 7)
      profile.identitiesVersion = result.int8(row, 9)
      profiles[key] = profile
    }
    guard !joining.isEmpty else { return profiles }
    let all = Array(joining)
    let traits = try db.query(Queries.named("traits_read"), [.texts(all.map(\.tenant)), .ids(all.map(\.value))])
    for row in 0..<traits.count {
      profiles[all[traits.position(row)]]?.traits[traits.text(row, 1)] = Trait(
        value: JSONText(utf8: Array(traits.text(row, 2).utf8)), source: traits.text(row, 3), at: traits.timestamp(row, 4))
    }
    return profiles
  }

  /// Where the references lead, and, locked in their order, the conversations of the lanes, of the references and of what tokens,
  /// actions and results name. Only under `lockCustomers`: then nobody else opens one.
  ///
  /// - Parameters:
  ///   - absent: names that nobody had a while ago, see `absentNames`.
  ///   - live: conversations that were live in lanes of these a while ago: where they are still, their lanes are not looked up.
  public static func threads(
    _ identity: IdentityPlan, absent: Set<InTenant<ReferenceKey>>, live: [Lane: ID], on db: isolated PostgresConnection
  ) throws(PostgresFault) -> ThreadFacts {
    var facts = ThreadFacts()
    let needs = identity.needs
    let answered = needs.answered
    try readReferences(needs, absent, &facts, on: db)
    let watched = Array(needs.watched)
    let about = needs.sent.union(
      watched.compactMap { name in facts.references[name]?.message.map { InTenant(name.tenant, $0) } })
    facts.messages = try messages(about, on: db)
    var conversations = needs.named.union(facts.messages.map { InTenant($0.key.tenant, $0.value.conversation) })
    conversations.formUnion(facts.references.map { InTenant($0.key.tenant, $0.value.conversation) })
    let numbers = Array(needs.numbers)
    if !numbers.isEmpty {
      let result = try db.query(Queries.named("numbers_read"), [.texts(numbers.map(\.tenant)), .texts(numbers.map(\.value))])
      for row in 0..<result.count {
        let number = numbers[result.position(row)]
        facts.numbers[number] = result.uuid(row, 1).id
        conversations.insert(InTenant(number.tenant, result.uuid(row, 1).id))
      }
    }
    conversations.formUnion(try lanes(needs.lanes.filter { live[$0.key] == nil }, on: db))
    var answerable = answered
    let joining = Array(needs.joining)
    if !joining.isEmpty {
      let result = try db.query(
        Queries.named("conversations_live"), [.texts(joining.map(\.tenant)), .ids(joining.map(\.value))])
      for row in 0..<result.count {
        let key = result.key(row)
        conversations.insert(key)
        if !answered.isEmpty { answerable.insert(key) }
      }
    }
    facts.conversations = try lock(conversations.union(keys(live)), on: db)
    try lookAgain(in: needs.lanes, live, asked: conversations, &facts, on: db)
    // What has become part of another leads there.
    let roots = Set(facts.conversations.values.compactMap { found in found.mergedInto.map { InTenant(found.tenant, $0) } })
    try facts.conversations.merge(lock(roots.subtracting(facts.conversations.keys), on: db)) { $1 }
    try look(again: watched, about, &facts, on: db)
    answerable.formUnion(answerable.compactMap { key in facts.conversations[key]?.mergedInto.map { InTenant(key.tenant, $0) } })
    try routes(answerable, &facts, on: db)
    if !answerable.isEmpty { try consents(of: identity, &facts, on: db) }
    let former = needs.holdings.filter { holding in
      facts.conversations[InTenant(holding.tenant, holding.conversation)].map { $0.owner.epoch != holding.epoch } ?? false
    }
    try holders(Array(former), &facts, on: db)
    return facts
  }

  /// Under the locks of their conversations: what others did to the messages meanwhile. Throws the fault of a lost race where one of the
  /// names leads elsewhere by now.
  private static func look(
    again watched: [InTenant<ReferenceKey>], _ about: Set<InTenant<ID>>, _ facts: inout ThreadFacts,
    on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    guard !about.isEmpty else { return }
    for (name, found) in try references(watched, on: db) {
      let known = facts.references[name]
      guard known?.conversation == found.conversation, known?.message == found.message else {
        throw .replan("a name changed hands")
      }
    }
    facts.messages = try messages(about, on: db)
    for (key, message) in facts.messages where facts.conversations[InTenant(key.tenant, message.conversation)] == nil {
      throw .replan("a message moved")
    }
  }

  /// Where the names lead; to nothing, those that somebody waits for and nobody has, and those that are but keys of deliveries.
  private static func references(
    _ names: [InTenant<ReferenceKey>], on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [InTenant<ReferenceKey>: (conversation: ID?, message: ID?)] {
    guard !names.isEmpty else { return [:] }
    let result = try db.query(Queries.named("references_read"), parameters(names))
    var found: [InTenant<ReferenceKey>: (conversation: ID?, message: ID?)] = [:]
    for row in 0..<result.count {
      found[names[result.position(row)]] = (result.optionalUUID(row, 1)?.id, result.optionalUUID(row, 2)?.id)
    }
    return found
  }

  private static func parameters(_ names: [InTenant<ReferenceKey>]) -> [PostgresParameter] {
    [.texts(names.map(\.tenant)), .uuids(names.map { PostgresUUID($0.value.raw) })]
  }

  /// Which of these nobody has, stored or in `outlook`.
  ///
  /// - Parameters:
  ///   - keys: what was looked up as keys of deliveries in the same snapshot.
  ///   - stored: those that have a row.
  public static func absentNames(
    _ names: Set<InTenant<ReferenceKey>>, after outlook: IdentityOutlook, keys: [InTenant<MessageKey>],
    stored: [InTenant<MessageKey>: Bool], on db: isolated PostgresConnection
  ) throws(PostgresFault) -> Set<InTenant<ReferenceKey>> {
    let keys = Set(keys)
    var absent: Set<InTenant<ReferenceKey>> = []
    var unknown: [InTenant<ReferenceKey>] = []
    for name in names where outlook.names[name] == nil {
      guard stored[name.asKey] == nil, !outlook.keys.contains(name.asKey) else { continue }
      if keys.contains(name.asKey) { absent.insert(name) } else { unknown.append(name) }
    }
    absent.formUnion(unknown)
    absent.subtract(try references(unknown, on: db).keys)
    return absent
  }

  /// Throws the fault of a lost race where somebody has one of these `absent` names by now. Those that get a row are told so by that row.
  public static func verify(
    _ absent: Set<InTenant<ReferenceKey>>, in writes: WriteSet, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    let unwritten = absent.filter { writes.references[$0] == nil }
    guard try references(Array(unwritten), on: db).isEmpty else { throw .replan("a name appeared") }
  }

  /// Where the references lead; and what waits for names that the batch brings.
  private static func readReferences(
    _ needs: ThreadNeeds, _ absent: Set<InTenant<ReferenceKey>>, _ facts: inout ThreadFacts, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    func read(_ keys: [InTenant<ReferenceKey>]) throws(PostgresFault) {
      for (key, found) in try references(keys, on: db) {
        if let conversation = found.conversation {
          facts.references[key] = (conversation, found.message)
          facts.awaited.remove(key)
        } else {
          facts.awaited.insert(key)
        }
      }
    }
    func isWithoutMessage(_ key: InTenant<ReferenceKey>) -> Bool {
      facts.references[key].map { $0.message == nil } ?? facts.awaited.contains(key)
    }
    try read(Array(needs.references.subtracting(absent)))
    let (brought, sessions, targets) = (needs.brought, needs.sessions, needs.targets)
    // Who waits for a name and who brings it take its lock: one of them sees the other. A name without a row is its own lock.
    var contested = sessions.filter { facts.references[$0] == nil }
    contested.formUnion(brought.filter(isWithoutMessage))
    contested.formUnion(targets.filter { facts.references[$0]?.message == nil })
    if !contested.isEmpty {
      let keys = contested.sorted()
      try lock(names: keys, on: db)
      // Somebody may have named them before the lock was ours.
      facts.awaited.subtract(keys)
      try read(keys)
      let awaited = keys.filter { key in
        sessions.contains(key) && facts.references[key] == nil || brought.contains(key) && isWithoutMessage(key)
      }
      try readParked(awaited, &facts, on: db)
      // What was said there brings a name of its own, for which others may wait: mostly none, and answers below answers in a row.
      var known = Set(awaited)
      while true {
        let said = facts.namesOfParked.subtracting(known).sorted()
        guard !said.isEmpty else { break }
        known.formUnion(said)
        try lock(names: said, on: db)
        try read(said)
        let waitedFor = said.filter(isWithoutMessage)
        try readParked(waitedFor, &facts, on: db)
      }
    }
  }

  /// The server has room for some thousands of such locks in all: who needs very many takes the one that all share.
  private static func lock(names: [InTenant<ReferenceKey>], on db: isolated PostgresConnection) throws(PostgresFault) {
    if names.count > 1_000 {
      try db.send(Queries.named("names_lock_all"), [])
    } else {
      try db.send(Queries.named("names_lock"), [.uuids(names.map { PostgresUUID($0.value.raw) })])
    }
  }

  private static func readParked(
    _ names: [InTenant<ReferenceKey>], _ facts: inout ThreadFacts, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    guard !names.isEmpty else { return }
    let rows = try db.query(Queries.named("parked_read"), parameters(names))
    for row in 0..<rows.count {
      let name = names[rows.position(row)]
      guard let channel = Channel(rawValue: rows.text(row, 3)) else { continue }
      let id = rows.uuid(row, 1).id
      // One row for each identifier.
      if var last = facts.parked[name]?.last, last.id == id {
        last.change?.customer += stated(rows, row)
        facts.parked[name]?.removeLast()
        facts.parked[name]?.append(last)
        continue
      }
      let details = JSONText(utf8: Array(rows.text(row, 8).utf8))
      // Rows of earlier versions say nothing of what they do.
      let change = rows.optionalText(row, 9).map { isAttested in
        PendingChange(
          kind: rows.text(row, 2), channel: channel, author: rows.optionalText(row, 10).flatMap(AuthorKind.init),
          customer: stated(rows, row), isAttested: isAttested == "true", at: rows.timestamp(row, 7),
          text: rows.optionalText(row, 11),
          attachments: rows.optionalText(row, 12).map { JSONText(utf8: Array($0.utf8)) }, status: rows.optionalText(row, 13),
          error: rows.optionalText(row, 14), reaction: rows.optionalText(row, 15),
          name: rows.optionalUUID(row, 16).map { ReferenceKey($0.id.raw) }, externalID: rows.optionalText(row, 5),
          details: details)
      }
      facts.parked[name, default: []].append(
        .init(
          tenant: name.tenant, id: id, kind: rows.text(row, 2), channel: channel, account: rows.text(row, 4), target: name.value,
          targetExternalID: rows.optionalText(row, 5), sentAt: rows.optionalTimestamp(row, 6), receivedAt: rows.timestamp(row, 7),
          details: details, change: change))
    }
  }

  /// The identifier in this row of parked_read; none where the change states none.
  private static func stated(_ rows: borrowing PostgresResult, _ row: Int) -> [StatedIdentifier] {
    guard let kind = rows.optionalText(row, 17), let value = rows.optionalText(row, 19),
      let assurance = rows.optionalText(row, 20).flatMap(Assurance.init(label:))
    else { return [] }
    let identifier = Identifier(IdentifierKind(rawValue: kind), scope: rows.optionalText(row, 18) ?? "", value)
    return [StatedIdentifier(identifier, assurance)]
  }
}
