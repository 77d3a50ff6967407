import Canonical

/// One line of JSON as `schemas/canonical/event.json` describes it; members in a fixed order, absent where nothing is said.
public func canonicalJSON(_ event: Event) -> JSONText {
  var writer = JSONObjectWriter()
  writer.member("version", Int64(1))
  writer.member("tenant", event.tenant)
  writer.member("channel", event.channel.rawValue)
  writer.member("account", event.account)
  writer.member("key", event.key.raw.hex)
  writer.member("sent_at", event.sentAt?.iso8601)
  writer.member("received_at", event.receivedAt.iso8601)
  writer.member("traceparent", event.traceparent)
  switch event.body {
  case .message(let message): writer.member("message", json(message))
  case .contact(let contact): writer.member("contact", json(contact))
  case .order(let order): writer.member("order", json(order))
  case .survey(let response): writer.member("survey", json(response))
  case .change(let change): writer.member("change", json(change))
  case .unknown(let unknown):
    var body = JSONObjectWriter()
    body.member("what", unknown.what)
    body.member("details", unknown.details)
    writer.member("unknown", body.finish())
  case .action(let action): writer.member("action", json(action))
  case .result(let result): writer.member("result", json(result))
  case .presence(let presence): writer.member("presence", json(presence))
  }
  return writer.finish()
}

/// One element of a record: an event, `{"ignored":reason}` or `{"rejected":{"reason","detail"}}`.
public func canonicalJSON(_ element: NormalisedElement) -> JSONText {
  var writer = JSONObjectWriter()
  switch element {
  case .event(let event): return canonicalJSON(event)
  case .ignored(let reason): writer.member("ignored", reason)
  case .rejected(let rejection):
    var body = JSONObjectWriter()
    body.member("reason", rejection.reason.rawValue)
    body.member("detail", rejection.detail)
    writer.member("rejected", body.finish())
  }
  return writer.finish()
}

private func json(_ message: Message) -> JSONText {
  var writer = JSONObjectWriter()
  writer.member("direction", message.direction.rawValue)
  writer.member("author_kind", message.authorKind.rawValue)
  writer.member("author_id", message.authorID)
  writer.member("customer", JSONText(array: message.customer.map(\.json)))
  writer.member("customer_name", message.customerName)
  writer.member("language", message.language)
  writer.member("external_id", message.externalID)
  writer.member("names", message.names.map(\.raw.hex))
  writer.member("references", message.references.map(\.raw.hex))
  writer.member("session", message.session?.raw.hex)
  if let part = message.part {
    var body = JSONObjectWriter()
    body.member("of", part.whole.raw.hex)
    body.member("number", part.number)
    writer.member("part", body.finish())
  }
  writer.member("continuation", message.continuation)
  writer.member("ownership_epoch", message.ownershipEpoch)
  writer.member("is_handoff", message.isHandoff ? true : nil)
  writer.member("is_transcript", message.isTranscript ? true : nil)
  writer.member("is_standby", message.isStandby ? true : nil)
  writer.member("visibility", message.visibility == .private ? nil : message.visibility.rawValue)
  writer.member("reply_address", message.replyAddress)
  writer.member("reply_to_external_id", message.replyToExternalID)
  writer.member("subject", message.subject)
  writer.member("text", message.text)
  writer.member("attachments", JSONText(array: message.attachments.map(\.json)))
  if let original = message.original {
    var body = JSONObjectWriter()
    body.member("content_type", original.contentType)
    body.member("size_bytes", Int64(original.bytes.count))
    writer.member("original", body.finish())
  }
  writer.member("details", message.details)
  writer.member("flags", message.flags)
  return writer.finish()
}

private func json(_ contact: Contact) -> JSONText {
  var writer = JSONObjectWriter()
  writer.member("identifiers", JSONText(array: contact.identifiers.map(\.json)))
  writer.member("display_name", contact.displayName)
  writer.member("language", contact.language)
  if let organization = contact.organization {
    var body = JSONObjectWriter()
    body.member("external_id", organization.externalID)
    body.member("name", organization.name)
    body.member("domains", organization.domains)
    body.member("account_manager", organization.accountManager)
    writer.member("organization", body.finish())
  }
  var traits = JSONObjectWriter()
  for (name, value) in contact.traits.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
    traits.member(name, value)
  }
  writer.member("traits", traits.finish())
  writer.member("updated_at", contact.updatedAt.iso8601)
  return writer.finish()
}

private func json(_ order: Order) -> JSONText {
  var writer = JSONObjectWriter()
  writer.member("external_id", order.externalID)
  writer.member("number", order.number)
  writer.member("status", order.status)
  writer.member("total", order.total)
  writer.member("currency", order.currency)
  writer.member("items", order.itemsJSON)
  writer.member("placed_at", order.placedAt?.iso8601)
  writer.member("updated_at", order.updatedAt.iso8601)
  writer.member("customer", JSONText(array: order.customer.map(\.json)))
  writer.member("customer_name", order.customerName)
  writer.member("language", order.language)
  writer.member("details", order.details)
  return writer.finish()
}

private func json(_ response: SurveyResponse) -> JSONText {
  var writer = JSONObjectWriter()
  writer.member("external_id", response.externalID)
  writer.member("metric", response.metric)
  writer.member("score", response.score)
  writer.member("scale_min", response.scaleMin)
  writer.member("scale_max", response.scaleMax)
  writer.member("comment", response.comment)
  writer.member("answered_at", response.answeredAt?.iso8601)
  writer.member("updated_at", response.updatedAt.iso8601)
  writer.member("customer", JSONText(array: response.customer.map(\.json)))
  writer.member("customer_name", response.customerName)
  writer.member("language", response.language)
  writer.member("conversation_id", response.conversation)
  writer.member("session", response.session?.raw.hex)
  writer.member("details", response.details)
  return writer.finish()
}

private func json(_ change: Change) -> JSONText {
  var writer = JSONObjectWriter()
  writer.member("kind", change.kind)
  writer.member("target", change.target?.raw.hex)
  writer.member("target_external_id", change.targetExternalID)
  writer.member("customer", JSONText(array: change.customer.map(\.json)))
  writer.member("name", change.name?.raw.hex)
  if !change.former.isEmpty { writer.member("former", JSONText(array: change.former.map(\.json))) }
  writer.member("author_kind", change.authorKind?.rawValue)
  writer.member("status", change.status)
  writer.member("error", change.error)
  writer.member("reaction", change.reaction)
  writer.member("up_to", change.upTo?.iso8601)
  writer.member("text", change.text)
  if let attachments = change.attachments { writer.member("attachments", JSONText(array: attachments.map(\.json))) }
  writer.member("continuation", change.continuation)
  writer.member("ownership_epoch", change.ownershipEpoch)
  writer.member("details", change.details)
  return writer.finish()
}

private func json(_ action: Action) -> JSONText {
  var writer = JSONObjectWriter()
  writer.member("kind", action.kind.rawValue)
  writer.member("id", action.id)
  writer.member("conversation_id", action.conversation)
  writer.member("agent_id", action.agent)
  writer.member("ownership_epoch", action.ownershipEpoch)
  writer.member("seen_version", action.seenVersion)
  writer.member("text", action.text)
  writer.member("attachments", JSONText(array: action.attachments.map(\.json)))
  writer.member("channel", action.channel?.rawValue)
  writer.member("visibility", action.visibility?.rawValue)
  writer.member("until", action.until?.iso8601)
  writer.member("priority", action.priority.map(Int64.init))
  writer.member("reason", action.reason)
  writer.member("identifiers", JSONText(array: action.identifiers.map(\.json)))
  writer.member("to_queue", action.toQueue)
  writer.member("to_agent", action.toAgent)
  return writer.finish()
}

private func json(_ result: SendResult) -> JSONText {
  var writer = JSONObjectWriter()
  writer.member("message_id", result.message)
  writer.member("external_id", result.externalID)
  writer.member("names", result.names.map(\.raw.hex))
  writer.member("status", result.status)
  writer.member("error", result.error)
  return writer.finish()
}

private func json(_ presence: Presence) -> JSONText {
  func object(_ numbers: [String: Int64]) -> JSONText {
    var writer = JSONObjectWriter()
    for (name, number) in numbers.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
      writer.member(name, number)
    }
    return writer.finish()
  }
  var writer = JSONObjectWriter()
  writer.member("agent_id", presence.agent)
  writer.member("name", presence.name)
  writer.member("state", presence.state.rawValue)
  writer.member("capacity", Int64(presence.capacity))
  writer.member("channels", object(Dictionary(uniqueKeysWithValues: presence.channels.map { ($0.rawValue, Int64($1)) })))
  writer.member("skills", object(presence.skills.mapValues(Int64.init)))
  writer.member("teams", presence.teams)
  writer.member("lease_seconds", Int64(presence.leaseSeconds))
  return writer.finish()
}

extension Bytes16 {
  /// 32 hexadecimal digits.
  fileprivate var hex: String { ID(self).description.filter { $0 != "-" } }
}
