import Canonical
import Engine
import Postgres

/// Messages and what they are called.
extension IngestWrites {
  static func messages(_ writes: WriteSet, on db: isolated PostgresConnection) throws(PostgresFault) {
    try db.copy(
      writes.messages,
      into: """
        message (tenant_id, id, conversation_id, customer_id, channel, account, external_id, direction, author_kind, author_id, \
        sent_at, received_at, ordered_at, text, reply_to_external_id, details, address, delivery_status, delivery_error, \
        origin_customer_id, origin_conversation_id, deleted_at, address_kind, visibility, reply_address)
        """, count: 25
    ) { row, new in
      row.text(new.tenant)
      row.uuid(PostgresUUID(new.id))
      row.uuid(PostgresUUID(new.conversation))
      row.uuid(PostgresUUID(new.customer))
      row.text(new.channel.rawValue)
      row.text(new.account)
      row.text(new.message.externalID)
      row.text(new.message.direction.rawValue)
      row.text(new.message.authorKind.rawValue)
      row.text(new.message.authorID)
      row.timestamp(new.sentAt?.stored)
      row.timestamp(new.receivedAt.stored)
      row.timestamp(new.orderedAt.stored)
      row.text(new.message.text)
      row.text(new.message.replyToExternalID)
      row.jsonb(details(new.message).utf8)
      row.text(new.address)
      row.text(new.deliveryStatus)
      row.text(new.deliveryError)
      row.uuid(new.originCustomer.map { PostgresUUID($0) })
      row.uuid(new.originConversation.map { PostgresUUID($0) })
      row.timestamp(new.deletedAt?.stored)
      row.text(new.addressKind)
      row.text(new.message.visibility.rawValue)
      row.text(new.message.replyAddress)
    }
  }

  static func originals(_ writes: WriteSet) -> TableRows {
    TableRows(
      writes.messages.filter { $0.message.original != nil },
      of: "message_original (tenant_id, message_id, content_type, bytes)", count: 4
    ) { row, new in
      row.text(new.tenant)
      row.uuid(PostgresUUID(new.id))
      row.text(new.message.original?.contentType)
      row.bytea(new.message.original?.bytes)
    }
  }

  static func attachments(_ writes: WriteSet) -> TableRows {
    let attachments = writes.messages.flatMap { new in
      new.message.attachments.enumerated().map { (new.tenant, new.id, $0.offset, $0.element) }
    }
    return TableRows(
      attachments, of: "attachment (tenant_id, message_id, position, kind, name, type, size_bytes, provider_id, url)", count: 9
    ) { row, attachment in
      let (tenant, message, position, media) = attachment
      row.text(tenant)
      row.uuid(PostgresUUID(message))
      row.int2(Int16(clamping: position))
      row.text(media.kind)
      row.text(media.name)
      row.text(media.type)
      row.int8(media.sizeBytes)
      row.text(media.providerID)
      row.text(media.url)
    }
  }

  /// What messages are called, and the keys of the deliveries: mostly the same.
  struct Names {
    let replacing: [Dictionary<InTenant<ReferenceKey>, WriteSet.NewReference>.Element]
    let keys: Set<InTenant<MessageKey>>
    let new: TableRows
    /// Keys that are no names.
    let others: [InTenant<MessageKey>]

    init(_ writes: WriteSet) {
      let rows = writes.references.inKeyOrder
      let keys = Set(writes.keys)
      self.keys = keys
      replacing = rows.filter { $0.value.replaces }
      new = TableRows(
        rows.filter { !$0.value.replaces }, of: "message_ref (tenant_id, key, conversation_id, message_id, seen)", count: 5
      ) { row, reference in
        row.text(reference.key.tenant)
        row.uuid(PostgresUUID(reference.key.value.raw))
        row.uuid(reference.value.conversation.map { PostgresUUID($0) })
        row.uuid(reference.value.message.map { PostgresUUID($0) })
        row.bool(keys.contains(reference.key.asKey))
      }
      others = keys.subtracting(rows.map(\.key.asKey)).sorted()
    }
  }

  static func write(_ names: Names, on db: isolated PostgresConnection) throws(PostgresFault) {
    let replacing = names.replacing
    if !replacing.isEmpty {
      let result = try db.query(
        Queries.named("references_replace"),
        [
          .texts(replacing.map(\.key.tenant)), .uuids(replacing.map { PostgresUUID($0.key.value.raw) }),
          .optionalIDs(replacing.map(\.value.conversation)), .optionalIDs(replacing.map(\.value.message)),
          .optionalIDs(replacing.map(\.value.was)), .bools(replacing.map { names.keys.contains($0.key.asKey) }),
        ])
      guard result.affected == replacing.count else { throw .replan("a referenced message was stored by somebody else") }
    }
    try db.copy(names.new)
    guard !names.others.isEmpty else { return }
    let new = try db.query(
      Queries.named("keys_insert"),
      [.texts(names.others.map(\.tenant)), .uuids(names.others.map { PostgresUUID($0.value.raw) })])
    guard new.count == names.others.count else { throw .replan("a delivery was stored by somebody else") }
  }

  /// The normaliser's details, then flags, subject and visibility: of two members with one name jsonb keeps the last.
  private static func details(_ message: Message) -> JSONText {
    guard !message.flags.isEmpty || message.subject != nil || message.visibility != .private else {
      return message.details.orObject
    }
    var ours = JSONObjectWriter()
    if !message.flags.isEmpty { ours.member("flags", message.flags) }
    ours.member("subject", message.subject)
    if message.visibility != .private { ours.member("visibility", message.visibility.rawValue) }
    let object = ours.finish().utf8
    guard message.details.utf8.count > 2 else { return JSONText(utf8: object) }
    return JSONText(utf8: message.details.utf8.dropLast() + [UInt8(ascii: ",")] + object.dropFirst())
  }
}
