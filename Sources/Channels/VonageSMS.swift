import Canonical
import Parsing

/// `vonage.sms`: one webhook of Vonage's SMS API (parameters of a query, a form or JSON) or its Messages API, v0.1 or v1 (JSON).
///
/// Source: `channels.md`, section 4.2. A long text of the SMS API comes in parts, each a message of its own, in any order.
enum VonageSMS {
  static func read(_ body: [UInt8], _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    let root = try parameters(body, delivery)
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in
      // What a new address of a webhook is tried out with.
      guard root.members.contains(where: { _ in true }) else { return .ignored(reason: "verification") }
      let webhook = try Webhook(root, delivery)
      if let status = root["status"].id { return try webhook.receipt(status) }
      return webhook.type == "reaction" ? try webhook.reaction() : try webhook.message()
    }
  }

  /// The parameters as one JSON object, however they came.
  private static func parameters(_ body: [UInt8], _ delivery: Delivery) throws(Rejection) -> JSONValue {
    let first = body.first { !$0.isBlank }
    if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") { return try delivery.nestedParser.document(body) }
    var object = JSONObjectWriter()
    object.members(of: try FormURLEncoded(body, delivery), without: [])
    return try delivery.nestedParser.document(object.finish().utf8)
  }

  /// Callbacks come in any order: the highest rank is the state, and `failed` is final. The same ranks as Twilio's.
  private static let ranks: [String: Int64] = [
    "buffered": 2, "accepted": 3, "submitted": 3, "delivered": 4, "read": 5, "expired": 6, "failed": 6, "rejected": 6,
    "undeliverable": 6,
  ]

  /// Our words for the provider's.
  private static let statuses = [
    "buffered": "sent", "accepted": "sent", "submitted": "sent", "delivered": "delivered", "read": "read", "expired": "failed",
    "failed": "failed", "rejected": "failed", "undeliverable": "failed",
  ]

  /// The key and what signs with it say nothing of the message.
  private static let shown: Set<String> = [
    "messageId", "message_uuid", "message-timestamp", "timestamp", "status", "text", "message", "message_type", "type", "msisdn",
    "from", "to", "profile", "api-key", "api_key", "nonce", "sig", "unknown", "rank", "flags",
  ]

  /// One webhook of any of the three APIs.
  private struct Webhook {
    let root: JSONValue
    let delivery: Delivery
    let id: String
    let isStatus: Bool
    /// The other side's address, and what sort of address it is.
    private let party: String?
    private let ours: String?
    private let channel: String
    /// Where the Messages API keeps what is said.
    private let content: JSONValue
    let type: String

    init(_ root: JSONValue, _ delivery: Delivery) throws(Rejection) {
      (self.root, self.delivery) = (root, delivery)
      guard let id = root["messageId"].id ?? root["message_uuid"].id else { throw Rejection(.malformedPayload, "messageId") }
      self.id = id
      isStatus = root["status"].id != nil
      let (from, to) = (root["from"], root["to"])
      // The SMS API's msisdn is the customer in both directions; a receipt of the other API goes the message's way.
      let customer = isStatus ? to : from
      party = root["msisdn"].id ?? Self.address(customer)
      ours = root["msisdn"].exists ? to.id : Self.address(isStatus ? from : to)
      channel = root["channel"].id ?? customer["type"].id ?? "sms"
      let content = root["message"]["content"].isObject ? root["message"]["content"] : root
      self.content = content
      type = content["message_type"].id ?? content["type"].id ?? ""
    }

    private static func address(_ value: JSONValue) -> String? { value.id ?? value["number"].id ?? value["id"].id }

    private func name(_ id: String) -> ReferenceKey { .message(.sms, account: delivery.account, id: id) }

    /// Text without a zone, in UTC; the other API says so.
    private var time: JSONValue { root["message-timestamp"].exists ? root["message-timestamp"] : root["timestamp"] }

    func message() throws(Rejection) -> NormalisedElement {
      let replyTo = root["context"]["message_uuid"].id
      let media = content[type]
      var attachments: [Attachment] = []
      var text = try content.text("text")
      var isKnown = true
      switch type {
      case "", "text", "unicode", "order": break
      case "image", "audio", "video", "file", "sticker", "vcard", "contact":
        text = text ?? media["caption"].string?.nonEmpty
        let kind = type == "vcard" ? "contact" : type
        attachments = [Attachment(kind: kind, name: media["name"].string?.nonEmpty, url: media["url"].string?.nonEmpty)]
      case "location":
        let place = [media["name"].string?.nonEmpty, media["address"].string?.nonEmpty].compactMap { $0 }
        text = text ?? place.joined(separator: "\n").nonEmpty
        attachments = [Attachment(kind: type, name: place.first)]
      case "button": text = media["text"].string?.nonEmpty ?? text
      case "reply": text = media["title"].string?.nonEmpty ?? text
      default: isKnown = false
      }
      // A button's words are the business's own.
      let isButton = type == "button" || type == "reply"
      let isPart = root["concat"].id == "true" || root["concat"].bool == true
      var details = details()
      details.member("message_type", type.nonEmpty)
      details.member("message", root["message"].isObject ? content.rest(without: ["text", "type"]) : JSONText())
      details.member("unknown", isKnown ? nil : type)
      let number = root["concat-part"].id?.naturalNumber.flatMap { isPart && (1...255).contains($0) ? $0 : nil }
      if let number {
        var pieces = JSONObjectWriter()
        pieces.member(String(number), text ?? "")
        details.member("pieces", pieces.finish())
      }
      var message = Message(
        direction: .inbound, authorKind: .customer, customer: try identifiers(),
        customerName: root["profile"]["name"].string?.trimmed.nonEmpty,
        language: isButton ? nil : text.flatMap(Language.detect), externalID: id, names: [name(id)],
        references: replyTo.map { [name($0)] } ?? [], replyToExternalID: replyTo, text: text, attachments: attachments,
        details: details.finished, flags: time.timeFlags + (isPart ? ["text_part"] : []))
      if let number, let set = root["concat-ref"].id {
        let whole = [party ?? "", ours ?? "", set, root["concat-total"].id ?? ""]
        message.take(part: Part(of: .whole(.sms, account: delivery.account, whole), number: number))
      }
      if channel != "sms", channel != "mms", let party { message.replyAddress = channel + ":" + party }
      return delivery.event(MessageKey(name(id)), sentAt: time.time, .message(message))
    }

    func reaction() throws(Rejection) -> NormalisedElement {
      let target = try root["context"].requiredID("message_uuid", in: "context.")
      let emoji = content["reaction"]["emoji"].string?.nonEmpty
      let isTakenBack = emoji == nil || content["reaction"]["action"].string == "unreact"
      let change = Change(
        kind: "reaction", target: name(target), targetExternalID: target, customer: try identifiers(), authorKind: .customer,
        status: isTakenBack ? "remove" : "add", reaction: emoji)
      return delivery.event(delivery.key("reaction", target, id), sentAt: time.time, .change(change))
    }

    func receipt(_ word: String) throws(Rejection) -> NormalisedElement {
      let status = statuses[word]
      let failure = root["error"]
      // The one API has a code, of which 0 is no error; the other says it in words.
      let code = root["err-code"].id.flatMap { status == "failed" && $0 != "0" ? $0 : nil }
      let place = status == "failed" && code == nil ? ["detail", "reason", "title"].first { failure[$0].id != nil } : nil
      var details = JSONObjectWriter()
      details.member("status", status == word ? nil : word)
      details.member("rank", ranks[word])
      details.members(of: root, without: shown.union(["error"]), or: code == nil ? nil : "err-code")
      details.member("error", failure.isObject ? failure.rest(without: [place ?? ""]) : failure.json)
      let change = Change(
        kind: "receipt", target: name(id), targetExternalID: id, customer: try identifiers(), status: status,
        error: code ?? place.flatMap { failure[$0].id }, details: details.finished)
      return delivery.event(delivery.key("receipt", id, word), sentAt: time.time, .change(change))
    }

    /// What else the webhook says.
    private func details() -> JSONObjectWriter {
      var details = JSONObjectWriter()
      details.member("from", party)
      details.member("to", ours)
      details.members(of: root, without: shown)
      return details
    }

    /// Digits without `+`; short codes and names are nobody's number.
    private func identifiers() throws(Rejection) -> [StatedIdentifier] {
      let scoped = delivery.providerAssurance
      var identifiers = StatedIdentifiers(delivery.limits)
      guard let party else { return [] }
      let digits = party.hasPrefix("+") ? String(party.dropFirst()) : party
      let isNumber =
        (8...15).contains(digits.utf8.count) && digits.utf8.allSatisfy(\.isDigit) && !digits.hasPrefix("0")
      switch channel {
      case "messenger": try identifiers.add(.messenger, scope: ours ?? delivery.account, party, scoped)
      case "whatsapp":
        try identifiers.add(.whatsapp, scope: delivery.account, digits, scoped)
        if isNumber { try identifiers.add(.phone, "+" + digits, scoped) }
      default:
        if isNumber { try identifiers.add(.phone, "+" + digits, delivery.networkAssurance) }
      }
      return identifiers.list
    }
  }
}
