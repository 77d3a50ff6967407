import Canonical
import Parsing

/// `chat.event`: what our own chat widget and its agent side send (`schemas/payloads/chat.event.json`), one event a record.
///
/// The visitor's `external_id`, `email` and `phone` are A3 when the adapter attests `token`: it then fills them from the token.
enum ChatEvent {
  static func read(_ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard payload.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in
      let event = try payload.requiredID("event")
      let eventID = try payload.requiredID("event_id")
      switch event {
      case "typing": return .ignored(reason: "typing")
      case "message.created": return try message(payload, delivery, eventID)
      case "message.edited": return try change("edit", payload, delivery, eventID)
      case "message.deleted": return try change("delete", payload, delivery, eventID)
      case "visitor.identified": return try change("identity_change", payload, delivery, eventID)
      case "conversation.started", "conversation.ended": return try change("conversation_state", payload, delivery, eventID)
      case "csat.submitted": return try survey(payload, delivery, eventID)
      default:
        let details = payload.rest(without: ["identity_token", "continuation"])
        return delivery.event(
          delivery.key("unknown", event, eventID), sentAt: payload["sent_at"].time,
          .unknown(Unknown(what: event, details: details)))
      }
    }
  }

  private static func message(
    _ payload: JSONValue, _ delivery: Delivery, _ eventID: String
  ) throws(Rejection) -> NormalisedElement {
    let body = payload["message"]
    guard body.isObject else { throw Rejection(.malformedPayload, "message") }
    let id = body["id"].id ?? eventID
    let name = ReferenceKey.message(.chat, account: delivery.account, id: id)
    let author = payload["author"]
    let authorKind: AuthorKind
    switch author["kind"].string {
    case "agent": authorKind = .agent
    case "bot": authorKind = .bot
    case "visitor", nil: authorKind = .customer
    default: throw Rejection(.malformedPayload, "author.kind")
    }
    let isInbound = authorKind == .customer
    // Whoever can fill in the widget's JSON could speak in our name.
    guard isInbound || !delivery.envelope.attested.isDisjoint(with: [.signature, .business]) else {
      throw Rejection(.malformedPayload, "author.kind is agent or bot, and neither signature nor business is attested")
    }
    let customer = try identifiers(payload, delivery)
    guard !customer.isEmpty else { throw Rejection(.malformedPayload, "visitor.id") }
    let session = payload["conversation_id"].id
    let text = try body.text("text")
    let replyTo = body["reply_to"].id
    let continuation = delivery.continuation(payload["continuation"].id)
    let epoch = authorKind == .bot ? try payload.integer("ownership_epoch") : nil

    var details = JSONObjectWriter()
    details.members(of: payload, without: shown, or: epoch == nil ? nil : "ownership_epoch")
    details.member("message", body.rest(without: body["type"].string == "text" ? shownOfText : shownOfMessage))

    var message = Message(
      direction: isInbound ? .inbound : .outbound, authorKind: authorKind, authorID: isInbound ? nil : author["id"].id,
      customer: customer, customerName: payload["visitor"]["name"].string?.trimmed.nonEmpty,
      language: isInbound ? language(payload) ?? text.flatMap(Language.detect) : nil, externalID: id,
      names: [name], references: replyTo.map { [.message(.chat, account: delivery.account, id: $0)] } ?? [],
      session: session.map { .session(.chat, account: delivery.account, id: $0) }, replyToExternalID: replyTo, text: text,
      attachments: attachments(body["attachments"], limit: delivery.limits.attachments + 1), details: details.finished,
      flags: payload["sent_at"].timeFlags + continuation.flags)
    message.continuation = continuation.conversation
    message.ownershipEpoch = epoch
    return delivery.event(MessageKey(name), sentAt: payload["sent_at"].time, .message(message))
  }

  /// What has a place of its own in a message; tokens are never stored.
  private static let shown: Set<String> = ["event", "event_id", "sent_at", "message", "identity_token", "continuation"]
  private static let shownOfChange: Set<String> = ["event_id", "sent_at", "message", "identity_token", "continuation", "flags"]
  private static let shownOfMessage: Set<String> = ["id", "text", "reply_to", "attachments"]
  private static let shownOfText: Set<String> = ["id", "text", "reply_to", "attachments", "type"]

  /// Edits and deletes point at a message, everything else at the session.
  private static func change(
    _ kind: String, _ payload: JSONValue, _ delivery: Delivery, _ eventID: String
  ) throws(Rejection) -> NormalisedElement {
    var change = Change(kind: kind, customer: try identifiers(payload, delivery))
    var details = JSONObjectWriter()
    if kind == "edit" || kind == "delete" {
      let body = payload["message"]
      let target = try body.requiredID("id", in: "message.")
      change.target = .message(.chat, account: delivery.account, id: target)
      change.targetExternalID = target
      change.authorKind =
        switch payload["author"]["kind"].string {
        case "agent" where delivery.isVouchedFor: .agent
        case "bot" where delivery.isVouchedFor: .bot
        default: .customer
        }
      if kind == "edit" {
        change.text = try body.text("text") ?? ""
        let list = body["attachments"]
        if list.isArray { change.attachments = attachments(list, limit: delivery.limits.attachments + 1) }
      }
    } else {
      change.target = payload["conversation_id"].id.map { .session(.chat, account: delivery.account, id: $0) }
      if kind == "conversation_state" { change.status = payload["event"].id }
    }
    let (conversation, flags) = delivery.continuation(payload["continuation"].id)
    change.continuation = conversation
    details.members(of: payload, without: shownOfChange, or: change.status == nil ? nil : "event")
    if !flags.isEmpty { details.member("flags", flags) }
    change.details = details.finished
    return delivery.event(
      delivery.key(kind, change.targetExternalID ?? "", eventID), sentAt: payload["sent_at"].time, .change(change))
  }

  /// What the visitor thinks of the session.
  private static func survey(
    _ payload: JSONValue, _ delivery: Delivery, _ eventID: String
  ) throws(Rejection) -> NormalisedElement {
    guard eventID.utf8.count <= Identifier.maximumBytes else { throw Rejection(.malformedPayload, "event_id") }
    let time = payload["sent_at"].time
    let comment = try payload.text("comment")
    let (conversation, flags) = delivery.continuation(payload["continuation"].id)
    var details = JSONObjectWriter()
    details.members(of: payload, without: shownOfSurvey)
    if !flags.isEmpty { details.member("flags", flags) }
    let response = SurveyResponse(
      externalID: eventID, metric: "csat", score: try payload.decimal("score"), scaleMin: try payload.decimal("scale_min"),
      scaleMax: try payload.decimal("scale_max"), comment: comment, answeredAt: time, updatedAt: time ?? delivery.receivedAt,
      customer: try identifiers(payload, delivery), customerName: payload["visitor"]["name"].personName,
      language: language(payload) ?? comment.flatMap(Language.detect), conversation: conversation,
      session: payload["conversation_id"].id.map { .session(.chat, account: delivery.account, id: $0) },
      details: details.finished)
    return delivery.event(delivery.key("survey", eventID), sentAt: time, .survey(response))
  }

  private static let shownOfSurvey: Set<String> = [
    "event", "event_id", "sent_at", "score", "scale_min", "scale_max", "comment", "identity_token", "continuation", "flags",
  ]

  private static func identifiers(_ payload: JSONValue, _ delivery: Delivery) throws(Rejection) -> [StatedIdentifier] {
    let visitor = payload["visitor"]
    let stated: Assurance = delivery.envelope.attested.contains(.token) ? .a3 : .a0
    var identifiers = StatedIdentifiers(delivery.limits)
    try identifiers.add(.visitor, scope: delivery.account, visitor["id"].id, .bearer)
    try identifiers.add(.externalID, visitor["external_id"].id, stated)
    try identifiers.add(.email, visitor["email"].string, stated)
    try identifiers.add(.phone, visitor["phone"].string, stated)
    return identifiers.list
  }

  private static func language(_ payload: JSONValue) -> String? {
    (payload["locale"].string ?? payload["visitor"]["locale"].string)?.languageOfLocale
  }

  static func attachments(_ list: JSONValue, limit: Int) -> [Attachment] {
    list.elements.prefix(limit).filter(\.isObject).map { item in
      let type = item["mime"].string
      return Attachment(
        kind: Attachment.kind(ofType: type), name: item["name"].string, type: type, sizeBytes: item["size"].int64,
        providerID: item["id"].id, url: item["url"].string)
    }
  }
}
