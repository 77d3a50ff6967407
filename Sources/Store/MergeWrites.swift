import Canonical
import Engine
import Postgres

/// What a batch writes where customers become one.
extension IngestWrites {
  /// The audit first: it says who was part of the loser until now.
  static func merge(
    _ writes: WriteSet, _ resolver: IdentityResolver, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    if !writes.merges.isEmpty {
      var members: [InTenant<ID>: [ID]] = [:]
      let rows = writes.merges.map { id, merge, conversations in
        let mine = members[InTenant(merge.tenant, merge.loser)] ?? []
        members[InTenant(merge.tenant, merge.survivor), default: []] += mine + [merge.loser]
        return (id: id, merge: merge, members: list(mine.map { "\"\($0)\"" }), conversations: list(conversations.map(json)))
      }
      let merges = rows.map(\.merge)
      try db.send(
        Queries.named("merge_events_insert"),
        [
          .texts(merges.map(\.tenant)), .ids(rows.map(\.id)), .ids(merges.map(\.survivor)), .ids(merges.map(\.loser)),
          .texts(merges.map(\.rule)), .texts(merges.map(\.evidence.string)), .texts(merges.map(\.agent)),
          .texts(rows.map(\.members)), .texts(rows.map(\.conversations)), .times(merges.map(\.at)),
        ])
      let roots: [PostgresParameter] = [
        .texts(merges.map(\.tenant)), .ids(merges.map(\.loser)),
        .ids(merges.map { resolver.survivor(of: InTenant($0.tenant, $0.loser)) }),
      ]
      try db.send(Queries.named("customers_merge"), roots)
      try db.send(Queries.named("identities_move"), roots)
    }
    guard !resolver.identified.isEmpty else { return }
    let known = resolver.identified.inKeyOrder
    try db.send(
      Queries.named("claims_retire"),
      [.texts(known.map(\.key.tenant)), .ids(known.map(\.key.value)), .times(known.map(\.value))])
  }

  private static func list(_ items: [String]) -> String { "[" + items.joined(separator: ",") + "]" }

  private static func json(_ conversation: (from: ID, into: ID)) -> String {
    #"{"from":"\#(conversation.from)","into":"\#(conversation.into)"}"#
  }

  /// What moves beyond the conversations that the plan knew, and the messages of all of them.
  static func move(
    _ writes: WriteSet, _ resolver: IdentityResolver, on db: isolated PostgresConnection
  ) throws(PostgresFault) {
    var pairs = writes.merges.map(\.merge).map { ($0.tenant, $0.loser, resolver.survivor(of: InTenant($0.tenant, $0.loser))) }
    pairs += resolver.identified.keys.sorted().map { ($0.tenant, $0.value, $0.value) }
    var moves = writes.moves
    if !pairs.isEmpty {
      let result = try db.query(
        Queries.named("conversations_to_move"), [.texts(pairs.map(\.0)), .ids(pairs.map(\.1)), .ids(pairs.map(\.2))])
      // Who has been merged, and become known before, is named twice: merges come first.
      let found = (0..<result.count).map { (result.key($0), result.uuid($0, 2).id) }
      let ended = Array(Dictionary(found) { first, _ in first })
      if !ended.isEmpty {
        try db.send(
          Queries.named("conversations_move"),
          [.texts(ended.map(\.key.tenant)), .ids(ended.map(\.key.value)), .ids(ended.map(\.value))])
      }
      moves += ended.map { .init(tenant: $0.key.tenant, from: $0.key.value, into: $0.key.value, customer: $0.value) }
    }
    guard !moves.isEmpty else { return }
    let joined = moves.filter { $0.from != $0.into }
    if !joined.isEmpty {
      try db.send(
        Queries.named("conversations_flatten"),
        [.texts(joined.map(\.tenant)), .ids(joined.map(\.from)), .ids(joined.map(\.into))])
    }
    try db.send(
      Queries.named("messages_move"),
      [.texts(moves.map(\.tenant)), .ids(moves.map(\.from)), .ids(moves.map(\.into)), .ids(moves.map(\.customer))])
  }
}
