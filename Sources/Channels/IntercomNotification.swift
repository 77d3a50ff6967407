import Canonical
import Parsing

/// `intercom.notification`: one notification of Intercom's webhooks: what was said in a conversation, what became of it, how it
/// was rated, or what Intercom knows of a contact.
///
/// The account is the workspace (`app_id`). The first message of a conversation is its `source`, all others are parts. Their ids
/// are counted apart, so that the first one is `source:<id>` here. Source: `channels.md`, section 18.3.
enum IntercomNotification {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    let item = root["data"]["item"]
    if root["topic"].string == "ping" || item["type"].string == "ping" {
      return elements.add { .ignored(reason: "verification") }
    }
    let topic = try root.requiredID("topic")
    guard item.isObject else { throw Rejection(.malformedPayload, "data.item") }
    var delivery = delivery
    delivery.account = root["app_id"].id ?? delivery.account
    Reader(delivery: delivery, root: root, item: item, topic: topic).read(&elements)
  }

  private struct Reader {
    let delivery: Delivery
    let root: JSONValue
    let item: JSONValue
    let topic: String
    /// The topic's words: `conversation.admin.closed`.
    private let words: [String]

    init(delivery: Delivery, root: JSONValue, item: JSONValue, topic: String) {
      self.delivery = delivery
      self.root = root
      self.item = item
      self.topic = topic
      words = topic.split(separator: ".").map(String.init)
    }

    private var verb: String { words.last ?? "" }

    func read(_ elements: inout Elements) {
      switch (words.first ?? "", verb) {
      case ("conversation", "created"):
        elements.add { () throws(Rejection) in try message(item["source"], isFirst: true) }
        readParts(&elements)
      case ("conversation", "replied"), ("conversation", "noted"): readParts(&elements)
      case ("conversation", _) where isState:
        // Whoever closes or hands over may say something with it.
        readParts(&elements)
        elements.add { () throws(Rejection) in try state() }
      case ("conversation", "added") where item["conversation_rating"].isObject:
        elements.add { () throws(Rejection) in try rating(item["conversation_rating"]) }
      case ("conversation", "deleted"): elements.add { () throws(Rejection) in try deletion() }
      case ("conversation_part", "redacted"): readRedacted(&elements)
      case ("contact", _) where isPerson, ("user", _) where isPerson:
        elements.add { () throws(Rejection) in try person() }
      default: elements.add { unknown() }
      }
    }

    // MARK: - Conversations

    private static let states: Set<String> = ["closed", "opened", "snoozed", "unsnoozed", "assigned"]

    private var isState: Bool { Self.states.contains(verb) }

    private func conversationID() throws(Rejection) -> String {
      guard let id = try item.optionalID("id") else { throw Rejection(.malformedPayload, "item.id") }
      return id
    }

    private func session(_ id: String) -> ReferenceKey { .session(delivery.channel, account: delivery.account, id: id) }

    private func name(_ id: String) -> ReferenceKey { .message(delivery.channel, account: delivery.account, id: id) }

    /// Tells a notification from others of its kind; delivered again it has the same.
    private var version: String { root["id"].id ?? item.json.string }

    private var time: Timestamp? { root["created_at"].time }

    private func readParts(_ elements: inout Elements) {
      for part in item["conversation_parts"]["conversation_parts"].elements {
        elements.add { () throws(Rejection) in try message(part, isFirst: false) }
      }
    }

    private func message(_ said: JSONValue, isFirst: Bool) throws(Rejection) -> NormalisedElement {
      let conversation = try conversationID()
      let own = try said.requiredID("id", in: isFirst ? "source." : "conversation_parts[].")
      let id = isFirst ? "source:" + own : own
      let body = delivery.text(ofHTML: try said.text("body"))
      let attachments = attachments(of: said)
      if !isFirst, body.text == nil, body.original == nil, attachments.isEmpty { return silent(said, id) }

      let author = said["author"]
      let isNote = said["part_type"].string == "note"
      let kind = try authorKind(author)
      let customer = kind == .customer ? author : self.customer
      let stated = try identifiers(customer)
      let time = isFirst ? item["created_at"] : said["created_at"]
      var details = JSONObjectWriter()
      details.members(of: said, without: Self.shown, or: isFirst ? nil : "type")
      // Without its customer what our side says finds no conversation by itself.
      if stated.isEmpty, kind != .customer {
        var change = Change(
          kind: Change.said, target: session(conversation), targetExternalID: id, authorKind: kind, text: body.text,
          attachments: attachments.isEmpty ? nil : attachments, status: isNote ? "internal" : nil, details: details.finished)
        change.name = name(id)
        return delivery.event(MessageKey(name(id)), sentAt: time.time, .change(change))
      }
      var message = Message(
        direction: isNote ? .internal : kind == .customer ? .inbound : .outbound, authorKind: isNote ? .agent : kind,
        authorID: kind == .customer ? nil : author["id"].id, customer: stated,
        customerName: customer["name"].personName, language: kind == .customer ? body.text.flatMap(Language.detect) : nil,
        externalID: id, names: [name(id)], session: session(conversation),
        subject: isFirst ? said["subject"].string?.trimmed.nonEmpty : nil, text: body.text, attachments: attachments,
        original: body.original, details: details.finished, flags: body.flags + time.timeFlags)
      message.stand(in: conversation, item["contacts"]["contacts"].elements.prefix(2).count { _ in true } > 1 ? .group : .private)
      return delivery.event(MessageKey(name(id)), sentAt: time.time, .message(message))
    }

    /// What has a place of its own.
    private static let shown: Set<String> = ["id", "body", "subject", "author", "attachments", "created_at"]

    /// A part without a word: somebody was assigned, or something that this version does not know.
    private func silent(_ part: JSONValue, _ id: String) -> NormalisedElement {
      if isState || part["redacted"].bool == true { return .ignored(reason: "no_text") }
      let what = "conversation_part." + (part["part_type"].id ?? "")
      return delivery.event(
        delivery.key("unknown", what, id), sentAt: part["created_at"].time, .unknown(Unknown(what: what, details: part.json)))
    }

    private func attachments(of said: JSONValue) -> [Attachment] {
      said["attachments"].elements.prefix(delivery.limits.attachments + 1).filter(\.isObject).map { item in
        let type = item["content_type"].string
        return Attachment(
          kind: Attachment.kind(ofType: type), name: item["name"].string?.nonEmpty, type: type,
          sizeBytes: item["filesize"].naturalNumber, url: item["url"].string?.nonEmpty)
      }
    }

    private func authorKind(_ author: JSONValue) throws(Rejection) -> AuthorKind {
      let type = try author.requiredID("type", in: "author.")
      if IntercomNotification.customers.contains(type) { return .customer }
      return type == "bot" || author["from_ai_agent"].bool == true ? .bot : .agent
    }

    private func state() throws(Rejection) -> NormalisedElement {
      let id = try conversationID()
      var details = JSONObjectWriter()
      details.member("topic", topic)
      for name in ["state", "admin_assignee_id", "team_assignee_id", "snoozed_until"] { details.member(name, item[name].json) }
      let change = Change(
        kind: "conversation_state", target: session(id), targetExternalID: id, customer: try identifiers(customer),
        authorKind: words.contains("admin") ? .agent : words.contains("operator") ? .bot : nil, status: verb,
        details: details.finished)
      return delivery.event(delivery.key("conversation_state", id, verb, version), sentAt: time, .change(change))
    }

    private func rating(_ rating: JSONValue) throws(Rejection) -> NormalisedElement {
      let id = try conversationID()
      let response = SurveyResponse(
        externalID: id, metric: "csat", score: rating["rating"].id, scaleMin: "1", scaleMax: "5",
        comment: try rating.text("remark"), answeredAt: rating["created_at"].time, updatedAt: time ?? delivery.receivedAt,
        customer: try identifiers(customer), customerName: customer["name"].personName,
        language: rating["remark"].string.flatMap(Language.detect), session: session(id),
        details: rating.rest(without: ["rating", "remark", "created_at"]))
      return delivery.event(delivery.key("survey", id, version), sentAt: time, .survey(response))
    }

    /// Nothing says which messages were part of it.
    private func deletion() throws(Rejection) -> NormalisedElement {
      let id = try conversationID()
      let change = Change(kind: Change.conversationState, target: session(id), targetExternalID: id, status: "deleted")
      return delivery.event(delivery.key("delete", "conversation", id), sentAt: time, .change(change))
    }

    /// The item is the part itself, or the conversation with the parts, or with the first message, that say nothing any more.
    private func readRedacted(_ elements: inout Elements) {
      if item["type"].string == "conversation_part" {
        return elements.add { () throws(Rejection) in redaction(try item.requiredID("id", in: "item.")) }
      }
      for part in item["conversation_parts"]["conversation_parts"].elements where part["redacted"].bool == true {
        elements.add { () throws(Rejection) in redaction(try part.requiredID("id", in: "conversation_parts[].")) }
      }
      if item["source"]["redacted"].bool == true {
        elements.add { () throws(Rejection) in redaction("source:" + (try item["source"].requiredID("id", in: "source."))) }
      }
    }

    private func redaction(_ id: String) -> NormalisedElement {
      let change = Change(kind: "delete", target: name(id), targetExternalID: id, authorKind: .agent)
      return delivery.event(delivery.key("delete", id), sentAt: time, .change(change))
    }

    // MARK: - People

    /// Whoever began the conversation, else the first who takes part in it.
    private var customer: JSONValue {
      let author = item["source"]["author"]
      if IntercomNotification.customers.contains(author["type"].string ?? "") { return author }
      return item["contacts"]["contacts"].elements.first { _ in true } ?? .absent
    }

    /// Only of a user it is the business that says who they are: a lead has typed it, and their external id is Intercom's own.
    private func identifiers(_ person: JSONValue) throws(Rejection) -> [StatedIdentifier] {
      let id = person["id"].id
      let contact = item["contacts"]["contacts"].elements.prefix(100).first { $0["id"].id == id }
      let isUser = (person["role"].string ?? person["type"].string) == "user"
      let stated = isUser ? delivery.statedAssurance : .a0
      let ours: Assurance = delivery.envelope.attested.contains(.business) ? .a3 : .a0
      var identifiers = StatedIdentifiers(delivery.limits)
      try identifiers.add(.contact, scope: scope, id, delivery.recordAssurance)
      if isUser { try identifiers.add(.externalID, person["external_id"].id ?? contact?["external_id"].id, ours) }
      try identifiers.add(.email, person["email"].string(atMost: JSONValue.longestID), stated)
      try identifiers.add(.phone, person["phone"].id, stated)
      return identifiers.list
    }

    private var scope: String { "intercom:" + delivery.account }

    private var isPerson: Bool { IntercomNotification.customers.contains(item["type"].string ?? "") }

    private func person() throws(Rejection) -> NormalisedElement {
      _ = try item.requiredID("id", in: "item.")
      switch verb {
      case "created", "updated", "added_email", "signed_up", "unarchive": return try contact()
      case "deleted", "archived": return .ignored(reason: "contact_deleted")
      case "merged":
        var list = try identifiers(item)
        let other = try delivery.identifiers(
          .contact, scope: scope, item["merged_from"]["id"].id, delivery.recordAssurance)
        for stated in other where !list.contains(stated) { list.append(stated) }
        return delivery.event(
          delivery.key("identity_change", version), sentAt: time,
          .change(Change(kind: "identity_change", customer: list, details: item.json)))
      default: return unknown()
      }
    }

    private func contact() throws(Rejection) -> NormalisedElement {
      var traits: [String: JSONText] = [:]
      for (name, value) in item["custom_attributes"].members {
        guard traits.count < delivery.limits.traits else { throw Rejection(.tooLarge, "custom_attributes") }
        traits[name] = value.json
      }
      let updatedAt = item["updated_at"].time ?? time
      let contact = Contact(
        identifiers: try identifiers(item), displayName: item["name"].personName,
        language: item["language_override"].string?.languageOfLocale, traits: traits,
        updatedAt: updatedAt ?? delivery.receivedAt)
      // A claim must not pass for the statement that it copies.
      return delivery.event(
        delivery.key(
          delivery.isVouchedFor ? "contact" : "claimed_contact", item["id"].id ?? "", updatedAt?.iso8601 ?? "", version),
        sentAt: updatedAt, .contact(contact))
    }

    private func unknown() -> NormalisedElement {
      delivery.event(
        delivery.key("unknown", topic, version), sentAt: time, .unknown(Unknown(what: topic, details: item.json)))
    }
  }

  private static let customers: Set<String> = ["user", "lead", "contact"]
}
