import Canonical
import Parsing

/// `viber.callback`: one callback of the Viber bot API.
///
/// Source: `channels.md`, section 12. A message is called by its `message_token`, a number beyond 2^53; that of a receipt is the
/// token of our message. Users' ids belong to one account, which the callback does not name.
enum ViberCallback {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    let reader = Reader(delivery: delivery, root: root)
    elements.add { () throws(Rejection) in
      let event = try root.requiredID("event")
      switch event {
      case "message": return try reader.message()
      case "delivered", "seen", "failed": return try reader.receipt(event)
      case "subscribed": return try reader.change("consent", "opt_in", event)
      case "unsubscribed": return try reader.change("consent", "opt_out", event)
      // The user has opened the chat, which is neither a message nor consent.
      case "conversation_started": return try reader.change("conversation_state", event, event)
      // The probe of a new webhook; its time and token have changed places.
      case "webhook": return .ignored(reason: "verification")
      case "client_status": return .ignored(reason: event)
      default: return reader.unknown(event)
      }
    }
  }

  /// One callback.
  private struct Reader {
    let delivery: Delivery
    let root: JSONValue

    private var time: Timestamp? { root["timestamp"].time }
    /// Digits, as a number or as a string.
    private var token: String { root["message_token"].id ?? root["timestamp"].id ?? "" }

    func message() throws(Rejection) -> NormalisedElement {
      let id = try root.requiredID("message_token")
      let sender = root["sender"]
      let user = try sender.requiredID("id", in: "sender.")
      let body = root["message"]
      guard body.isObject else { throw Rejection(.malformedPayload, "message") }
      let content = try Content(body)
      // What the user has pressed; the words are the business's own.
      let isButton = root["silent"].bool == true
      let locale = sender["language"].string(atMost: 64)?.languageOfLocale

      var details = JSONObjectWriter()
      details.members(
        of: root, without: ["event", "timestamp", "chat_hostname", "message_token", "sender", "message", "silent", "unknown"])
      if isButton { details.member("silent", true) }
      details.member("sender", sender.rest(without: ["id", "name", "language"]))
      details.member("message", body.rest(without: ["type", "text", "media", "file_name", "size"]))
      details.member("unknown", content.isKnown ? nil : body["type"].string ?? "message")
      var message = Message(
        direction: .inbound, authorKind: .customer, customer: try identifiers(user), customerName: sender["name"].personName,
        language: isButton ? locale : content.text.flatMap(Language.detect) ?? locale, externalID: id, names: [reference(id)],
        text: content.text, attachments: content.attachments, details: details.finished, flags: root["timestamp"].timeFlags)
      message.stand(in: root["chat_id"].id)
      return delivery.event(MessageKey(reference(id)), sentAt: time, .message(message))
    }

    /// In any order, and some never come.
    func receipt(_ event: String) throws(Rejection) -> NormalisedElement {
      let target = try root.requiredID("message_token")
      let user = try root.requiredID("user_id")
      let status = event == "seen" ? "read" : event
      let reason = root["desc"].string?.nonEmpty
      var details = JSONObjectWriter()
      details.member("status", status == event ? nil : event)
      details.member("desc", status == "failed" ? nil : reason)
      let change = Change(
        kind: "receipt", target: reference(target), targetExternalID: target, customer: try identifiers(user), status: status,
        error: status == "failed" ? reason : nil, details: details.finished)
      return delivery.event(delivery.key("receipt", target, status, user), sentAt: time, .change(change))
    }

    /// About the customer, not about a message.
    func change(_ kind: String, _ status: String, _ event: String) throws(Rejection) -> NormalisedElement {
      let user = try root["user"].isObject ? root["user"].requiredID("id", in: "user.") : root.requiredID("user_id")
      let shown: Set<String> = ["timestamp", "chat_hostname", "message_token", "user_id", "user"]
      var details = JSONObjectWriter()
      details.members(of: root, without: shown, or: status == event ? "event" : nil)
      details.member("user", root["user"].rest(without: ["id"]))
      let change = Change(kind: kind, customer: try identifiers(user), status: status, details: details.finished)
      return delivery.event(delivery.key(event, user, token), sentAt: time, .change(change))
    }

    func unknown(_ event: String) -> NormalisedElement {
      let details = root.rest(without: ["timestamp", "chat_hostname"])
      return delivery.event(
        delivery.key("unknown", event, token, details.string), sentAt: time, .unknown(Unknown(what: event, details: details)))
    }

    private func reference(_ id: String) -> ReferenceKey { .message(.viber, account: delivery.account, id: id) }

    private func identifiers(_ id: String) throws(Rejection) -> [StatedIdentifier] {
      try delivery.identifiers(.viber, scope: delivery.account, id, delivery.providerAssurance)
    }
  }

  /// What a message of one type says.
  private struct Content {
    private(set) var text: String?
    private(set) var attachments: [Attachment] = []
    private(set) var isKnown = true

    init(_ body: JSONValue) throws(Rejection) {
      text = try body.text("text")
      let media = body["media"].string?.nonEmpty
      let type = body["type"].string ?? ""
      switch type {
      case "text": break
      case "picture", "video", "file":
        let size = body["size"].naturalNumber
        attachments = [
          Attachment(
            kind: type == "picture" ? "image" : type, name: body["file_name"].string?.nonEmpty, sizeBytes: size, url: media)
        ]
      case "sticker": attachments = [Attachment(kind: type, providerID: body["sticker_id"].id, url: media)]
      case "contact": attachments = [Attachment(kind: type, name: body["contact"]["name"].string?.nonEmpty)]
      case "location": attachments = [Attachment(kind: type)]
      case "url": text = text ?? media
      default: isKnown = false
      }
    }
  }
}
