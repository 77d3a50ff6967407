import Canonical
import Parsing

/// `agent.reply`, `agent.note`, …: what an agent does with a conversation (`schemas/payloads/agent.action.json`), one action a record.
enum AgentAction {
  /// The format of one kind of action; all have one topic and one form.
  static func format(of kind: Action.Kind) -> ChannelFormat {
    ChannelFormat(
      "agent." + kind.rawValue, topic: "agent.actions", channel: .desk, readers: [.ingest, .route],
      .json { (payload: JSONValue, delivery: Delivery, elements: inout Elements) throws(Rejection) in
        try read(kind, payload, delivery, &elements)
      })
  }

  private static func read(
    _ kind: Action.Kind, _ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements
  ) throws(Rejection) {
    guard payload.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in
      var action = Action(
        kind: kind, id: delivery.envelope.id, conversation: try payload.ownID("conversation_id"), agent: try payload.agentID())
      action.ownershipEpoch = try payload.integer("ownership_epoch")
      action.seenVersion = try payload.integer("seen_version")
      action.text = try payload.text("text")
      guard (action.text?.utf8.count ?? 0) <= delivery.limits.replyBytes else { throw Rejection(.tooLarge, "text") }
      action.attachments = try attachments(payload["attachments"], limit: delivery.limits.replyAttachments + 1)
      guard action.attachments.count <= delivery.limits.replyAttachments else { throw Rejection(.tooLarge, "attachments") }
      action.channel = try word("channel", of: payload)
      if kind == .reply { action.visibility = try word("visibility", of: payload) }
      action.until = payload["until"].time
      guard payload["until"].timeFlags.isEmpty else { throw Rejection(.malformedPayload, "until") }
      action.priority = try payload.integer("priority", in: 0...9).map(Int16.init)
      action.reason = try payload.text("reason")
      action.toQueue = try payload.optionalID("to_queue")
      action.toAgent = try payload.optionalID("to_agent")
      // Nothing but this kind vouches for anybody.
      if kind == .identify { action.identifiers = try identifiers(payload["identifiers"], delivery.limits) }
      if let member = missing(in: action) { throw Rejection(.malformedPayload, member) }
      return delivery.event(delivery.envelopeKey("action"), sentAt: nil, .action(action))
    }
  }

  /// The member without which an action of this kind says nothing, or could undo what its agent has not seen.
  private static func missing(in action: Action) -> String? {
    switch action.kind {
    case .reply, .resolve, .snooze, .accept, .decline, .take, .release, .transfer:
      if action.ownershipEpoch == nil { return "ownership_epoch" }
    case .note, .reopen, .priority, .identify, .invite: break
    }
    // What ends the wait of a customer must have seen what they wrote.
    if action.kind == .resolve || action.kind == .snooze, action.seenVersion == nil { return "seen_version" }
    return switch action.kind {
    case .reply, .note: action.text == nil && action.attachments.isEmpty ? "text" : nil
    case .snooze: action.until == nil ? "until" : nil
    case .priority: action.priority == nil ? "priority" : nil
    case .identify: action.identifiers.isEmpty ? "identifiers" : nil
    // Where customers write; nobody can be invited into our own data.
    case .invite: action.channel.map { [.crm, .desk].contains($0) } ?? true ? "channel" : nil
    case .transfer: (action.toQueue == nil) == (action.toAgent == nil) ? "to_queue or to_agent" : nil
    case .resolve, .reopen, .accept, .decline, .take, .release: nil
    }
  }

  private static func word<Word: RawRepresentable<String>>(_ name: String, of payload: JSONValue) throws(Rejection) -> Word? {
    guard let text = try payload.text(name) else { return nil }
    guard let word = Word(rawValue: text) else { throw Rejection(.malformedPayload, name) }
    return word
  }

  private static func attachments(_ list: JSONValue, limit: Int) throws(Rejection) -> [Attachment] {
    guard list.isArray || !list.exists || list.isNull else { throw Rejection(.malformedPayload, "attachments") }
    return ChatEvent.attachments(list, limit: limit)
  }

  private static func identifiers(_ list: JSONValue, _ limits: Limits) throws(Rejection) -> [StatedIdentifier] {
    var identifiers = StatedIdentifiers(limits)
    for item in list.elements {
      let kind = IdentifierKind(rawValue: try item.requiredID("kind", in: "identifiers[]."))
      guard kinds.contains(kind) else { throw Rejection(.malformedPayload, "identifiers[].kind") }
      let scope = kind.isScoped ? try item.requiredID("scope", in: "identifiers[].") : ""
      try identifiers.add(kind, scope: scope, item.requiredID("value", in: "identifiers[]."), .a3)
    }
    return identifiers.list
  }

  /// What says who somebody is. Cookies are known by their holder alone, and an order number is nobody's.
  private static let kinds: Set<IdentifierKind> = [
    .externalID, .email, .phone, .loyalty, .whatsapp, .messenger, .instagram, .telegram, .x, .line, .viber, .slack, .apple,
  ]
}
