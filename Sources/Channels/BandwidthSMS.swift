import Canonical
import Parsing

/// `bandwidth.sms`: a list of Bandwidth's messaging callbacks: messages from customers and the states of ours.
///
/// Source: `channels.md`, section 4.3. The account is our number: what is sent to several of ours comes once for each.
enum BandwidthSMS {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    if root.isObject { return add(root, delivery, &elements) }
    guard root.isArray else { throw Rejection(.malformedPayload, "not an array") }
    for item in root.elements { add(item, delivery, &elements) }
  }

  private static func add(_ item: JSONValue, _ delivery: Delivery, _ elements: inout Elements) {
    elements.add { () throws(Rejection) in
      guard item.isObject else { throw Rejection(.malformedPayload, "[]") }
      let type = try item.requiredID("type", in: "[].")
      var delivery = delivery
      let owner = item["message"]["owner"].id
      switch type {
      case "message-received", "suggestion-response", "requested-location-response":
        delivery.account = item["to"].id ?? owner ?? delivery.account
        return try message(item, type, delivery)
      case "message-sending", "message-sent", "message-delivered", "message-failed", "message-read":
        delivery.account = owner ?? delivery.account
        return try receipt(item, String(type.dropFirst("message-".count)), delivery)
      default:
        delivery.account = owner ?? delivery.account
        let json = item.json
        let id = item["message"]["id"].id
        return delivery.event(
          delivery.key("unknown", type, id ?? "", item["time"].id ?? json.string), sentAt: item["time"].time,
          .unknown(Unknown(what: type, details: json)))
      }
    }
  }

  /// Callbacks come in any order: the highest rank is the state, and `failed` is final. The same ranks as Twilio's.
  private static let ranks: [String: Int64] = ["sending": 2, "sent": 3, "delivered": 4, "read": 5, "failed": 6]

  private static let shown: Set<String> = ["id", "owner", "time", "from", "text", "media", "direction"]

  private static func message(_ item: JSONValue, _ type: String, _ delivery: Delivery) throws(Rejection) -> NormalisedElement {
    let body = item["message"]
    let id = try body.requiredID("id", in: "message.")
    if body["direction"].string == "out" { return .ignored(reason: "self") }
    let name = ReferenceKey.message(.sms, account: delivery.account, id: id)
    let (answer, place) = (body["suggestionResponse"], body["locationResponse"])
    let text = try body.text("text") ?? body["content"]["text"].string?.nonEmpty ?? answer["text"].string?.nonEmpty
    var attachments = media(body["media"], limit: delivery.limits.attachments + 1)
    if let url = body["content"]["media"]["fileUrl"].string?.nonEmpty { attachments.append(attachment(url)) }
    if place.isObject { attachments.append(Attachment(kind: "location")) }
    let time = body["time"].exists ? body["time"] : item["time"]
    var details = JSONObjectWriter()
    details.member("type", type == "message-received" ? nil : type)
    let group = body["to"].elements.prefix(1_000).compactMap(\.id)
    if group.count > 1 { details.member("group", Set(group + [body["from"].id].compactMap { $0 }).sorted()) }
    details.member("from", body["from"].id)
    details.member("message", body.rest(without: shown))
    var message = Message(
      direction: .inbound, authorKind: .customer, customer: try identifiers(body["from"], delivery),
      // A button's words are the business's own.
      language: answer.isObject ? nil : text.flatMap(Language.detect), externalID: id, names: [name], text: text,
      attachments: attachments, details: details.finished, flags: time.timeFlags)
    if body["channel"].string?.lowercased() == "rcs" { message.replyAddress = body["from"].id.map { "rcs:" + $0 } }
    return delivery.event(MessageKey(name), sentAt: time.time, .message(message))
  }

  /// Of a message to several people, each has their own.
  private static func receipt(
    _ item: JSONValue, _ word: String, _ delivery: Delivery
  ) throws(Rejection) -> NormalisedElement {
    let target = try item["message"].requiredID("id", in: "message.")
    // What is not on its way yet has no word of ours.
    let status = word == "sending" ? nil : word
    // A description is there of every state.
    let reasons = status == "failed" ? ["errorCode", "description"].filter { item[$0].id != nil } : []
    var details = JSONObjectWriter()
    details.member("status", status == word ? nil : word)
    details.member("rank", ranks[word])
    details.members(of: item, without: Set(reasons + ["type", "time", "message", "status", "rank"]))
    details.member("message", item["message"].rest(without: shown))
    let change = Change(
      kind: "receipt", target: .message(.sms, account: delivery.account, id: target), targetExternalID: target,
      customer: try identifiers(item["to"], delivery), status: status,
      error: reasons.compactMap { item[$0].id }.joined(separator: " ").nonEmpty, details: details.finished)
    return delivery.event(
      delivery.key("receipt", target, word, item["to"].id ?? ""), sentAt: item["time"].time, .change(change))
  }

  /// Short codes and names are nobody's number.
  private static func identifiers(_ address: JSONValue, _ delivery: Delivery) throws(Rejection) -> [StatedIdentifier] {
    guard let number = address.id, number.hasPrefix("+") else { return [] }
    return try delivery.identifiers(.phone, number, delivery.networkAssurance)
  }

  /// Without the layout of the slides.
  private static func media(_ list: JSONValue, limit: Int) -> [Attachment] {
    list.elements.prefix(limit).compactMap { $0.string?.nonEmpty }.filter { !$0.lowercased().hasSuffix(".smil") }.map(attachment)
  }

  private static func attachment(_ url: String) -> Attachment {
    let name = url.lastPart
    let ending = name?.split(separator: ".").last?.lowercased() ?? ""
    return Attachment(kind: kinds[ending] ?? "file", name: name?.nonEmpty, url: url)
  }

  /// Bandwidth states no types.
  private static let kinds = [
    "jpg": "image", "jpeg": "image", "png": "image", "gif": "image", "webp": "image", "heic": "image", "bmp": "image",
    "mp4": "video", "3gp": "video", "mov": "video", "webm": "video", "mp3": "audio", "m4a": "audio", "amr": "audio",
    "wav": "audio", "ogg": "audio", "vcf": "contact",
  ]
}
