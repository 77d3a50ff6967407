import Canonical
import Engine
import Postgres

/// The conversations of a batch, locked, and what is known of them.
extension IngestReads {
  /// Of lanes in which another conversation is live by now, or none, or where older ones matter: what is there instead is locked as well,
  /// after the others and so out of the order, and the facts are as if nobody had known what was live.
  static func lookAgain(
    in lanes: [Lane: LaneSpan], _ live: [Lane: ID], asked: Set<InTenant<ID>>, _ facts: inout ThreadFacts,
    on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    let gone = live.filter { lane, id in
      lanes[lane]?.needsOnly(facts.conversations[InTenant(lane.tenant, id)], in: lane) != true
    }
    guard !gone.isEmpty else { return }
    let found = try Self.lanes(lanes.filter { gone[$0.key] != nil }, on: db)
    let kept = live.filter { gone[$0.key] == nil }
    let unasked = keys(gone).subtracting(keys(kept)).subtracting(found).subtracting(asked)
    for key in unasked { facts.conversations[key] = nil }
    try facts.conversations.merge(lock(found.subtracting(facts.conversations.keys), on: db)) { $1 }
  }

  static func keys(_ live: [Lane: ID]) -> Set<InTenant<ID>> { Set(live.map { InTenant($0.key.tenant, $0.value) }) }

  /// The conversations of the lanes.
  static func lanes(
    _ lanes: [Lane: LaneSpan], on db: isolated PostgresConnection
  ) throws(PostgresFault) -> Set<InTenant<ID>> {
    guard !lanes.isEmpty else { return [] }
    let lanes = Array(lanes)
    let result = try db.query(
      Queries.named("lanes_read"),
      [
        .texts(lanes.map(\.key.tenant)), .ids(lanes.map(\.key.customer)), .texts(lanes.map(\.key.name)),
        .times(lanes.map(\.value.earliest)), .times(lanes.map(\.value.silentSince)),
      ])
    return Set((0..<result.count).map { result.key($0) })
  }

  static func lock(
    _ conversations: Set<InTenant<ID>>, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [InTenant<ID>: ConversationState] {
    guard !conversations.isEmpty else { return [:] }
    let result = try db.query(Queries.named("conversations_lock"), [.ids(conversations.map(\.value))])
    var found: [InTenant<ID>: ConversationState] = [:]
    for row in 0..<result.count {
      let key = result.key(row)
      guard conversations.contains(key), let status = ConversationState.Status(rawValue: result.text(row, 4)),
        let owner = ConversationState.Owner.Kind(rawValue: result.text(row, 21))
      else { continue }
      var conversation = ConversationState(
        tenant: key.tenant, id: key.value, customer: result.uuid(row, 2).id, lane: result.text(row, 3), status: status,
        version: result.int8(row, 5), eventSeq: result.int8(row, 6), lastChannel: result.text(row, 7),
        language: result.optionalText(row, 8), subject: result.optionalText(row, 9), previous: result.optionalUUID(row, 10)?.id,
        openedAt: result.timestamp(row, 11), firstResponseAt: result.optionalTimestamp(row, 12),
        resolvedAt: result.optionalTimestamp(row, 13), lastMessageAt: result.timestamp(row, 14))
      conversation.lastAccount = result.optionalText(row, 15)
      conversation.priority = result.int2(row, 16)
      conversation.customerVersion = result.int8(row, 17)
      conversation.waitingSince = result.optionalTimestamp(row, 18)
      conversation.snoozedUntil = result.optionalTimestamp(row, 19)
      conversation.handoff = result.optionalText(row, 20).map { JSONText(utf8: Array($0.utf8)) }
      conversation.owner = .init(kind: owner, id: result.optionalText(row, 22), epoch: result.int8(row, 23))
      conversation.mergedInto = result.optionalUUID(row, 24)?.id
      conversation.originCustomer = result.optionalUUID(row, 25)?.id
      conversation.automaticCount = result.int4(row, 26)
      conversation.automaticSince = result.optionalTimestamp(row, 27)
      conversation.place = result.place(row, 28)
      found[key] = conversation
    }
    return found
  }

  /// Who had the conversations before.
  static func holders(
    _ holdings: [Holding], _ facts: inout ThreadFacts, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    guard !holdings.isEmpty else { return }
    let rows = try db.query(
      Queries.named("segments_read"),
      [.texts(holdings.map(\.tenant)), .ids(holdings.map(\.conversation)), .int8s(holdings.map(\.epoch))])
    for row in 0..<rows.count {
      guard let agent = rows.optionalText(row, 1), let until = rows.optionalTimestamp(row, 2) else { continue }
      facts.holders[holdings[rows.position(row)]] = (agent, until)
    }
  }

  /// What was said about being written to, where the customers were last heard and where the batch's messages come from.
  static func consents(
    of identity: IdentityPlan, _ facts: inout ThreadFacts, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    var addresses = identity.senders
    for (key, routes) in facts.routes {
      for (surface, route) in routes {
        addresses.insert(.init(tenant: key.tenant, channel: surface.channel, account: route.account, address: route.address))
      }
    }
    guard !addresses.isEmpty else { return }
    let keys = addresses.sorted()
    let rows = try db.query(Queries.named("consents_read"), IngestWrites.keys(keys))
    for row in 0..<rows.count {
      facts.consents[keys[rows.position(row)]] = Consent(isGiven: rows.bool(row, 1), at: rows.timestamp(row, 2))
    }
  }

  /// How the customers were last heard, and how much was sent.
  static func routes(
    _ conversations: Set<InTenant<ID>>, _ facts: inout ThreadFacts, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    guard !conversations.isEmpty else { return }
    let keys = conversations.sorted()
    let parameters: [PostgresParameter] = [.texts(keys.map(\.tenant)), .ids(keys.map(\.value))]
    let routes = try db.query(Queries.named("routes_read"), parameters)
    for row in 0..<routes.count {
      guard let channel = Channel(rawValue: routes.text(row, 1)), let visibility = Visibility(rawValue: routes.text(row, 2))
      else { continue }
      facts.routes[keys[routes.position(row)], default: [:]][Surface(channel, visibility)] = Route(
        account: routes.text(row, 3), address: routes.text(row, 4), replyAddress: routes.optionalText(row, 5),
        externalID: routes.optionalText(row, 6), orderedAt: routes.timestamp(row, 7), message: routes.uuid(row, 8).id,
        isHeard: routes.bool(row, 9))
    }
    let seqs = try db.query(Queries.named("outbound_seqs_read"), parameters)
    for row in 0..<seqs.count {
      guard let channel = Channel(rawValue: seqs.text(row, 1)) else { continue }
      let key = keys[seqs.position(row)]
      facts.outboundSeqs[OutboundTopic(tenant: key.tenant, conversation: key.value, channel: channel)] = seqs.int8(row, 2)
    }
  }
}
