import Canonical
import Parsing

/// `line.webhook`: the body of a LINE webhook: events of one bot (`destination`), maybe none.
///
/// Source: `channels.md`, section 11. Users have no name here, and in groups and rooms perhaps no id: the group speaks then. What
/// we send is not delivered. Offsets of mentions and emojis are UTF-16 code units.
enum LineWebhook {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    guard root["events"].isArray else { throw Rejection(.malformedPayload, "events") }
    var delivery = delivery
    delivery.account = root["destination"].id ?? delivery.account
    var isEmpty = true
    for item in root["events"].elements {
      isEmpty = false
      Reader(delivery: delivery, item: item).read(&elements)
    }
    // What the button "Verify" of LINE's console sends.
    if isEmpty { elements.add { .ignored(reason: "verification") } }
  }

  /// One event.
  private struct Reader {
    let delivery: Delivery
    let item: JSONValue
    /// The same when the event is delivered again.
    private let eventID: String

    init(delivery: Delivery, item: JSONValue) {
      self.delivery = delivery
      self.item = item
      eventID =
        item["webhookEventId"].id
        ?? ID(Bytes16(Digest.bytes16([item.rest(without: ["deliveryContext", "replyToken"]).utf8]))).description
    }

    private var time: Timestamp? { item["timestamp"].time }

    func read(_ elements: inout Elements) {
      let type = item["type"].string ?? ""
      let lists = ["memberJoined": "joined", "memberLeft": "left"]
      if let list = lists[type], item[list]["members"].isArray {
        let event = delivery.shared(kept(without: Self.shownOfChange.union(["type"])))
        for member in item[list]["members"].elements {
          elements.add { () throws(Rejection) in
            let user = try member.requiredID("userId", in: "members[].")
            return change("conversation_state", type, customer: try identifiers(user), member: user, of: event)
          }
        }
        return
      }
      elements.add { () throws(Rejection) in
        guard item.isObject else { throw Rejection(.malformedPayload, "events[]") }
        switch type {
        case "message": return try message()
        case "postback": return try postback()
        case "unsend": return try deletion()
        case "follow": return change("consent", "opt_in", customer: try identifiers(sender))
        case "unfollow": return change("consent", "opt_out", customer: try identifiers(sender))
        case "delivery": return change("receipt", "delivered", customer: try identifiers(sender))
        case "videoPlayComplete": return change("receipt", "read", customer: try identifiers(sender))
        // The bot came into a group or left it; another of the account's bots took the chat or gave it back.
        case "join", "leave", "activated", "deactivated":
          return change("conversation_state", type, customer: try identifiers(sender))
        case "": throw Rejection(.malformedPayload, "events[].type")
        default:
          return delivery.event(
            delivery.key("unknown", type, eventID), sentAt: time,
            .unknown(Unknown(what: type, details: kept(without: ["webhookEventId", "timestamp"]))))
        }
      }
    }

    // MARK: - Messages

    private func message() throws(Rejection) -> NormalisedElement {
      let body = item["message"]
      let id = try body.requiredID("id", in: "message.")
      let type = try body.requiredID("type", in: "message.")
      let content = try Content(body, type: type, id: id)
      let replyTo = body["quotedMessageId"].id
      var details = details()
      details.member("album", body["imageSet"].isObject ? body["imageSet"].json : JSONText())
      details.member("message", body.rest(without: LineWebhook.shown))
      details.member("unknown", content.isKnown ? nil : type)
      var message = Message(
        direction: .inbound, authorKind: .customer, customer: try identifiers(sender), language: content.language, externalID: id,
        names: [name(id)], references: replyTo.map { [name($0)] } ?? [], replyToExternalID: replyTo, text: content.text,
        attachments: content.attachments, details: details.finished, flags: flags)
      stand(&message)
      if let album = body["imageSet"]["id"].id { message.take(part: Part(of: .whole(.line, account: delivery.account, [album]))) }
      return delivery.event(MessageKey(name(id)), sentAt: time, .message(message))
    }

    /// A pressed button: what it said, LINE does not repeat.
    private func postback() throws(Rejection) -> NormalisedElement {
      let body = item["postback"]
      guard body.isObject else { throw Rejection(.malformedPayload, "postback") }
      // Another page of the menu, and nothing that is said to us.
      if body["params"]["newRichMenuAliasId"].exists { return .ignored(reason: "menu") }
      var details = details()
      details.member("postback", body.json)
      var message = Message(
        direction: .inbound, authorKind: .customer, customer: try identifiers(sender),
        text: ["datetime", "date", "time"].lazy.compactMap { body["params"][$0].string?.nonEmpty }.first,
        details: details.finished,
        flags: flags)
      stand(&message)
      return delivery.event(delivery.key("postback", eventID), sentAt: time, .message(message))
    }

    /// In a group or room, whoever is there reads it; in standby, somebody else answers it.
    private func stand(_ message: inout Message) {
      message.isStandby = isStandby
      message.stand(in: item["source"]["groupId"].id ?? item["source"]["roomId"].id)
    }

    private var isStandby: Bool { item["mode"].string == "standby" }

    /// What is not the message's own, but for what LINE says of the delivery.
    private func details() -> JSONObjectWriter {
      var details = JSONObjectWriter()
      if isStandby { details.member("standby", true) }
      if item["source"]["type"].string != "user" { details.member("source", item["source"].json) }
      return details
    }

    private var flags: [String] { item["timestamp"].timeFlags + (item["source"]["userId"].id == nil ? ["sender_unknown"] : []) }

    // MARK: - Changes

    /// The customer took a message back: whoever has it must erase it.
    private func deletion() throws(Rejection) -> NormalisedElement {
      let id = try item["unsend"].requiredID("messageId", in: "unsend.")
      let change = Change(
        kind: "delete", target: name(id), targetExternalID: id, customer: try identifiers(sender), authorKind: .customer)
      return delivery.event(delivery.key("delete", id), sentAt: time, .change(change))
    }

    /// About the customer, not about a message that we know the id of.
    private func change(
      _ kind: String, _ status: String, customer: [StatedIdentifier], member: String? = nil, of event: JSONText? = nil
    ) -> NormalisedElement {
      let shown = status == item["type"].string ? Self.shownOfChange.union(["type"]) : Self.shownOfChange
      var details = JSONObjectWriter()
      details.member("event", event ?? kept(without: shown))
      return delivery.event(
        delivery.key(kind, eventID, member ?? ""), sentAt: time,
        .change(Change(kind: kind, customer: customer, status: status, details: details.finished)))
    }

    private static let shownOfChange: Set<String> = ["webhookEventId", "timestamp", "joined", "left"]

    // MARK: - What all have in common

    private func name(_ id: String) -> ReferenceKey { .message(.line, account: delivery.account, id: id) }

    /// The event without what is of no use or no reader's business: the nonce would let its reader finish somebody's log-in.
    private func kept(without names: Set<String>) -> JSONText {
      var details = JSONObjectWriter()
      details.members(of: item, without: names.union(["deliveryContext", "replyToken", "link"]))
      details.member("link", item["link"].rest(without: ["nonce"]))
      return details.finished
    }

    private var sender: String? {
      let source = item["source"]
      return source["userId"].id ?? source["groupId"].id ?? source["roomId"].id
    }

    private func identifiers(_ id: String?) throws(Rejection) -> [StatedIdentifier] {
      try delivery.identifiers(.line, scope: delivery.account, id, delivery.providerAssurance)
    }
  }

  /// What has a place of its own in a message.
  private static let shown: Set<String> = ["id", "type", "text", "fileName", "fileSize", "quotedMessageId", "imageSet"]

  /// What a message of one type says.
  private struct Content {
    private(set) var text: String?
    private(set) var language: String?
    private(set) var attachments: [Attachment] = []
    private(set) var isKnown = true

    init(_ body: JSONValue, type: String, id: String) throws(Rejection) {
      switch type {
      case "text":
        guard body["text"].isString else { throw Rejection(.malformedPayload, "message.text") }
        text = try body.text("text")
        let mentions = body["mention"]["mentionees"].elements.prefix(100).map { $0 }
        let emojis = body["emojis"].elements.prefix(100).map { $0 }
        let ranges = (mentions + emojis).map { (offset: $0["index"].int64 ?? 0, length: $0["length"].int64 ?? 0) }
        language = text.flatMap { Language.detect($0.beginning(withoutUTF16: ranges)) }
      case "image", "video", "audio", "file":
        let size = body["fileSize"].naturalNumber
        attachments = [
          Attachment(
            kind: type, name: body["fileName"].string?.nonEmpty, sizeBytes: size, providerID: id,
            url: body["contentProvider"]["originalContentUrl"].string?.nonEmpty)
        ]
      case "location":
        let lines = [body["title"].string?.nonEmpty, body["address"].string?.nonEmpty].compactMap { $0 }
        text = lines.joined(separator: "\n").nonEmpty
        attachments = [Attachment(kind: type, name: lines.first)]
      case "sticker":
        // Some have a place for words.
        text = try body.text("text")
        attachments = [Attachment(kind: type, providerID: body["stickerId"].id)]
      default:
        text = try body.text("text")
        isKnown = false
      }
    }
  }
}
