import Canonical

/// The names of messages and sessions, and what waits for them.
extension ThreadPlanner {
  /// What others may call this message by now leads to its conversation, and so do the names it heard of.
  mutating func remember(_ message: inout Message, _ event: Event, conversation: ID, message id: ID) {
    for name in message.names {
      let key = InTenant(event.tenant, name)
      // Somebody else's message already has this name: it keeps it, the second one is marked.
      if let known = references[key], known.message != nil {
        if !message.flags.contains("duplicate_id") { message.flags.append("duplicate_id") }
        continue
      }
      note(key, conversation, id)
    }
    for reference in message.references {
      let key = InTenant(event.tenant, reference)
      if references[key] == nil { note(key, conversation, nil) }
    }
    // A session goes on where its last message is.
    guard let session = message.session.map({ InTenant(event.tenant, $0) }) else { return }
    let customer = conversations[InTenant(event.tenant, conversation)]?.customer
    let goesOn = references[session].map { known in
      known.message == nil && known.conversation != conversation
        && current(event.tenant, known.conversation)?.customer == customer
    }
    if goesOn ?? true { note(session, conversation, nil) }
  }

  /// The conversation that a session or message belongs to.
  func conversation(named name: ReferenceKey, _ event: Event) -> ConversationState? {
    references[InTenant(event.tenant, name)].flatMap { current(event.tenant, $0.conversation) }
  }

  /// The message has this name, whoever seemed to have it.
  mutating func claim(_ key: InTenant<ReferenceKey>, _ conversation: ID, _ message: ID) {
    guard references[key]?.message == nil else { return }
    note(key, conversation, message)
  }

  mutating func note(_ key: InTenant<ReferenceKey>, _ conversation: ID, _ message: ID?) {
    let isStored = writes.references[key].map(\.replaces) ?? (references[key] != nil || facts.awaited.contains(key))
    references[key] = (conversation, message)
    writes.references[key] = .init(
      conversation: conversation, message: message, replaces: isStored, was: facts.references[key]?.message)
  }

  mutating func park(_ event: Event, _ change: Change, _ customer: ID?, _ element: IdentityPlan.Element) {
    let parked = WriteSet.ParkedEvent(event, ids.next(), change, customer: customer, element)
    writes.parked.append(parked)
    guard let target = change.target.map({ InTenant(event.tenant, $0) }) else { return }
    waiting[target, default: []].append(parked)
    // Whoever brings the name finds that somebody waits; two who do not see each other meet at the row.
    guard references[target] == nil, !facts.awaited.contains(target), change.kind != Change.botMessage else { return }
    writes.references[target] = .init(conversation: nil, message: nil, replaces: false)
  }

  static func details(_ unknown: Unknown) -> JSONText {
    var details = JSONObjectWriter()
    details.member("unknown", unknown.what)
    details.member("element", unknown.details)
    return details.finish()
  }
}
