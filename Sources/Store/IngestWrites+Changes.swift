import Canonical
import Engine
import Postgres

/// What happens to messages after they were written, and to customers beside their messages.
extension IngestWrites {
  /// What has happened to messages since they were written, these ones too; each step for all of them.
  static func changes(_ writes: WriteSet, on db: isolated PostgresConnection) throws(PostgresFault) {
    func ids(_ rows: [(key: InTenant<ID>, value: WriteSet.MessageChange)]) -> [PostgresParameter] {
      [.texts(rows.map(\.key.tenant)), .ids(rows.map(\.key.value))]
    }
    let rows = writes.messageChanges.inKeyOrder
    let written = rows.filter { $0.value.isWritten }
    if !written.isEmpty {
      let edits = written.map { row in row.value.edits.filter { $0.text != nil } }
      try db.send(
        Queries.named("messages_change"),
        ids(written) + [
          .texts(zip(written, edits).map { $1.last?.text ?? $0.value.transcript }), .texts(edits.map { $0.first?.at.iso8601 }),
          .times(written.map { $0.value.edits.last?.at }), .texts(edits.map { earlier($0).string }),
          .times(written.map { $0.value.deletion?.at }),
          .texts(written.map { row in row.value.deletion.map { $0.by?.rawValue ?? "unknown" } }),
          .texts(written.map { row in row.value.parts.isEmpty ? nil : JSONText(array: row.value.parts).string }),
          .texts(written.map { row in row.value.pieces.isEmpty ? nil : json(row.value.pieces).string }),
          .texts(written.map { row in row.value.files.isEmpty ? nil : json(row.value.files).string }),
        ])
    }
    let erased = rows.filter { $0.value.losesAttachments }
    if !erased.isEmpty { try db.send(Queries.named("attachments_erase"), ids(erased)) }
    let deleted = rows.filter { $0.value.deletion != nil }
    if !deleted.isEmpty { try db.send(Queries.named("originals_erase"), ids(deleted)) }
    for (statement, files) in [
      (Queries.named("attachments_add"), rows.flatMap { row in row.value.attachments.map { (row.key, $0.string) } }),
      (Queries.named("attachments_remove"), rows.flatMap { row in row.value.removedAttachments.map { (row.key, $0.string) } }),
      (Queries.named("attachments_remove_pieces"), rows.flatMap { row in row.value.removedPieces.map { (row.key, $0) } }),
    ] where !files.isEmpty {
      try db.send(statement, [.texts(files.map(\.0.tenant)), .ids(files.map(\.0.value)), .texts(files.map(\.1))])
    }
    let reactions = writes.reactions.sorted {
      ($0.key.message, $0.key.actor, $0.key.slot) < ($1.key.message, $1.key.actor, $1.key.slot)
    }
    if !reactions.isEmpty {
      try db.send(
        Queries.named("reactions_upsert"),
        [
          .texts(reactions.map(\.key.message.tenant)), .ids(reactions.map(\.key.message.value)),
          .texts(reactions.map(\.key.actor)),
          .texts(reactions.map(\.key.slot)), .texts(reactions.map(\.value.reaction)), .times(reactions.map(\.value.at)),
        ])
    }
    let receipts = writes.receipts.sorted {
      ($0.key.message, $0.key.status, $0.key.recipient) < ($1.key.message, $1.key.status, $1.key.recipient)
    }
    if !receipts.isEmpty {
      try db.send(
        Queries.named("receipts_upsert"),
        [
          .texts(receipts.map(\.key.message.tenant)), .ids(receipts.map(\.key.message.value)), .texts(receipts.map(\.key.status)),
          .texts(receipts.map(\.key.recipient)), .times(receipts.map(\.value)),
        ])
    }
    let watermarks = writes.watermarks.sorted { ($0.key.address, $0.key.status) < ($1.key.address, $1.key.status) }
    if !watermarks.isEmpty {
      try db.send(
        Queries.named("watermarks_upsert"),
        keys(watermarks.map(\.key.address)) + [.texts(watermarks.map(\.key.status)), .times(watermarks.map(\.value))])
    }
  }

  /// What a message said before its last edit in the batch, and until when: the database knows what was before the first.
  private static func earlier(_ edits: [(at: Timestamp, text: String?)]) -> JSONText {
    JSONText(
      array: zip(edits, edits.dropFirst()).map { edit, next in
        var entry = JSONObjectWriter()
        if let text = edit.text, !text.isEmpty { entry.member("text", text) } else { entry.member("text", .null) }
        entry.member("until", next.at.iso8601)
        return entry.finish()
      })
  }

  private static func json(_ files: [String: [String]]) -> JSONText {
    var object = JSONObjectWriter()
    for (piece, ids) in files.sorted(by: { $0.key < $1.key }) { object.member(piece, ids) }
    return object.finish()
  }

  private static func json(_ pieces: [Int64: String]) -> JSONText {
    var object = JSONObjectWriter()
    for (number, text) in pieces.sorted(by: { $0.key < $1.key }) { object.member(String(number), text) }
    return object.finish()
  }

  static func json(_ change: PendingChange) -> JSONText {
    var object = JSONObjectWriter()
    object.member("is_attested", change.isAttested)
    object.member("customer", JSONText(array: change.customer.map(\.json)))
    object.member("author_kind", change.author?.rawValue)
    object.member("text", change.text)
    object.member("attachments", change.attachments ?? JSONText())
    object.member("status", change.status)
    object.member("error", change.error)
    object.member("reaction", change.reaction)
    object.member("name", change.name.map { ID($0.raw) })
    return object.finish()
  }

  static func keys(_ addresses: [WriteSet.Address]) -> [PostgresParameter] {
    [
      .texts(addresses.map(\.tenant)), .texts(addresses.map(\.channel.rawValue)), .texts(addresses.map(\.account)),
      .texts(addresses.map(\.address)),
    ]
  }

  /// Consents, orders, answers to surveys, and what else happened with customers.
  static func aboutCustomers(_ writes: WriteSet, on db: isolated PostgresConnection) throws(PostgresFault) {
    let consents = writes.consents.inKeyOrder
    if !consents.isEmpty {
      try db.send(
        Queries.named("consents_upsert"),
        keys(consents.map(\.key)) + [.bools(consents.map(\.value.isGiven)), .times(consents.map(\.value.at))])
    }
    try db.copy(
      writes.customerEvents, into: "customer_event (tenant_id, id, customer_id, kind, status, channel, account, at, details)",
      count: 9
    ) { row, event in
      row.text(event.tenant)
      row.uuid(PostgresUUID(event.id))
      row.uuid(PostgresUUID(event.customer))
      row.text(event.kind)
      row.text(event.status)
      row.text(event.channel.rawValue)
      row.text(event.account)
      row.timestamp(event.at.stored)
      row.jsonb(event.details.orObject.utf8)
    }
    func sources(_ keys: [WriteSet.SourceKey]) -> [PostgresParameter] {
      [
        .texts(keys.map(\.tenant)), .texts(keys.map(\.channel.rawValue)), .texts(keys.map(\.account)),
        .texts(keys.map(\.externalID)),
      ]
    }
    let orders = writes.orders.inKeyOrder
    if !orders.isEmpty {
      let values = orders.map(\.value.order)
      try db.send(
        Queries.named("orders_upsert"),
        sources(orders.map(\.key)) + [
          .optionalIDs(orders.map(\.value.customer)), .texts(values.map(\.number)), .texts(values.map(\.status)),
          .texts(values.map(\.total)), .texts(values.map(\.currency)), .texts(values.map(\.itemsJSON.string)),
          .times(values.map(\.placedAt)), .times(values.map(\.updatedAt)), .texts(values.map(\.details.orObject.string)),
        ])
    }
    let surveys = writes.surveys.inKeyOrder
    guard !surveys.isEmpty else { return }
    let values = surveys.map(\.value.response)
    try db.send(
      Queries.named("surveys_upsert"),
      sources(surveys.map(\.key)) + [
        .optionalIDs(surveys.map(\.value.customer)), .optionalIDs(surveys.map(\.value.conversation)),
        .texts(values.map(\.metric)),
        .texts(values.map(\.score)), .texts(values.map(\.scaleMin)), .texts(values.map(\.scaleMax)),
        .texts(values.map(\.comment)),
        .times(values.map(\.answeredAt)), .times(values.map(\.updatedAt)), .texts(values.map(\.details.orObject.string)),
      ])
  }
}

extension WriteSet.MessageChange {
  /// It changes the message's own row.
  fileprivate var isWritten: Bool {
    !edits.isEmpty || deletion != nil || transcript != nil || !parts.isEmpty || !pieces.isEmpty || !files.isEmpty
  }
}
