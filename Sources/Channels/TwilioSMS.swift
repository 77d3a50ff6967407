import Canonical
import Parsing

/// `twilio.sms`: the parameters of one Twilio messaging webhook: a message from a customer, or the status of one of ours.
///
/// Source: `channels.md`, section 4.1. Twilio states no time. An opt-out or opt-in that Twilio answered by itself is no message.
enum TwilioSMS {
  static func read(_ body: [UInt8], _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    let form = try FormURLEncoded(body, delivery)
    elements.add { () throws(Rejection) in
      guard let id = form["MessageSid"] ?? form["SmsSid"] ?? form["SmsMessageSid"] else {
        throw Rejection(.malformedPayload, "MessageSid")
      }
      // Callbacks have SmsStatus too, old ones nothing else.
      switch form["MessageStatus"] ?? form["SmsStatus"] {
      case "received", "receiving":
        if let action = consents[form["OptOutType"]?.uppercased() ?? ""] { return try consent(action, form, delivery, id) }
        return try message(form, delivery, id)
      case let status?: return try receipt(status, form, delivery, id)
      case nil: throw Rejection(.malformedPayload, "SmsStatus")
      }
    }
  }

  private static let consents = ["STOP": "opt_out", "START": "opt_in"]

  /// Callbacks come in any order: the highest rank is the state, and `failed` is final.
  private static let ranks: [String: Int64] = [
    "accepted": 0, "scheduled": 0, "queued": 1, "sending": 2, "sent": 3, "delivered": 4, "read": 5, "undelivered": 6, "failed": 6,
    "canceled": 6,
  ]

  /// Our words for Twilio's; what is not on its way yet has none.
  private static let statuses = [
    "sent": "sent", "delivered": "delivered", "read": "read", "undelivered": "failed", "failed": "failed", "canceled": "failed",
  ]

  private static func message(
    _ form: FormURLEncoded, _ delivery: Delivery, _ id: String
  ) throws(Rejection) -> NormalisedElement {
    let name = ReferenceKey.message(.sms, account: delivery.account, id: id)
    let replyTo = form["OriginalRepliedMessageSid"]
    let customer = try identifiers(of: "From", form, delivery)
    var attachments = media(form, limit: delivery.limits.attachments + 1)
    let text: String?
    if form["Latitude"] != nil, form["Longitude"] != nil {
      attachments.append(Attachment(kind: "location", name: form["Label"]))
      let place = [form["Label"], form["Address"]].compactMap { $0 }
      text = form["Body"] ?? place.joined(separator: "\n").nonEmpty
    } else {
      text = form["Body"] ?? form["ButtonText"] ?? form["ListTitle"]
    }
    var details = JSONObjectWriter()
    details.members(of: form, without: shown(form, customer.isEmpty ? nil : "From"))
    var message = Message(
      direction: .inbound, authorKind: .customer, customer: customer, customerName: form["ProfileName"]?.trimmed.nonEmpty,
      // A button's words are the business's own.
      language: form["ButtonText"] ?? form["ListTitle"] == nil ? text.flatMap(Language.detect) : nil, externalID: id,
      names: [name],
      references: replyTo.map { [.message(.sms, account: delivery.account, id: $0)] } ?? [], replyToExternalID: replyTo,
      text: text, attachments: attachments, details: details.finished)
    // Of whom WhatsApp and the others are behind the account, the prefix says so: to the number alone a text would go.
    message.replyAddress = form["From"].flatMap { $0.utf8.contains(UInt8(ascii: ":")) ? $0 : nil }
    return delivery.event(MessageKey(name), sentAt: nil, .message(message))
  }

  private static func receipt(
    _ word: String, _ form: FormURLEncoded, _ delivery: Delivery, _ id: String
  ) throws(Rejection) -> NormalisedElement {
    let customer = try identifiers(of: "To", form, delivery)
    let status = statuses[word]
    let error = status == "failed" ? form["ErrorCode"] : nil
    var details = JSONObjectWriter()
    details.member("status", status == word ? nil : word)
    details.member("rank", ranks[word])
    let shown = shown(form, customer.isEmpty ? nil : "To")
    details.members(of: form, without: error == nil ? shown : shown.union(["ErrorCode"]))
    let change = Change(
      kind: "receipt", target: .message(.sms, account: delivery.account, id: id), targetExternalID: id, customer: customer,
      status: status, error: error, details: details.finished)
    return delivery.event(delivery.key("receipt", id, word), sentAt: nil, .change(change))
  }

  private static func consent(
    _ action: String, _ form: FormURLEncoded, _ delivery: Delivery, _ id: String
  ) throws(Rejection) -> NormalisedElement {
    let customer = try identifiers(of: "From", form, delivery)
    var details = JSONObjectWriter()
    details.member("text", form["Body"])
    details.members(of: form, without: shown(form, customer.isEmpty ? nil : "From"))
    let change = Change(
      kind: "consent", targetExternalID: id, customer: customer, status: action, details: details.finished)
    return delivery.event(delivery.key("consent", id, action), sentAt: nil, .change(change))
  }

  /// Who an address is. Short codes and names are nobody's number: such a sender has no identifier, `details` keeps the address.
  private static func identifiers(
    of parameter: String, _ form: FormURLEncoded, _ delivery: Delivery
  ) throws(Rejection) -> [StatedIdentifier] {
    let (assurance, scoped) = (delivery.networkAssurance, delivery.providerAssurance)
    var identifiers = StatedIdentifiers(delivery.limits)
    guard let address = form[parameter] else { return [] }
    let parts = address.split(separator: ":", maxSplits: 1).map(String.init)
    let value = parts.last ?? ""
    switch parts.count == 2 ? parts[0] : "" {
    case "":
      if address.hasPrefix("+") { try identifiers.add(.phone, address, assurance) }
    case "rcs":
      if value.hasPrefix("+") { try identifiers.add(.phone, value, assurance) }
    case "whatsapp":
      let scope = form["AccountSid"] ?? delivery.account
      let userID = parameter == "From" ? form["ExternalUserId"]?.split(separator: ":", maxSplits: 1).last.map(String.init) : nil
      try identifiers.add(.whatsapp, scope: scope, userID, scoped)
      // As the wa_id: digits alone.
      try identifiers.add(.whatsapp, scope: scope, value.hasPrefix("+") ? String(value.dropFirst()) : value, scoped)
      if value.hasPrefix("+") { try identifiers.add(.phone, value, scoped) }
    case "messenger":
      let page = form[parameter == "From" ? "To" : "From"]?.split(separator: ":", maxSplits: 1).last.map(String.init)
      try identifiers.add(.messenger, scope: page ?? delivery.account, value, scoped)
    default: break
    }
    return identifiers.list
  }

  /// `MediaUrl0`, `MediaUrl1` …; a gap among the announced ones costs none of the others.
  private static func media(_ form: FormURLEncoded, limit: Int) -> [Attachment] {
    let announced = form["NumMedia"].flatMap { Int($0) } ?? 0
    var list: [Attachment] = []
    for index in 0..<limit {
      guard let url = form["MediaUrl\(index)"] else {
        if index < announced { continue } else { break }
      }
      let type = form["MediaContentType\(index)"]
      let id = url.lastPart.flatMap { $0.hasPrefix("ME") ? $0 : nil }
      list.append(Attachment(kind: Attachment.kind(ofType: type), type: type, providerID: id, url: url))
    }
    return list
  }

  /// What has a place of its own.
  private static let shown: Set<String> = [
    "MessageSid", "SmsSid", "SmsMessageSid", "MessageStatus", "SmsStatus", "Body", "NumMedia", "ProfileName", "ApiVersion",
    "OriginalRepliedMessageSid",
  ]

  /// The same of this message, with the parameter of the other party's address where that became an identifier.
  private static func shown(_ form: FormURLEncoded, _ address: String?) -> Set<String> {
    var names = shown
    if let address { names.insert(address) }
    for (name, _) in form.members where name.hasPrefix("MediaUrl") || name.hasPrefix("MediaContentType") { names.insert(name) }
    return names
  }
}
