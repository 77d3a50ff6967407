import Canonical
import Parsing

/// `form.submission`: what a web form sends (`schemas/payloads/form.submission.json`), one submission a record.
///
/// `customer` is A3 when the adapter attests `token`: it then fills it from the token. What is typed into `fields` stays a claim.
enum FormSubmission {
  static func read(_ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard payload.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in
      let id = try payload.requiredID("submission_id")
      let event = payload["event"].exists ? try payload.requiredID("event") : "form.submitted"
      let sentAt = payload["submitted_at"]
      guard event == "form.submitted" else {
        return delivery.event(
          delivery.key("unknown", event, id), sentAt: sentAt.time,
          .unknown(Unknown(what: event, details: payload.rest(without: ["identity_token"]))))
      }
      let name = ReferenceKey.message(.form, account: delivery.account, id: id)
      let fields = try Fields(payload["fields"])
      let text = fields.text
      var message = Message(
        direction: .inbound, authorKind: .customer, customer: try identifiers(payload, fields, delivery),
        customerName: payload["customer"]["name"].string?.singleLine ?? fields.name,
        language: payload["locale"].string?.languageOfLocale ?? text.flatMap(Language.detect), externalID: id, names: [name],
        subject: fields["subject"], text: text, attachments: files(payload["files"], limit: delivery.limits.attachments + 1),
        details: payload.rest(without: ["event", "submission_id", "submitted_at", "identity_token"]),
        flags: sentAt.timeFlags + (isSpam(payload) ? ["spam"] : []))
      // Who is signed in is known by their number first.
      message.replyAddress = message.customer.first { $0.identifier.kind == .email }?.identifier.value
      return delivery.event(MessageKey(name), sentAt: sentAt.time, .message(message))
    }
  }

  private static func identifiers(
    _ payload: JSONValue, _ fields: Fields, _ delivery: Delivery
  ) throws(Rejection) -> [StatedIdentifier] {
    let customer = payload["customer"]
    let isSignedIn = delivery.envelope.attested.contains(.token)
    let stated: Assurance = isSignedIn ? .a3 : .a0
    var identifiers = StatedIdentifiers(delivery.limits)
    if isSignedIn { try identifiers.add(.externalID, customer["external_id"].id, .a3) }
    try identifiers.add(.email, customer["email"].string?.singleLine, stated)
    if isSignedIn { try identifiers.add(.phone, customer["phone"].id?.singleLine, .a3) }
    // Somebody who is signed in may still type another's address.
    try identifiers.add(.email, fields["email", "e_mail", "mail", "email_address"]?.ofIdentifier, .a0)
    if !isSignedIn { try identifiers.add(.phone, customer["phone"].id?.singleLine, .a0) }
    try identifiers.add(.phone, fields["phone", "phone_number", "telephone", "tel", "mobile"]?.ofIdentifier, .a0)
    if !isSignedIn { try identifiers.add(.externalID, customer["external_id"].id, .a0) }
    return identifiers.list
  }

  /// Somebody filled in what no human sees, or whoever took the form says so, or thinks of it as a program's.
  private static func isSpam(_ payload: JSONValue) -> Bool {
    payload["spam"].bool == true || payload["captcha_score"].double.map { $0 < 0.3 } ?? false || payload["honeypot"].bool == true
      || payload["honeypot"].string?.trimmed.isEmpty == false
  }

  private static func files(_ list: JSONValue, limit: Int) -> [Attachment] {
    list.elements.prefix(limit).filter(\.isObject).map { item in
      let type = item["mime"].string
      return Attachment(
        kind: Attachment.kind(ofType: type), name: item["name"].string?.singleLine, type: type,
        sizeBytes: item["size"].int64, providerID: item["id"].id, url: item["url"].string)
    }
  }

  /// `fields[]` by name: letter case, `-` for `_` and a leading `your_` aside; the first that says something counts.
  private struct Fields {
    private var byName: [String: String] = [:]
    private static let maximum = 1_000

    init(_ list: JSONValue) throws(Rejection) {
      guard list.isArray else { throw Rejection(.malformedPayload, "fields") }
      for field in list.elements.prefix(Self.maximum) {
        guard let name = field["name"].string, name.utf8.count <= 64, let value = field["value"].idString?.trimmed.nonEmpty else {
          continue
        }
        var key = name.trimmed.lowercased().replacing("-", with: "_")
        if key.hasPrefix("your_") { key.removeFirst("your_".count) }
        if byName[key] == nil { byName[key] = value }
      }
    }

    /// The value of the first of these fields, on one line.
    subscript(_ names: String...) -> String? { value(of: names)?.singleLine }

    /// The field with the customer's own words: `message`, `comment`, `comments`, `question`, `inquiry`, `enquiry`, `description`
    /// or `text`, the first of these in this order.
    var text: String? {
      value(of: ["message", "comment", "comments", "question", "inquiry", "enquiry", "description", "text"])
    }

    var name: String? {
      let parts = [self["first_name", "firstname"], self["last_name", "lastname"]].compactMap { $0 }
      return self["name", "full_name", "fullname"] ?? parts.joined(separator: " ").nonEmpty
    }

    private func value(of names: [String]) -> String? { names.lazy.compactMap { byName[$0] }.first }
  }
}

extension String {
  /// Without line breaks, which could begin a header of their own wherever the value goes; nil where nothing is left.
  /// What is longer than any line is cut anyway.
  fileprivate var singleLine: String? {
    prefix(utf8Bytes: 2 * JSONValue.longestID).split(whereSeparator: \.isNewline).joined(separator: " ").trimmed.nonEmpty
  }

  /// What is too long for any identifier is none.
  fileprivate var ofIdentifier: String? { utf8.count <= Identifier.maximumBytes ? self : nil }
}
