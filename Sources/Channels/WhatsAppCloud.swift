import Canonical
import Parsing

/// `whatsapp.cloud`: the body of a WhatsApp Cloud API webhook: many messages, echoes and receipts of many changes.
///
/// Source: `channels.md`, section 5. A sender is known by the business-scoped user id (BSUID), the number is an alias.
enum WhatsAppCloud {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    // What the button "Test" of Meta's dashboard sends: a change without its envelope, or an entry "0".
    if !root["object"].exists, root["field"].isString, root["value"].exists {
      return elements.add { .ignored(reason: "verification") }
    }
    guard root["object"].string == "whatsapp_business_account" else { throw Rejection(.malformedPayload, "object") }
    guard root["entry"].isArray else { throw Rejection(.malformedPayload, "entry") }
    for entry in root["entry"].elements {
      guard let business = entry["id"].id, entry["changes"].isArray else {
        elements.add { () throws(Rejection) in throw Rejection(.malformedPayload, "entry[]") }
        continue
      }
      if business == "0" {
        elements.add { .ignored(reason: "verification") }
        continue
      }
      for change in entry["changes"].elements { read(change, of: business, delivery, &elements) }
    }
  }

  private static func read(_ change: JSONValue, of business: String, _ delivery: Delivery, _ elements: inout Elements) {
    let value = change["value"]
    let field = change["field"].string ?? ""
    guard value.isObject, !field.isEmpty else {
      return elements.add { () throws(Rejection) in throw Rejection(.malformedPayload, "changes[]") }
    }
    var delivery = delivery
    delivery.account = value["metadata"]["phone_number_id"].id ?? delivery.account
    let lists = (Self.lists[field] ?? []).filter { value[$0].exists && !value[$0].isNull }
    let isOfMessages = field == "messages" || field == "smb_message_echoes"
    guard !lists.isEmpty || isOfMessages && !value["errors"].exists else {
      return elements.add {
        let raw = value.json
        return delivery.event(
          delivery.key("unknown", field, raw.string), sentAt: nil, .unknown(Unknown(what: field, details: raw)))
      }
    }
    let reader = ValueReader(delivery: delivery, business: business, value: value)
    for list in lists {
      guard value[list].isArray else {
        elements.add { () throws(Rejection) in throw Rejection(.malformedPayload, list) }
        continue
      }
      for item in value[list].elements {
        elements.add { () throws(Rejection) in
          guard item.isObject else { throw Rejection(.malformedPayload, list + "[]") }
          switch list {
          case "statuses": return try reader.receipt(item)
          case "calls": return try reader.call(item)
          case "user_preferences": return try reader.preference(item)
          case "user_id_update": return try reader.newID(item)
          default: return try reader.message(item, isEcho: list == "message_echoes")
          }
        }
      }
    }
  }

  /// Where the elements of each field are.
  private static let lists = [
    "messages": ["messages", "message_echoes", "statuses"], "smb_message_echoes": ["messages", "message_echoes", "statuses"],
    "calls": ["calls"], "user_preferences": ["user_preferences"], "user_id_update": ["user_id_update"],
  ]

  /// A BSUID begins with a country: `ES.1349…`.
  private static func isBusinessScoped(_ id: String) -> Bool {
    let bytes = id.utf8.prefix(3)
    return bytes.count == 3 && bytes.last == UInt8(ascii: ".")
      && bytes.prefix(2).allSatisfy { ($0 | 0x20).isLowerOrDigit && !$0.isDigit }
  }

  /// One `changes[].value`.
  private struct ValueReader {
    let delivery: Delivery
    /// The WhatsApp Business Account: the scope of its users' ids.
    let business: String
    let contacts: Contacts
    let errors: JSONText
    private let senderAssurance: Assurance

    init(delivery: Delivery, business: String, value: JSONValue) {
      self.delivery = delivery
      self.business = business
      contacts = Contacts(value["contacts"])
      errors = value["errors"].isArray ? value["errors"].json : JSONText()
      senderAssurance = delivery.providerAssurance
    }

    private var account: String { delivery.account }

    /// A message, or what only looks like one: reaction, edit, revocation, identity change.
    func message(_ item: JSONValue, isEcho: Bool) throws(Rejection) -> NormalisedElement {
      let id = try item.requiredID("id", in: "messages[].")
      let type = item["type"].string ?? ""
      let person = Person(
        userID: item[isEcho ? "to_user_id" : "from_user_id"].id, number: item[isEcho ? "to" : "from"].id, contacts: contacts)
      guard person.userID != nil || person.number != nil else {
        throw Rejection(.malformedPayload, isEcho ? "message_echoes[].to" : "messages[].from")
      }
      var details = JSONObjectWriter()
      switch type {
      case "reaction":
        let target = try item["reaction"].requiredID("message_id", in: "reaction.")
        // The emoji is empty or absent when the reaction is taken back.
        let emoji = item["reaction"]["emoji"].string?.nonEmpty
        let reaction = Change(kind: "reaction", status: emoji == nil ? "remove" : "add", reaction: emoji)
        return try change(reaction, to: target, by: item, id, person, isEcho: isEcho)
      case "edit":
        let target = try item["edit"].requiredID("original_message_id", in: "edit.")
        let edited = item["edit"]["message"]
        guard edited.isObject else { throw Rejection(.malformedPayload, "edit.message") }
        let kind = edited["type"].string ?? ""
        let content = try Content(edited, type: kind, delivery.nestedParser)
        var message = JSONObjectWriter()
        message.members(of: edited, without: [], or: kind)
        message.member(kind, content.kept)
        details.member("message", message.finished)
        // A caption may come without its file.
        let isWhole = content.isKnown && content.attachments.allSatisfy { $0.providerID != nil || $0.url != nil }
        let edit = Change(
          kind: "edit", text: content.isKnown ? content.text ?? "" : nil, attachments: isWhole ? content.attachments : nil,
          details: details.finished)
        return try change(edit, to: target, by: item, id, person, isEcho: isEcho)
      case "revoke":
        let target = try item["revoke"].requiredID("original_message_id", in: "revoke.")
        return try change(Change(kind: "delete"), to: target, by: item, id, person, isEcho: isEcho)
      case "system" where Self.identityChanges.contains(item["system"]["type"].string ?? ""):
        return try identityChange(item, id, person)
      default: break
      }

      let content = try Content(item, type: type, delivery.nestedParser)
      let name = ReferenceKey.message(.whatsapp, account: account, id: id)
      let replyTo = item["context"]["id"].id
      details.members(of: item, without: Self.consumed, or: type)
      details.member("username", person.username?.prefix(utf8Bytes: delivery.limits.lineBytes))
      details.member(type, content.kept)
      details.member("form", content.form)
      details.member("unknown", content.isKnown ? nil : type.nonEmpty ?? "message")
      // Of the whole body, and kept with each of its messages.
      if !item["errors"].exists, errors.utf8.count <= delivery.limits.lineBytes { details.member("errors", errors) }
      var message = Message(
        direction: isEcho ? .outbound : .inbound, authorKind: type == "system" ? .system : isEcho ? .agent : .customer,
        customer: try identifiers(person), customerName: person.name,
        // A button's words are the business's own.
        language: isEcho || ["system", "button", "interactive"].contains(type) ? nil : content.text.flatMap(Language.detect),
        externalID: id,
        names: [name], references: replyTo.map { [.message(.whatsapp, account: account, id: $0)] } ?? [],
        replyToExternalID: replyTo, text: content.text, attachments: content.attachments, details: details.finished,
        flags: item["timestamp"].timeFlags)
      message.stand(in: item["group_id"].id)
      return delivery.event(MessageKey(name), sentAt: item["timestamp"].time, .message(message))
    }

    /// One id gets several receipts, in any order.
    func receipt(_ item: JSONValue) throws(Rejection) -> NormalisedElement {
      let target = try item.requiredID("id", in: "statuses[].")
      let word = try item.requiredID("status", in: "statuses[].")
      let status = Self.statuses[word]
      let isGroup = item["recipient_type"].string == "group"
      let person = Person(
        userID: item["recipient_user_id"].id, number: item[isGroup ? "recipient_participant_id" : "recipient_id"].id,
        contacts: contacts)
      let (error, errors) = Self.error(item["errors"], isFailure: status == "failed")
      var details = JSONObjectWriter()
      details.member("status", status == word ? nil : word)
      details.members(of: item, without: ["id", "timestamp", "status", "errors"])
      details.member("errors", errors)
      let change = Change(
        kind: "receipt", target: .message(.whatsapp, account: account, id: target), targetExternalID: target,
        customer: try identifiers(person), status: status, error: error, details: details.finished)
      // Not the contact's other id, which a repeated webhook may leave out.
      let recipient = item["recipient_participant_id"].id ?? item["recipient_user_id"].id ?? item["recipient_id"].id ?? ""
      return delivery.event(
        delivery.key("receipt", target, word, recipient), sentAt: item["timestamp"].time, .change(change))
    }

    private static let statuses = [
      "sent": "sent", "delivered": "delivered", "read": "read", "played": "read", "failed": "failed",
    ]

    /// Code and title of the first, and the whole list where it says more.
    private static func error(_ errors: JSONValue, isFailure: Bool) -> (String?, JSONText) {
      guard isFailure, let first = errors.elements.first(where: { _ in true }) else { return (nil, errors.json) }
      let text = [first["code"].id, first["title"].id].compactMap { $0 }.joined(separator: " ").nonEmpty
      let isAll = first.rest(without: ["code", "title"]).isEmpty && !errors.elements.dropFirst().contains { _ in true }
      return (text, text != nil && isAll ? JSONText() : errors.json)
    }

    /// The id of an edit or a revocation may be its target's, so the key is of the whole act.
    private func change(
      _ said: Change, to target: String, by item: JSONValue, _ id: String, _ person: Person, isEcho: Bool
    ) throws(Rejection) -> NormalisedElement {
      var change = said
      change.target = .message(.whatsapp, account: account, id: target)
      change.targetExternalID = target
      change.customer = try identifiers(person)
      change.authorKind = isEcho ? .agent : .customer
      let actor = item["from_user_id"].id ?? item["from"].id ?? ""
      return delivery.event(
        delivery.key(change.kind, target, actor, item["timestamp"].id ?? "", id), sentAt: item["timestamp"].time,
        .change(change))
    }

    private static let identityChanges: Set<String> = [
      "user_changed_number", "customer_changed_number", "customer_identity_changed", "user_changed_user_id",
    ]

    /// The sender's old ids find the customer, the new ones are added; the old number is not theirs any more.
    private func identityChange(_ item: JSONValue, _ id: String, _ person: Person) throws(Rejection) -> NormalisedElement {
      let system = item["system"]
      let isNewNumber = system["wa_id"].id != nil && system["wa_id"].id != person.number
      var list = try identifiers(person, withPhone: !isNewNumber)
      let new = Person(userID: system["user_id"].id, number: system["wa_id"].id, contacts: nil)
      for stated in try identifiers(new) where !list.contains(stated) { list.append(stated) }
      var change = Change(kind: Change.identityChange, customer: list, details: item.rest(without: Self.consumed))
      if isNewNumber {
        change.former = try identifiers(Person(userID: nil, number: person.number, contacts: nil)).map(\.identifier)
      }
      if let old = person.userID, let new = new.userID, old != new { change.former.append(scoped(old)) }
      return delivery.event(
        delivery.key("identity_change", id, item["timestamp"].id ?? ""), sentAt: item["timestamp"].time, .change(change))
    }

    private func scoped(_ userID: String) -> Identifier { Identifier(.whatsapp, scope: business, userID) }

    /// Another business-scoped id, as a field of its own.
    func newID(_ item: JSONValue) throws(Rejection) -> NormalisedElement {
      let old = try item["user_id"].requiredID("previous", in: "user_id_update[].user_id.")
      let new = try item["user_id"].requiredID("current", in: "user_id_update[].user_id.")
      guard max(old.utf8.count, new.utf8.count) <= Identifier.maximumBytes else {
        throw Rejection(.tooLarge, "user_id_update[].user_id")
      }
      let ids = [Identifier(.whatsapp, scope: business, new), scoped(old)]
      var change = Change(
        kind: Change.identityChange, customer: ids.map { StatedIdentifier($0, senderAssurance) }, details: item.json)
      change.former = [scoped(old)]
      return delivery.event(delivery.key("identity_change", old, new), sentAt: item["timestamp"].time, .change(change))
    }

    /// Whether they want advertising: what an agent answers is none.
    func preference(_ item: JSONValue) throws(Rejection) -> NormalisedElement {
      let person = Person(userID: item["user_id"].id, number: item["wa_id"].id, contacts: contacts)
      let value = try item.requiredID("value", in: "user_preferences[].")
      guard person.userID ?? person.number != nil else { throw Rejection(.malformedPayload, "user_preferences[].wa_id") }
      let change = Change(
        kind: "consent", customer: try identifiers(person), authorKind: .customer,
        status: value == "stop" ? "marketing_opt_out" : "marketing_opt_in", details: item.rest(without: ["timestamp"]))
      return delivery.event(
        delivery.key("consent", person.userID ?? person.number ?? "", value, item["timestamp"].id ?? ""),
        sentAt: item["timestamp"].time, .change(change))
    }

    /// A call is a message when it ends; what comes before belongs to it. What the telephones agree on is of no use to anybody.
    func call(_ item: JSONValue) throws(Rejection) -> NormalisedElement {
      let id = try item.requiredID("id", in: "calls[].")
      let event = try item.requiredID("event", in: "calls[].")
      let isOutbound = item["direction"].string == "BUSINESS_INITIATED"
      let person = Person(
        userID: item[isOutbound ? "to_user_id" : "from_user_id"].id, number: item[isOutbound ? "to" : "from"].id,
        contacts: contacts)
      guard person.userID ?? person.number != nil else { throw Rejection(.malformedPayload, "calls[].from") }
      let name = ReferenceKey.message(.whatsapp, account: account, id: id)
      var call = JSONObjectWriter()
      call.member("status", item["status"].string?.lowercased() ?? event)
      call.member("duration_seconds", item["duration"].int64)
      var details = JSONObjectWriter()
      details.member("call", call.finish())
      details.member("element", item.rest(without: Self.consumed.union(["session", "status", "duration"])))
      guard event == "terminate" else {
        let change = Change(
          kind: "call", target: name, targetExternalID: id, customer: try identifiers(person), details: details.finished)
        return delivery.event(
          delivery.key("call", id, event, item["timestamp"].id ?? ""), sentAt: item["timestamp"].time, .change(change))
      }
      let start = item["start_time"].time ?? item["timestamp"].time
      let message = Message(
        direction: isOutbound ? .outbound : .inbound, authorKind: isOutbound ? .agent : .customer,
        customer: try identifiers(person), customerName: isOutbound ? nil : person.name, externalID: id, names: [name],
        details: details.finished, flags: item["timestamp"].timeFlags)
      return delivery.event(MessageKey(name), sentAt: start, .message(message))
    }

    private func identifiers(_ person: Person, withPhone: Bool = true) throws(Rejection) -> [StatedIdentifier] {
      var identifiers = StatedIdentifiers(delivery.limits)
      try identifiers.add(.whatsapp, scope: business, person.userID, senderAssurance)
      try identifiers.add(.whatsapp, scope: business, person.number, senderAssurance)
      if withPhone, let number = person.number, (8...15).contains(number.utf8.count), number.utf8.allSatisfy(\.isDigit) {
        try identifiers.add(.phone, "+" + number, senderAssurance)
      }
      return identifiers.list
    }

    private static let consumed: Set<String> = ["id", "from", "from_user_id", "to", "to_user_id", "timestamp", "type"]
  }

  /// The customer's side of an element, completed from `value.contacts`.
  private struct Person {
    var userID: String?
    /// The wa_id: digits without `+`.
    var number: String?
    var name: String?
    var username: String?

    init(userID: String?, number: String?, contacts: Contacts?) {
      (self.userID, self.number) = (userID, number)
      if let id = number, isBusinessScoped(id) { (self.userID, self.number) = (userID ?? id, nil) }
      guard let contact = self.userID.flatMap({ contacts?[$0] }) ?? self.number.flatMap({ contacts?[$0] }) else { return }
      if self.userID == nil { self.userID = contact["user_id"].id }
      if self.number == nil { self.number = contact["wa_id"].id.flatMap { isBusinessScoped($0) ? nil : $0 } }
      name = contact["profile"]["name"].personName
      username = contact["profile"]["username"].string(prefix: 2 * JSONValue.longestID)?.nonEmpty
    }
  }

  /// `value.contacts` by both ids: their order says nothing about the messages.
  private struct Contacts {
    private var byID: [String: JSONValue] = [:]

    init(_ list: JSONValue) {
      for contact in list.elements {
        for id in [contact["user_id"].id, contact["wa_id"].id].compactMap({ $0 }) where byID[id] == nil { byID[id] = contact }
      }
    }

    subscript(id: String) -> JSONValue? { byID[id] }
  }

  /// What a message of one type says.
  private struct Content {
    var text: String?
    var attachments: [Attachment] = []
    /// What of the body under the type's name is worth keeping beside `text` and `attachments`.
    var kept = JSONText()
    /// The answers of a flow, which come as JSON inside a string.
    var form = JSONText()
    var isKnown = true

    init(_ item: JSONValue, type: String, _ nestedParser: JSONParser) throws(Rejection) {
      let body = item[type]
      switch type {
      case "text":
        text = try object(body, type)["body"].string?.nonEmpty
        guard body["body"].isString else { throw Rejection(.malformedPayload, "text.body") }
      case "image", "video", "audio", "document", "sticker":
        text = try object(body, type).text("caption")
        attachments = [
          Attachment(
            kind: type, name: body["filename"].string, type: body["mime_type"].string, providerID: body["id"].id,
            url: body["url"].string)
        ]
        kept = body.rest(without: ["id", "mime_type", "filename", "caption", "url"])
      case "location":
        let name = try object(body, type)["name"].string?.nonEmpty
        let lines = [name, body["address"].string?.nonEmpty].compactMap { $0 }
        text = lines.isEmpty ? nil : lines.joined(separator: "\n")
        attachments = [Attachment(kind: type, name: name, url: body["url"].string)]
        kept = body.json
      case "contacts":
        guard body.isArray else { throw Rejection(.malformedPayload, type) }
        attachments = body.elements.prefix(1_000).map { Attachment(kind: "contact", name: $0["name"]["formatted_name"].string) }
        kept = body.json
      case "button":
        text = try object(body, type).text("text")
        kept = body.rest(without: ["text"])
      case "interactive":
        // Some come without their body, and with errors instead.
        isKnown = body.isObject
        text = body["button_reply"]["title"].string ?? body["list_reply"]["title"].string ?? body["nfm_reply"]["body"].string
        if let response = body["nfm_reply"]["response_json"].string {
          form = (try? nestedParser.document(Array(response.utf8)))?.json ?? JSONText()
          // Two escapes hide a zero from the look at the whole body.
          if form.holdsNUL { throw Rejection(.nulInText, "response_json") }
        }
        kept = body.json
      case "order":
        text = try object(body, type).text("text")
        kept = body.json
      case "system":
        text = try object(body, type).text("body")
        kept = body.rest(without: ["body"])
      default:
        isKnown = false
        kept = body.json
      }
    }

    private func object(_ value: JSONValue, _ name: String) throws(Rejection) -> JSONValue {
      guard value.isObject else { throw Rejection(.malformedPayload, name) }
      return value
    }
  }
}
