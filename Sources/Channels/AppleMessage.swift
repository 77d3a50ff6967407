import Canonical
import Parsing

/// `apple.message`: what Apple posts for one message to a business: a text, the answer to an interactive message, or the end.
///
/// The account is the business (`destinationId`), which also is the scope of the customer's opaque id. Apple states no time, and
/// says nothing of what we send. Source: `channels.md`, section 15.
enum AppleMessage {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    let headers = delivery.envelope.headers
    var delivery = delivery
    delivery.account = root["destinationId"].id ?? headers["http_destination-id"]?.nonEmpty ?? delivery.account
    elements.add { () throws(Rejection) in
      let type = try root.requiredID("type")
      if type == "typing_start" || type == "typing_end" { return .ignored(reason: "typing") }
      guard let id = root["id"].id ?? headers["http_id"]?.nonEmpty else { throw Rejection(.malformedPayload, "id") }
      switch type {
      case "text", "interactive": return try message(root, type, id, delivery)
      case "close": return try consent(root, id, delivery)
      default:
        return delivery.event(
          delivery.key("unknown", type, id), sentAt: nil, .unknown(Unknown(what: type, details: root.json)))
      }
    }
  }

  private static func message(
    _ root: JSONValue, _ type: String, _ id: String, _ delivery: Delivery
  ) throws(Rejection) -> NormalisedElement {
    let name = ReferenceKey.message(.apple, account: delivery.account, id: id)
    let isInteractive = type == "interactive"
    let words = try root.text("body").flatMap(withoutPlaceholders)
    let text = words ?? (isInteractive ? answer(root) : nil)
    var attachments = root["attachments"].elements.prefix(delivery.limits.attachments + 1).filter(\.isObject).map { item in
      let type = item["mimeType"].string
      return Attachment(
        kind: Attachment.kind(ofType: type), name: item["name"].string, type: type,
        sizeBytes: item["size"].id.flatMap { Int64($0) }, providerID: item["owner"].id, url: item["url"].string?.nonEmpty)
    }
    // An answer that is too long for a webhook has to be fetched.
    let reference = root["interactiveDataRef"]
    if reference.isObject {
      attachments.append(
        Attachment(
          kind: "file", name: reference["title"].string, sizeBytes: reference["size"].id.flatMap { Int64($0) },
          providerID: reference["owner"].id, url: reference["url"].string?.nonEmpty))
    }

    var details = JSONObjectWriter()
    // Without their keys the attachments cannot be read.
    details.members(of: root, without: shown)
    details.member("capability_list", delivery.envelope.headers["http_capability-list"]?.nonEmpty)
    details.member("auto_reply", delivery.envelope.headers["http_auto-reply"]?.nonEmpty)
    if text == nil, attachments.isEmpty, !root["interactiveData"].isObject { details.member("unknown", type) }
    let message = Message(
      direction: .inbound, authorKind: .customer, customer: try identifiers(root, delivery),
      language: root["locale"].string?.languageOfLocale ?? (isInteractive ? nil : text.flatMap(Language.detect)),
      externalID: id, names: [name], text: text, attachments: attachments, details: details.finished)
    return delivery.event(MessageKey(name), sentAt: nil, .message(message))
  }

  /// The customer has deleted the conversation: we may not write any more.
  private static func consent(_ root: JSONValue, _ id: String, _ delivery: Delivery) throws(Rejection) -> NormalisedElement {
    let change = Change(
      kind: "consent", customer: try identifiers(root, delivery), status: "opt_out", details: root.rest(without: shown))
    return delivery.event(delivery.key("consent", id, "opt_out"), sentAt: nil, .change(change))
  }

  /// What was picked, in the words that the business gave it.
  private static func answer(_ root: JSONValue) -> String? {
    let data = root["interactiveData"]["data"]
    let quick = data["quick-reply"]
    if let picked = quick["selectedIdentifier"].id,
      let title = quick["items"].elements.first(where: { $0["identifier"].id == picked })?["title"].string?.nonEmpty
    {
      return title
    }
    let titles = [data["replyMessage"]["title"], data["event"]["title"], root["interactiveDataRef"]["title"]]
    return titles.lazy.compactMap { $0.string?.nonEmpty }.first
  }

  /// U+FFFC stands where an attachment was.
  private static func withoutPlaceholders(_ body: String) -> String? {
    var text = body
    text.unicodeScalars.removeAll { $0 == "\u{FFFC}" }
    return text.trimmed.nonEmpty
  }

  private static func identifiers(_ root: JSONValue, _ delivery: Delivery) throws(Rejection) -> [StatedIdentifier] {
    guard let id = root["sourceId"].id ?? delivery.envelope.headers["http_source-id"]?.nonEmpty else {
      throw Rejection(.malformedPayload, "sourceId")
    }
    return try delivery.identifiers(.apple, scope: delivery.account, id, delivery.providerAssurance)
  }

  /// What has a place of its own.
  private static let shown: Set<String> = [
    "v", "id", "type", "sourceId", "destinationId", "body", "capability_list", "auto_reply", "unknown",
  ]
}
