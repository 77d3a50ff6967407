import Canonical
import Parsing

/// `rcs.event`: a user's message, a user's event or a server's event of Google's RCS for Business.
///
/// The account is the agent (`agentId`), the customer is known by their number. Source: `channels.md`, section 14.
enum RCSEvent {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    let event = try PubSub.unwrapped(root, delivery).document
    var delivery = delivery
    delivery.account = event["agentId"].id ?? delivery.account
    elements.add { () throws(Rejection) in
      // What a new webhook has to answer.
      if event["clientToken"].exists, event["secret"].exists { return .ignored(reason: "verification") }
      guard let type = event["eventType"].string?.nonEmpty else {
        // About ourselves.
        let name = "agentLaunchEvent"
        return try event[name].exists ? unknown(name, event, delivery) : message(event, delivery)
      }
      if type == "IS_TYPING" { return .ignored(reason: "typing") }
      if let word = words[type] { return try receipt(word, event, delivery) }
      if let action = consents[type] { return try consent(action, event, delivery) }
      return unknown(type, event, delivery)
    }
  }

  private static let words = [
    "DELIVERED": "delivered", "READ": "read", "TTL_EXPIRATION_REVOKED": "expired",
    "TTL_EXPIRATION_REVOKE_FAILED": "expiry_failed",
  ]
  /// What could not be taken back in time may still be delivered.
  private static let statuses = ["delivered": "delivered", "read": "read", "expired": "failed"]
  private static let consents = ["SUBSCRIBE": "opt_in", "UNSUBSCRIBE": "opt_out"]

  private static func message(_ event: JSONValue, _ delivery: Delivery) throws(Rejection) -> NormalisedElement {
    // Newer bodies have the one, older ones the other.
    guard let id = event["messageId"].id ?? event["eventId"].id else { throw Rejection(.malformedPayload, "messageId") }
    let name = ReferenceKey.message(.rcs, account: delivery.account, id: id)
    let response = event["suggestionResponse"]
    let file = event["userFile"]["payload"]
    let location = event["location"]
    let (typed, picked) = (try event.text("text"), try response.text("text"))
    let text = typed ?? picked
    var attachments: [Attachment] = []
    if file.isObject {
      let type = file["mimeType"].string
      attachments.append(
        Attachment(
          kind: Attachment.kind(ofType: type), name: file["fileName"].string, type: type,
          sizeBytes: file["fileSizeBytes"].id.flatMap { Int64($0) }, url: file["fileUri"].string?.nonEmpty))
    }
    if location.isObject { attachments.append(Attachment(kind: "location")) }

    var details = JSONObjectWriter()
    details.members(of: event, without: shown)
    details.member("suggestionResponse", response.rest(without: ["text"]))
    details.member("userFile", event["userFile"].rest(without: ["payload"]))
    if text == nil, attachments.isEmpty, !response.isObject { details.member("unknown", "message") }
    let message = Message(
      direction: .inbound, authorKind: .customer, customer: try identifiers(event, delivery),
      // A button's words are the business's own.
      language: response.isObject ? nil : text.flatMap(Language.detect), externalID: id, names: [name], text: text,
      attachments: attachments, details: details.finished, flags: event["sendTime"].timeFlags)
    return delivery.event(MessageKey(name), sentAt: event["sendTime"].time, .message(message))
  }

  /// `messageId` is ours.
  private static func receipt(
    _ word: String, _ event: JSONValue, _ delivery: Delivery
  ) throws(Rejection) -> NormalisedElement {
    let target = try event.requiredID("messageId")
    let customer = try identifiers(event, delivery)
    let status = statuses[word]
    var details = JSONObjectWriter()
    details.member("status", status == word ? nil : word)
    let change = Change(
      kind: "receipt", target: .message(.rcs, account: delivery.account, id: target), targetExternalID: target,
      customer: customer, status: status, details: details.finished)
    return delivery.event(
      delivery.key("receipt", target, word, number(of: event) ?? ""), sentAt: event["sendTime"].time, .change(change))
  }

  private static func consent(
    _ action: String, _ event: JSONValue, _ delivery: Delivery
  ) throws(Rejection) -> NormalisedElement {
    let customer = try identifiers(event, delivery)
    guard let id = event["eventId"].id ?? event["sendTime"].id else { throw Rejection(.malformedPayload, "eventId") }
    let change = Change(kind: "consent", customer: customer, status: action, details: event.rest(without: shown))
    return delivery.event(
      delivery.key("consent", id, action, number(of: event) ?? ""), sentAt: event["sendTime"].time, .change(change))
  }

  private static func unknown(_ what: String, _ event: JSONValue, _ delivery: Delivery) -> NormalisedElement {
    let json = event.json
    return delivery.event(
      delivery.key("unknown", what, event["eventId"].id ?? json.string), sentAt: event["sendTime"].time,
      .unknown(Unknown(what: what, details: json)))
  }

  /// Events of the server name it otherwise.
  private static func number(of event: JSONValue) -> String? { event["senderPhoneNumber"].id ?? event["phoneNumber"].id }

  private static func identifiers(_ event: JSONValue, _ delivery: Delivery) throws(Rejection) -> [StatedIdentifier] {
    guard let number = number(of: event) else { throw Rejection(.malformedPayload, "senderPhoneNumber") }
    return try delivery.identifiers(.phone, number, delivery.providerAssurance)
  }

  /// What has a place of its own.
  private static let shown: Set<String> = [
    "messageId", "eventId", "eventType", "senderPhoneNumber", "agentId", "sendTime", "text", "suggestionResponse", "userFile",
    "unknown",
  ]
}
