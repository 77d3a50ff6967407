import Canonical

/// What happens to messages after they were written, and to customers beside their messages.
///
/// A change never opens a conversation and never opens one again. What is about a message that is not here waits for it.
extension ThreadPlanner {
  /// Nil when it has to wait for what it is about.
  mutating func apply(_ change: Change, _ event: Event, _ at: Timestamp, _ resolved: Resolved?) -> Outcome? {
    switch change.kind {
    case Change.handoff: return handOff(change, event, at)
    case Change.conversationState where change.continuation != nil: return goOn(change, event)
    case Change.conversationState, Change.said:
      guard let target = change.target else { return .ignored(reason: change.kind) }
      return add(PendingChange(change, on: event.channel, at: at), to: target, event)
    case Change.identityChange, "consent", "erasure", "data_request": return apply(aboutCustomer: change, event, at, resolved)
    case "receipt" where change.target == nil: return raiseWatermark(change, event)
    default: break
    }
    guard let target = change.target, let message = references[InTenant(event.tenant, target)]?.message else { return nil }
    return apply(PendingChange(change, on: event.channel, at: at), to: InTenant(event.tenant, message), event)
  }

  /// What waited for a name, in its order.
  mutating func applyParked(_ name: InTenant<ReferenceKey>, _ event: Event) {
    guard let parked = waiting.removeValue(forKey: name) else { return }
    for parked in parked {
      let at = IdentityPlan.clamp(sentAt: parked.sentAt, receivedAt: parked.receivedAt, policy)
      let outcome: Outcome?
      let change = Change(kind: parked.kind, target: name.value, details: parked.details)
      let event = Event(
        tenant: name.tenant, channel: parked.channel, account: parked.account, key: MessageKey(parked.id.raw),
        sentAt: parked.sentAt, receivedAt: parked.receivedAt, body: .change(change))
      var pending = parked.change
      pending?.at = at
      switch parked.kind {
      case Change.handoff: outcome = handOff(change, event, at)
      case Change.conversationState, Change.said:
        outcome = pending.flatMap { add($0, to: name.value, event) }
      default:
        let message = references[name]?.message.map { InTenant(name.tenant, $0) }
        outcome = message.flatMap { message in pending.flatMap { apply($0, to: message, event) } }
      }
      guard outcome != nil else {
        waiting[name, default: []].append(parked)
        continue
      }
      if let position = writes.parked.firstIndex(where: { $0.id == parked.id }) {
        writes.parked.remove(at: position)
      } else {
        writes.unparked.append(InTenant(name.tenant, parked.id))
      }
    }
  }

  // MARK: - Messages

  /// The message with what the batch has done to it so far.
  mutating func known(_ key: InTenant<ID>) -> StoredMessage? {
    if let known = messages[key] { return known }
    guard let new = writes.messages.last(where: { $0.id == key.value && $0.tenant == key.tenant }) else { return nil }
    let message = StoredMessage(
      conversation: new.conversation, direction: new.message.direction, orderedAt: new.orderedAt, address: new.address,
      addressKind: new.addressKind,
      status: new.deliveryStatus,
      error: new.deliveryError, externalID: new.message.externalID, isDeleted: new.deletedAt != nil)
    messages[key] = message
    return message
  }

  private mutating func apply(_ change: PendingChange, to key: InTenant<ID>, _ event: Event) -> Outcome? {
    guard var message = known(key), let conversation = current(key.tenant, message.conversation) else { return nil }
    guard Self.may(change, message, conversation) else { return .ignored(reason: "refused_not_author") }
    let place = InTenant(key.tenant, conversation.id)
    var changed = writes.messageChanges[key] ?? .init()
    switch change.kind {
    case "edit":
      guard !message.isDeleted, message.editedAt.map({ $0 <= change.at }) ?? true else { return .ignored(reason: "superseded") }
      // Who edits one picture of an album says nothing of the others, nor of what is written below another.
      let isPiece = change.isAboutPiece(of: message)
      changed.edits.append((change.at, isPiece && change.text?.isEmpty == true ? nil : change.text))
      if let attachments = change.attachments, !isPiece {
        (changed.losesAttachments, changed.attachments, changed.removedAttachments) = (true, [attachments], [])
      }
      message.editedAt = change.at
      tell("conversation.message_edited", key.value, place, event, change.at)
    case "delete" where change.isAboutPiece(of: message):
      guard !message.isDeleted, let piece = change.externalID else { return .ignored(reason: "superseded") }
      changed.removedPieces.append(piece)
      tell("conversation.message_edited", key.value, place, event, change.at)
    case "delete":
      guard !message.isDeleted else { return .ignored(reason: "superseded") }
      changed = .init()
      changed.deletion = (change.at, change.author)
      changed.losesAttachments = true
      message.isDeleted = true
      tell("conversation.message_deleted", key.value, place, event, change.at)
    case "reaction": react(change, key)
    case "receipt":
      guard message.direction == .outbound, let status = change.status else { return .ignored(reason: "receipt_without_use") }
      let receipt = WriteSet.ReceiptKey(message: key, status: status, recipient: change.customer.first?.identifier.value ?? "")
      writes.receipts[receipt] = min(writes.receipts[receipt] ?? change.at, change.at)
      deliver(key, status, error: change.error, event, change.at)
      return .stored
    case "call", "attachment":
      guard !message.isDeleted else { return .ignored(reason: "superseded") }
      if let said = change.text { changed.transcript = [changed.transcript, said].compactMap { $0 }.joined(separator: "\n") }
      var part = JSONObjectWriter()
      part.member("at", change.at.iso8601)
      part.member("text", change.text)
      part.member("details", change.details)
      changed.parts.append(part.finish())
      if let attachments = change.attachments {
        if change.status == "removed" {
          changed.removedAttachments.append(attachments)
        } else {
          changed.attachments.append(attachments)
        }
      }
    // It has been asked for, and is here.
    case "enrichment": break
    default: return nil
    }
    messages[key] = message
    if changed != .init() { writes.messageChanges[key] = changed }
    return .stored
  }

  /// Adds the piece to the message that the first of its pieces has become; nil for that first one, and for what only seems to belong
  /// to it: short numbers of texts come again after a while.
  mutating func join(_ message: Message, _ part: Part, _ event: Event, _ at: Timestamp, _ customer: ID) -> Outcome? {
    guard let id = references[InTenant(event.tenant, part.whole)]?.message else { return nil }
    let key = InTenant(event.tenant, id)
    guard let first = known(key), let conversation = current(event.tenant, first.conversation), conversation.customer == customer,
      first.direction == message.direction, !first.isDeleted,
      part.number == nil || abs(at.microseconds - first.orderedAt.microseconds) <= 600_000_000
    else { return nil }
    var changed = writes.messageChanges[key] ?? .init()
    if !message.attachments.isEmpty { changed.attachments.append(JSONText(array: message.attachments.map(\.json))) }
    if let piece = message.externalID { changed.files[piece] = message.attachments.compactMap { $0.providerID ?? $0.url } }
    if let number = part.number {
      changed.pieces[number] = changed.pieces[number] ?? message.text ?? ""
    } else if let caption = message.text {
      changed.transcript = [changed.transcript, caption].compactMap { $0 }.joined(separator: "\n")
    }
    writes.messageChanges[key] = changed
    for name in message.names { claim(InTenant(event.tenant, name), conversation.id, id) }
    tell("conversation.message_edited", id, InTenant(event.tenant, conversation.id), event, at)
    for name in message.names { applyParked(InTenant(event.tenant, name), event) }
    return .stored
  }

  /// Only whoever wrote a message changes it, and our side may take back all. A provider knows who did; what our own widgets send is
  /// their visitors' word.
  private static func may(_ change: PendingChange, _ message: StoredMessage, _ conversation: ConversationState) -> Bool {
    let isProvidersWord = change.isAttested && change.channel != .chat
    let isTheirs = change.customer.contains { stated in
      // Who is known by a claim alone is held to no more than that.
      stated.identifier.value == message.address && (stated.assurance >= .bearer || !conversation.lane.isEmpty)
        && message.addressKind.map { $0 == stated.identifier.kind.rawValue } ?? true
    }
    switch (change.kind, change.author) {
    case ("edit", .customer), ("delete", .customer): return message.direction == .inbound && (isTheirs || isProvidersWord)
    case ("edit", .agent), ("edit", .bot), ("edit", .system): return change.isAttested && message.direction != .inbound
    case ("delete", .agent), ("delete", .bot), ("delete", .system): return change.isAttested
    case ("edit", nil), ("delete", nil): return isProvidersWord || isTheirs && message.direction == .inbound
    default: return change.isAttested || isTheirs
    }
  }

  private mutating func tell(_ type: String, _ message: ID, _ place: InTenant<ID>, _ event: Event, _ at: Timestamp) {
    update(place) { planner, conversation in
      planner.emit(type, &conversation, event, at) { $0.member("message_id", message) }
    }
  }

  private mutating func react(_ change: PendingChange, _ key: InTenant<ID>) {
    let isOurs = change.author == .agent || change.author == .bot
    // Where one person can have several reactions each is for itself; elsewhere the next takes the place of the last.
    let hasSeveral = change.channel == .slack || change.channel == .telegram
    let slot = WriteSet.ReactionKey(
      message: key, actor: isOurs ? "agent" : change.customer.first?.identifier.value ?? "customer",
      slot: hasSeveral ? change.reaction ?? "" : "")
    if let known = writes.reactions[slot], known.at > change.at { return }
    writes.reactions[slot] = (change.status == "remove" ? nil : change.reaction, change.at)
  }

  /// Everything that was sent up to then has been delivered or read; what that is, is looked up by whoever wants to know.
  private mutating func raiseWatermark(_ change: Change, _ event: Event) -> Outcome {
    // Nothing was read before it could be told.
    guard let upTo = change.upTo.map({ min($0, event.receivedAt) }), let status = change.status,
      let address = change.customer.first?.identifier.value,
      change.isAttested || change.customer[0].assurance >= .bearer
    else { return .ignored(reason: "receipt_without_use") }
    let key = WriteSet.WatermarkKey(address: side(event, address), status: status)
    writes.watermarks[key] = max(writes.watermarks[key] ?? upTo, upTo)
    return .stored
  }

  private func side(_ event: Event, _ value: String) -> WriteSet.Address {
    .init(tenant: event.tenant, channel: event.channel, account: event.account, address: value)
  }

  /// What another system says of a conversation that it knows by its ticket, session or message, which is shown and nothing more; or what
  /// is said there by who names nobody. Nil when nobody has written in it yet.
  private mutating func add(
    _ change: PendingChange, to name: ReferenceKey, _ event: Event
  ) -> Outcome? {
    guard let conversation = conversation(named: name, event) else { return nil }
    guard change.isAttested else { return .ignored(reason: "refused_not_author") }
    let (place, id) = (InTenant(event.tenant, conversation.id), ids.next())
    if change.kind == Change.said {
      var message = Message(
        direction: change.status == "internal" ? .internal : change.author == .customer ? .inbound : .outbound,
        authorKind: change.author ?? .agent, customer: [], externalID: change.externalID, text: change.text,
        details: change.details)
      message.isTranscript = change.status == Change.transcript
      message.names = change.name.map { [$0] } ?? []
      if isHeld(message, event.tenant) { return .ignored(reason: "held_already") }
      add(message, to: place, id, event, change.at)
      if let attachments = change.attachments {
        writes.messageChanges[InTenant(event.tenant, id), default: .init()].attachments.append(attachments)
      }
      guard !message.isTranscript, let name = change.name.map({ InTenant(event.tenant, $0) }) else { return .stored }
      claim(name, conversation.id, id)
      applyParked(name, event)
    } else {
      var details = JSONObjectWriter()
      details.member("state", change.status)
      details.member("change", change.details)
      let note = Message(
        direction: .internal, authorKind: .system, customer: [], externalID: change.externalID, details: details.finish())
      add(note, to: place, id, event, change.at)
    }
    return .stored
  }

  /// Whether the line of a transcript is here by its own channel already.
  func isHeld(_ message: Message, _ tenant: String) -> Bool {
    message.isTranscript && message.names.contains { references[InTenant(tenant, $0)]?.message != nil }
  }

  /// Whoever came by a link of ours has not written yet: what they will say in the session belongs where the link leads.
  private mutating func goOn(_ change: Change, _ event: Event) -> Outcome {
    guard let target = change.target.map({ InTenant(event.tenant, $0) }), references[target] == nil,
      let conversation = change.continuation.flatMap({ current(event.tenant, $0) })
    else { return .ignored(reason: Change.conversationState) }
    note(target, conversation.id, nil)
    applyParked(target, event)
    return .stored
  }

  // MARK: - Customers

  private mutating func apply(aboutCustomer change: Change, _ event: Event, _ at: Timestamp, _ resolved: Resolved?) -> Outcome {
    var isHeeded = false
    if change.kind == "consent", let isGiven = ["opt_in": true, "opt_out": false][change.status ?? ""] {
      for stated in change.customer where stated.identifier.kind.definesCustomer && (change.isAttested || stated.assurance >= .a1)
      {
        isHeeded = true
        let key = side(event, stated.identifier.value)
        if let known = consents[key], known.at > at { continue }
        consents[key] = Consent(isGiven: isGiven, at: at)
        writes.consents[key] = consents[key]
      }
    }
    guard let resolved else { return isHeeded ? .stored : .ignored(reason: "nobody_known") }
    writes.customerEvents.append(
      .init(
        tenant: event.tenant, id: ids.next(), customer: resolved.customer, kind: change.kind, status: change.status,
        channel: event.channel, account: event.account, at: at, details: change.details))
    return .stored
  }

  /// Whether we may write where the customer wrote last: not when they have said since that we may not. Of groups they say nothing.
  func isOpen(_ route: Route, on surface: Surface, tenant: String) -> Bool {
    guard surface.visibility == .private else { return true }
    let key = WriteSet.Address(tenant: tenant, channel: surface.channel, account: route.account, address: route.address)
    return consents[key].map { $0.isGiven || $0.at < route.at } ?? true
  }

  /// What nobody vouches for is no order.
  mutating func add(_ order: Order, _ event: Event, _ resolved: Resolved?) -> Outcome {
    guard order.isAttested else { return .ignored(reason: "not_vouched_for") }
    let key = WriteSet.SourceKey(
      tenant: event.tenant, channel: event.channel, account: event.account, externalID: order.externalID)
    var order = order
    // A clock ahead of its time would keep out every later version.
    order.updatedAt = min(order.updatedAt, event.receivedAt)
    if let known = writes.orders[key], known.order.updatedAt > order.updatedAt { return .stored }
    writes.orders[key] = (order, resolved?.customer)
    return .stored
  }

  mutating func add(_ response: SurveyResponse, _ event: Event, _ resolved: Resolved?) -> Outcome {
    guard response.isBelieved else { return .ignored(reason: "not_vouched_for") }
    let key = WriteSet.SourceKey(
      tenant: event.tenant, channel: event.channel, account: event.account, externalID: response.externalID)
    var response = response
    response.updatedAt = min(response.updatedAt, event.receivedAt)
    if let known = writes.surveys[key], known.response.updatedAt > response.updatedAt { return .stored }
    let named = response.conversation.flatMap { current(event.tenant, $0) }
    let session = response.session.flatMap { conversation(named: $0, event) }
    // A session is no proof: only whose it is may answer for it.
    let about = named ?? session.flatMap { $0.customer == resolved?.customer ? $0 : nil }
    writes.surveys[key] = (response, resolved?.customer ?? about?.customer, about?.id)
    return .stored
  }
}

extension PendingChange {
  /// It names a further piece of the message, not the message that the first one has become.
  fileprivate func isAboutPiece(of message: StoredMessage) -> Bool {
    guard let externalID, let own = message.externalID else { return false }
    return externalID != own
  }
}
