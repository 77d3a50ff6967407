import Canonical
import Engine
import Postgres

/// What an ingest batch writes, each a statement for the whole batch.
public enum IngestWrites {
  /// Bytes above this are stored in pieces of it, before the batch's transaction.
  public static let pieceBytes = 1 << 20

  /// Tenants and channel accounts register themselves on first sight, in key order.
  private static func register(
    _ accounts: Set<ChannelAccount>, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    guard !accounts.isEmpty else { return }
    let rows = accounts.sorted { ($0.tenant, $0.channel.rawValue, $0.account) < ($1.tenant, $1.channel.rawValue, $1.account) }
    try db.send(
      Queries.named("accounts_register"),
      [.texts(rows.map(\.tenant)), .texts(rows.map(\.channel.rawValue)), .texts(rows.map(\.account))])
  }

  /// Identities to insert, in key order.
  public struct Identities: Sendable {
    fileprivate let count: Int
    fileprivate let parameters: [PostgresParameter]

    public init(_ identities: [InTenant<Identifier>: IdentityResolver.NewIdentity]) {
      let rows = identities.inKeyOrder
      count = rows.count
      parameters =
        PostgresParameter.identities(rows.map(\.key)) + [
          .ids(rows.map(\.value.customer)), .texts(rows.map(\.value.assurance.label)),
          .times(rows.map(\.value.firstSeenAt)), .times(rows.map(\.value.lastSeenAt)), .ids(rows.map(\.value.origin)),
        ]
    }
  }

  /// Registers accounts and inserts identities, before the customers are locked. Whoever loses the race to an identity has waited for the
  /// winner's end, has written nothing, and is told `false`.
  public static func insert(
    _ identities: Identities, registering accounts: Set<ChannelAccount>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> Bool {
    guard identities.count > 0 else {
      try register(accounts, on: db)
      return true
    }
    try db.execute("SAVEPOINT identities")
    try register(accounts, on: db)
    let result = try db.query(Queries.named("identities_insert"), identities.parameters)
    let isComplete = result.affected == identities.count
    try db.execute((isComplete ? "" : "ROLLBACK TO identities;") + "RELEASE identities")
    return isComplete
  }

  /// The bytes of a record that will be a dead letter and are too long for one row.
  public static func insertPieces(of record: Record, on db: isolated PostgresConnection) throws(PostgresFault) {
    guard let value = record.value, value.count > pieceBytes else { return }
    for (piece, start) in stride(from: 0, to: value.count, by: pieceBytes).enumerated() {
      try db.send(
        Queries.named("dead_letter_piece_insert"),
        [
          .text(record.topic), .int4(record.partition), .int8(record.offset), .int4(Int32(piece)),
          .bytea(Array(value[start..<min(start + pieceBytes, value.count)])),
        ])
    }
  }

  /// What the first half of the plan changes of identities that are there, under the locks of their customers.
  public static func update(
    _ resolver: IdentityResolver, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    let seen = resolver.seenIdentities.inKeyOrder
    if !seen.isEmpty {
      try db.send(
        Queries.named("identities_update"),
        PostgresParameter.identities(seen.map(\.key)) + [
          .texts(seen.map(\.value.assurance.label)), .times(seen.map(\.value.lastSeenAt)),
        ])
    }
    let retired = resolver.retired.inKeyOrder
    if !retired.isEmpty {
      try db.send(
        Queries.named("identities_retire"),
        PostgresParameter.identities(retired.map(\.key)) + [.times(retired.map { $0.value.at })])
    }
  }

  /// Writes the rest of the plan: changes before inserts (at most one conversation is live in a lane at any instant), parents before
  /// children.
  public static func write(
    _ writes: WriteSet, identity: IdentityPlan, topicPrefix: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    try organizations(writes, on: db)
    try customers(writes, on: db)
    try suggestions(identity.resolver.suggestions, on: db)
    try merge(writes, identity.resolver, on: db)
    try conversations(writes, on: db)
    try move(writes, identity.resolver, on: db)
    try messages(writes, on: db)
    // With nothing the server is busy for longer: rows of what follows are made meanwhile.
    let (originals, attachments) = (originals(writes), attachments(writes))
    let events = OutboxEvents.rows(writes.events, source: "ingest", topicPrefix: topicPrefix)
    let names = Names(writes)
    try db.copy(originals)
    try db.copy(attachments)
    try deliveries(writes, on: db)
    try changes(writes, on: db)
    try aboutCustomers(writes, on: db)
    try links(writes, on: db)
    try aside(writes, identity.records, on: db)
    try db.copy(events)
    try letters(writes, identity.records, topicPrefix, on: db)
    // Last, so that a redelivery on another partition waits with no lock that we still need.
    try write(names, on: db)
  }

  // MARK: - Customers

  private static func organizations(_ writes: WriteSet, on db: isolated PostgresConnection) throws(PostgresFault) {
    guard !writes.organizations.isEmpty else { return }
    let rows = writes.organizations.inKeyOrder
    let domains = rows.map { row in
      var object = JSONObjectWriter()
      object.member("d", row.value.organization.domains)
      return String(object.finish().string.dropFirst(#"{"d":"#.count).dropLast())
    }
    try db.send(
      Queries.named("organizations_upsert"),
      [
        .texts(rows.map(\.key.tenant)), .texts(rows.map(\.key.value)), .texts(rows.map(\.value.organization.name)),
        .texts(domains),
        .texts(rows.map(\.value.organization.accountManager)), .times(rows.map { $0.value.at }),
      ])
  }

  private static func customers(_ writes: WriteSet, on db: isolated PostgresConnection) throws(PostgresFault) {
    let changed = writes.changedCustomers.inKeyOrder
    if !changed.isEmpty {
      try db.send(
        Queries.named("customers_update"),
        [
          .texts(changed.map(\.key.tenant)), .ids(changed.map(\.key.value)), .texts(changed.map(\.value.displayName)),
          .bools(changed.map(\.value.isVerified)), .texts(changed.map(\.value.language)),
          .texts(changed.map(\.value.organization)),
          .times(changed.map(\.value.updatedAt)), .texts(changed.map { traits($0.value).string }),
          .int8s(changed.map(\.value.eventSeq)),
        ])
    }
    try db.copy(
      writes.customers.sorted { $0.id < $1.id },
      into: """
        customer (tenant_id, id, display_name, verified, organization_id, language, traits, profile_updated_at, created_at, \
        event_seq, merged_into)
        """, count: 11
    ) { row, customer in
      row.text(customer.tenant)
      row.uuid(PostgresUUID(customer.id))
      row.text(customer.profile.displayName)
      row.bool(customer.profile.isVerified)
      row.text(customer.profile.organization)
      row.text(customer.profile.language)
      row.jsonb(traits(customer.profile).utf8)
      row.timestamp(customer.profile.updatedAt?.stored)
      row.timestamp(customer.createdAt.stored)
      row.int8(customer.profile.eventSeq)
      row.uuid(customer.mergedInto.map { PostgresUUID($0) })
    }
  }

  private static func traits(_ profile: CustomerProfile) -> JSONText {
    var object = JSONObjectWriter()
    for (name, value) in profile.traits.sorted(by: { $0.key < $1.key }) { object.member(name, value.json) }
    return object.finish()
  }

  private static func suggestions(
    _ suggestions: [IdentityResolver.Suggestion: (evidence: JSONText, at: Timestamp)], on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    guard !suggestions.isEmpty else { return }
    let rows = suggestions.sorted {
      ($0.key.tenant, $0.key.customer, $0.key.other, $0.key.rule) < ($1.key.tenant, $1.key.customer, $1.key.other, $1.key.rule)
    }
    try db.send(
      Queries.named("suggestions_insert"),
      [
        .texts(rows.map(\.key.tenant)), .ids(rows.map(\.key.customer)), .ids(rows.map(\.key.other)), .texts(rows.map(\.key.rule)),
        .texts(rows.map { $0.value.evidence.string }), .times(rows.map { $0.value.at }),
      ])
  }

  // MARK: - Conversations

  private static func conversations(_ writes: WriteSet, on db: isolated PostgresConnection) throws(PostgresFault) {
    // What ends makes room in its lane.
    for isLive in [false, true] {
      let changed = writes.changedConversations.filter { $0.status.isLive == isLive }
      guard !changed.isEmpty else { continue }
      try db.send(
        Queries.named("conversations_update"),
        [
          .places(changed.map(\.place)), .ids(changed.map(\.id)), .texts(changed.map(\.status.rawValue)),
          .int8s(changed.map(\.version)), .int8s(changed.map(\.eventSeq)), .texts(changed.map(\.lastChannel)),
          .texts(changed.map(\.language)), .texts(changed.map(\.subject)), .times(changed.map(\.openedAt)),
          .times(changed.map(\.firstResponseAt)), .times(changed.map(\.resolvedAt)), .times(changed.map(\.lastMessageAt)),
          .texts(changed.map(\.lastAccount)), .int2s(changed.map(\.priority)), .int8s(changed.map(\.customerVersion)),
          .times(changed.map(\.waitingSince)), .times(changed.map(\.snoozedUntil)), .texts(changed.map(\.handoff?.string)),
          .ids(changed.map(\.customer)), .texts(changed.map(\.lane)),
          .optionalIDs(changed.map(\.mergedInto)), .optionalIDs(changed.map(\.originCustomer)),
          .int4s(changed.map(\.automaticCount)), .times(changed.map(\.automaticSince)),
        ], affecting: changed.count)
    }
    try db.copy(
      writes.newConversations.sorted { ($0.mergedInto == nil ? 0 : 1, $0.id) < ($1.mergedInto == nil ? 0 : 1, $1.id) },
      into: """
        conversation (tenant_id, id, customer_id, lane, status, language, subject, version, event_seq, last_channel, \
        previous_conversation_id, opened_at, first_response_at, resolved_at, last_message_at, last_account, priority, \
        customer_version, waiting_since, snoozed_until, handoff, merged_into, origin_customer_id, automatic_count, automatic_since)
        """, count: 25
    ) { row, conversation in
      row.text(conversation.tenant)
      row.uuid(PostgresUUID(conversation.id))
      row.uuid(PostgresUUID(conversation.customer))
      row.text(conversation.lane)
      row.text(conversation.status.rawValue)
      row.text(conversation.language)
      row.text(conversation.subject)
      row.int8(conversation.version)
      row.int8(conversation.eventSeq)
      row.text(conversation.lastChannel)
      row.uuid(conversation.previous.map { PostgresUUID($0) })
      row.timestamp(conversation.openedAt.stored)
      row.timestamp(conversation.firstResponseAt?.stored)
      row.timestamp(conversation.resolvedAt?.stored)
      row.timestamp(conversation.lastMessageAt.stored)
      row.text(conversation.lastAccount)
      row.int2(conversation.priority)
      row.int8(conversation.customerVersion)
      row.timestamp(conversation.waitingSince?.stored)
      row.timestamp(conversation.snoozedUntil?.stored)
      row.jsonb(conversation.handoff?.utf8)
      row.uuid(conversation.mergedInto.map { PostgresUUID($0) })
      row.uuid(conversation.originCustomer.map { PostgresUUID($0) })
      row.int4(conversation.automaticCount)
      row.timestamp(conversation.automaticSince?.stored)
    }
  }

  /// What the adapters said about what was sent, and how much was sent.
  private static func deliveries(_ writes: WriteSet, on db: isolated PostgresConnection) throws(PostgresFault) {
    let rows = writes.deliveries.inKeyOrder
    if !rows.isEmpty {
      try db.send(
        Queries.named("deliveries_update"),
        [
          .texts(rows.map(\.key.tenant)), .ids(rows.map(\.key.value)), .texts(rows.map(\.value.status)),
          .texts(rows.map(\.value.error)), .texts(rows.map(\.value.externalID)),
        ])
    }
    let echoes = writes.deletedEchoes.inKeyOrder
    if !echoes.isEmpty {
      try db.send(
        Queries.named("echoes_delete"),
        [.texts(echoes.map(\.key.tenant)), .ids(echoes.map(\.key.value)), .times(echoes.map(\.value))])
    }
    if !writes.unparked.isEmpty {
      try db.send(
        Queries.named("parked_delete"), [.texts(writes.unparked.map(\.tenant)), .ids(writes.unparked.map(\.value))])
    }
    let seqs = writes.outboundSeqs.sorted {
      ($0.key.conversation, $0.key.channel.rawValue) < ($1.key.conversation, $1.key.channel.rawValue)
    }
    guard !seqs.isEmpty else { return }
    try db.send(
      Queries.named("outbound_seqs_write"),
      [
        .texts(seqs.map(\.key.tenant)), .ids(seqs.map(\.key.conversation)), .texts(seqs.map(\.key.channel.rawValue)),
        .int8s(seqs.map(\.value)),
      ])
  }

  private static func links(_ writes: WriteSet, on db: isolated PostgresConnection) throws(PostgresFault) {
    let links = writes.links.sorted {
      ($0.key.conversation, $0.key.linked, $0.key.reason) < ($1.key.conversation, $1.key.linked, $1.key.reason)
    }
    guard !links.isEmpty else { return }
    try db.send(
      Queries.named("links_insert"),
      [
        .texts(links.map(\.key.tenant)), .ids(links.map(\.key.conversation)), .ids(links.map(\.key.linked)),
        .texts(links.map(\.key.reason)), .ids(links.map { $0.value.message }), .times(links.map { $0.value.at }),
      ])
  }

  // MARK: - Claims, parked events, dead letters

  private static func aside(
    _ writes: WriteSet, _ records: [NormalisedRecord], on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    try db.copy(
      writes.claims, into: "identity_claim (tenant_id, id, customer_id, message_id, kind, scope, value, created_at)", count: 8
    ) { row, claim in
      row.text(claim.tenant)
      row.uuid(PostgresUUID(claim.id))
      row.uuid(PostgresUUID(claim.customer))
      row.uuid(claim.message.map { PostgresUUID($0) })
      row.text(claim.identifier.kind.rawValue)
      row.text(claim.identifier.scope)
      row.text(claim.identifier.value)
      row.timestamp(claim.at.stored)
    }
    try db.copy(
      writes.parked,
      into: """
        parked_event (tenant_id, id, kind, channel, account, customer_id, target, target_external_id, sent_at, received_at, details, \
        topic, partition, record_offset, element, change)
        """, count: 16
    ) { row, parked in
      let record = records[parked.record].record
      row.text(parked.tenant)
      row.uuid(PostgresUUID(parked.id))
      row.text(parked.kind)
      row.text(parked.channel.rawValue)
      row.text(parked.account)
      row.uuid(parked.customer.map { PostgresUUID($0) })
      row.uuid(parked.target.map { PostgresUUID($0.raw) })
      row.text(parked.targetExternalID)
      row.timestamp(parked.sentAt?.stored)
      row.timestamp(parked.receivedAt.stored)
      row.jsonb(parked.details.orObject.utf8)
      row.text(record.topic)
      row.int4(record.partition)
      row.int8(record.offset)
      row.int4(Int32(clamping: parked.element))
      row.jsonb(parked.change.map { json($0).utf8 })
    }
    var withValue: Set<Int> = []
    try db.copy(
      writes.deadLetters,
      into: """
        dead_letter (id, tenant_id, topic, partition, record_offset, element, reason, detail, key, value, value_bytes, headers, attempt)
        """, count: 13
    ) { row, letter in
      let record = records[letter.record].record
      // A record's bytes are kept once, with the first of its letters.
      let value = record.value.flatMap { $0.count > pieceBytes || !withValue.insert(letter.record).inserted ? nil : $0 }
      row.uuid(PostgresUUID(letter.id))
      row.text(letter.tenant)
      row.text(record.topic)
      row.int4(record.partition)
      row.int8(record.offset)
      row.int4(letter.element.map { Int32(clamping: $0) })
      row.text(letter.rejection.reason.rawValue)
      row.text(letter.rejection.detail)
      row.bytea(record.key)
      row.bytea(value)
      row.int8(Int64(record.value?.count ?? 0))
      row.jsonb(RecordHeaders.json(record.headers).utf8)
      row.int4(Retry.attempt(of: record.headers))
    }
  }

  /// Dead letters are published like events.
  private static func letters(
    _ writes: WriteSet, _ records: [NormalisedRecord], _ topicPrefix: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    try db.copy(writes.deadLetters, into: OutboxEvents.columns, count: 5) { row, letter in
      row.int2(OutboxShard.of(letter.id.description))
      row.text(topicPrefix + "dlq." + records[letter.record].record.topic.dropFirst(topicPrefix.count))
      row.texts([letter.id.description])
      row.byteas(nil)
      row.uuid(PostgresUUID(letter.id))
    }
  }
}

/// A page, number or mailbox of a tenant.
public struct ChannelAccount: Hashable, Sendable {
  public var tenant: String
  public var channel: Channel
  public var account: String
  public init(tenant: String, channel: Channel, account: String) {
    self.tenant = tenant
    self.channel = channel
    self.account = account
  }
}

extension JSONText {
  /// Itself, or `{}` where nothing is said.
  var orObject: JSONText { isEmpty ? JSONText(utf8: Array("{}".utf8)) : self }
}

extension PostgresFault {
  /// A race that is no error of the server's: the facts of the plan do not hold any more.
  public static func replan(_ why: String) -> PostgresFault { PostgresFault(sqlState: "40001", message: why) }
}
