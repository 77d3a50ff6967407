import Canonical
import Parsing

/// `hubspot.event`: the events of one call of HubSpot's webhooks, an array or one alone: which property of a contact has changed,
/// or that something was said in a conversation, but neither what nor by whom. That is in the message or ticket that an adapter
/// then asks the API for: it is read here, too.
///
/// The account is the portal. Contacts are of the channel `crm`, conversations and tickets of `ticket`, whatever the topic. A
/// ticket and its first message are `ticket:<id>`. `region=ES` in `http_query` says how local numbers are meant.
/// Source: `channels.md`, section 18.4.
enum HubSpotEvent {
  static func read(_ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    let region = delivery.query?["region"]
    guard payload.isArray || payload.isObject else { throw Rejection(.malformedPayload, "not an object") }
    // What is fetched comes in pages.
    let list = payload.isObject ? payload["results"] : payload
    guard list.isArray else {
      return elements.add { () throws(Rejection) in try element(payload, delivery, region) }
    }
    for item in list.elements {
      elements.add { () throws(Rejection) in
        guard item.isObject else { throw Rejection(.malformedPayload, "[]") }
        return try element(item, delivery, region)
      }
    }
  }

  private static func element(
    _ item: JSONValue, _ delivery: Delivery, _ region: String?
  ) throws(Rejection) -> NormalisedElement {
    if !item["subscriptionType"].exists {
      if item["conversationsThreadId"].exists { return try Fetched(item, delivery, region).message() }
      let properties = item["properties"]
      if ticketProperties.contains(where: { properties[$0].exists }) { return try Fetched(item, delivery, region).ticket() }
    }
    return try Reader(item, delivery, region).element()
  }

  /// An object of the API does not say of what kind it is.
  private static let ticketProperties = ["hs_pipeline_stage", "hs_ticket_id", "content"]

  /// The objects of `object.creation` and the like, as the names before the dot had them.
  private static let objects = ["0-1": "contact", "0-2": "company", "0-5": "ticket"]

  private struct Reader {
    private var delivery: Delivery
    private let item: JSONValue
    private let region: String?
    /// `contact.propertyChange`, or `object.propertyChange` of an object `0-1`.
    private let type: String
    private let object: String
    private let verb: String

    init(_ item: JSONValue, _ delivery: Delivery, _ region: String?) throws(Rejection) {
      self.item = item
      self.delivery = delivery
      self.region = region
      type = try item.requiredID("subscriptionType")
      _ = try item.requiredID("eventId")
      let words = type.split(separator: ".", maxSplits: 1).map(String.init)
      let named = words.first ?? ""
      object = named == "object" ? HubSpotEvent.objects[item["objectTypeId"].id ?? ""] ?? named : named
      verb = words.last ?? ""
      self.delivery.account = item["portalId"].id ?? delivery.account
      if object == "contact" { self.delivery.channel = .crm }
      if object == "conversation" || object == "ticket" { self.delivery.channel = .ticket }
    }

    func element() throws(Rejection) -> NormalisedElement {
      switch (object, verb) {
      case ("contact", "creation"), ("contact", "restore"), ("contact", "propertyChange"): return try contact()
      case ("contact", "merge"): return try merge()
      case ("contact", "privacyDeletion"):
        let change = Change(
          kind: "erasure", customer: try delivery.identifiers(.contact, scope: scope, objectID(), delivery.recordAssurance),
          details: item.json)
        return delivery.event(key("erasure"), sentAt: time, .change(change))
      case ("contact", "deletion"): return .ignored(reason: "contact_deleted")
      case ("conversation", "newMessage"):
        return enrichment(of: try item.requiredID("messageId"))
      case ("ticket", "creation"): return enrichment(of: try sessionID())
      case ("conversation", "propertyChange"):
        let isStatus = item["propertyName"].string == "status"
        return try state(item[isStatus ? "propertyValue" : "propertyName"].id)
      case ("conversation", "creation"), ("conversation", "deletion"), ("conversation", "privacyDeletion"):
        return try state(verb)
      case ("ticket", "propertyChange"):
        let isStage = item["propertyName"].string == "hs_pipeline_stage"
        return try state(item[isStage ? "propertyValue" : "propertyName"].id)
      case ("ticket", "deletion"): return try state(verb)
      default: return delivery.event(key("unknown"), sentAt: time, .unknown(Unknown(what: type, details: item.json)))
      }
    }

    /// `eventId` is not unique by itself.
    private static let identity = [
      "subscriptionType", "subscriptionId", "eventId", "occurredAt", "objectId", "propertyName", "messageId", "primaryObjectId",
    ]

    private func key(_ kind: String) -> MessageKey { delivery.key(kind, Self.identity.map { item[$0].id ?? "" }) }

    private var time: Timestamp? { item["occurredAt"].time }

    private var scope: String { "hubspot:" + delivery.account }

    private func objectID() throws(Rejection) -> String { try item.requiredID("objectId") }

    /// Tickets and threads are counted apart.
    private func sessionID() throws(Rejection) -> String {
      let id = try objectID()
      return object == "ticket" ? "ticket:" + id : id
    }

    private func session(_ id: String) -> ReferenceKey { .session(delivery.channel, account: delivery.account, id: id) }

    /// Of the message that `Fetched` makes of what is asked for.
    private func enrichment(of id: String) -> NormalisedElement {
      let change = Change(
        kind: "enrichment", target: .message(delivery.channel, account: delivery.account, id: id), targetExternalID: id,
        details: item.json)
      return delivery.event(key("enrichment"), sentAt: time, .change(change))
    }

    private func state(_ status: String?) throws(Rejection) -> NormalisedElement {
      let id = try sessionID()
      let change = Change(
        kind: "conversation_state", target: session(id), targetExternalID: id, status: status, details: item.json)
      return delivery.event(key("conversation_state"), sentAt: time, .change(change))
    }

    /// What changes come from that no visitor has typed.
    private static let ourSources: Set<String> = ["CRM_UI", "IMPORT", "API", "INTEGRATION"]

    /// The one property that has changed. Half a name is no name, so both halves are traits.
    private func contact() throws(Rejection) -> NormalisedElement {
      var identifiers = StatedIdentifiers(delivery.limits)
      var traits: [String: JSONText] = [:]
      try identifiers.add(.contact, scope: scope, objectID(), delivery.recordAssurance)
      if verb == "propertyChange" {
        guard let name = try item.optionalID("propertyName", maximumBytes: delivery.limits.keyBytes) else {
          throw Rejection(.malformedPayload, "propertyName")
        }
        let value = item["propertyValue"]
        let isOurs = Self.ourSources.contains(item["changeSource"].id ?? "")
        let stated: Assurance = delivery.isVouchedFor && isOurs ? .a1 : .a0
        switch name {
        case "email": try identifiers.add(.email, value.string(atMost: JSONValue.longestID), stated)
        case "phone", "mobilephone":
          try identifiers.add(.phone, value.id.map { PhoneNumber.e164($0, region: region) ?? $0 }, stated)
        // An empty value is one that was taken away.
        case _ where value.string(atMost: 0) != nil: traits[name] = JSONText(utf8: Array("null".utf8))
        case _ where value.exists: traits[name] = value.json
        default: break
        }
      }
      let contact = Contact(identifiers: identifiers.list, traits: traits, updatedAt: time ?? delivery.receivedAt)
      // A claim must not pass for the statement that it copies.
      return delivery.event(key(delivery.isVouchedFor ? "contact" : "claimed_contact"), sentAt: time, .contact(contact))
    }

    /// What is left may be a third record.
    private func merge() throws(Rejection) -> NormalisedElement {
      var identifiers = StatedIdentifiers(delivery.limits)
      let merged = item["mergedObjectIds"].elements.map(\.id)
      for id in [item["primaryObjectId"].id] + merged + [item["newObjectId"].id] {
        try identifiers.add(.contact, scope: scope, id, delivery.recordAssurance)
      }
      guard !identifiers.list.isEmpty else { throw Rejection(.malformedPayload, "primaryObjectId") }
      return delivery.event(
        key("identity_change"), sentAt: time,
        .change(Change(kind: "identity_change", customer: identifiers.list, details: item.json)))
    }
  }

  /// What an adapter has asked the API for: a message of a thread, or a ticket.
  private struct Fetched {
    private var delivery: Delivery
    private let item: JSONValue
    private let region: String?

    init(_ item: JSONValue, _ delivery: Delivery, _ region: String?) {
      self.item = item
      self.delivery = delivery
      self.region = region
      self.delivery.channel = .ticket
      self.delivery.account = item["portalId"].id ?? delivery.account
    }

    private var scope: String { "hubspot:" + delivery.account }

    // MARK: - Messages

    /// Their events say it, too.
    private static let states: Set<String> = ["ASSIGNMENT", "THREAD_STATUS_CHANGE", "THREAD_INBOX_CHANGE"]

    func message() throws(Rejection) -> NormalisedElement {
      let id = try item.requiredID("id")
      let thread = try item.requiredID("conversationsThreadId")
      let type = item["type"].id ?? "MESSAGE"
      if Self.states.contains(type) { return .ignored(reason: "no_text") }
      guard ["MESSAGE", "COMMENT", "WELCOME_MESSAGE"].contains(type) else {
        let unknown = Unknown(what: "message." + type, details: item.json)
        return delivery.event(delivery.key("unknown", type, id), sentAt: item["createdAt"].time, .unknown(unknown))
      }
      let isNote = type == "COMMENT"
      let author = item["createdBy"].id ?? item["senders"].elements.first { _ in true }?["actorId"].id
      var isIncoming = false
      if !isNote { isIncoming = try self.isIncoming(type, author) }
      let kind: AuthorKind = isIncoming ? .customer : isNote || author?.hasPrefix("A-") == true ? .agent : .bot
      let person = isNote ? JSONValue.absent : party(isIncoming ? "senders" : "recipients")
      let customer = try identifiers(person)

      let html = delivery.text(ofHTML: try item.text("richText"))
      let plain = try item.text("text")?.trimmed.nonEmpty
      let text = plain ?? html.text
      let files = attachments
      var details = JSONObjectWriter()
      details.members(of: item, without: Self.shown)
      // Buttons and the like are no files.
      if item["attachments"].elements.contains(where: { !isFile($0) }) {
        details.member("attachments", item["attachments"].json)
      }
      let name = ReferenceKey.message(.ticket, account: delivery.account, id: id)
      let session = ReferenceKey.session(.ticket, account: delivery.account, id: thread)
      // Without its customer what our side says finds no conversation by itself.
      if customer.isEmpty, kind != .customer {
        var change = Change(
          kind: Change.said, target: session, targetExternalID: id, authorKind: kind, text: text,
          attachments: files.isEmpty ? nil : files, status: isNote ? "internal" : nil, details: details.finished)
        change.name = name
        return delivery.event(MessageKey(name), sentAt: item["createdAt"].time, .change(change))
      }
      var flags = item["createdAt"].timeFlags
      let isWhole = (item["truncationStatus"].id ?? "NOT_TRUNCATED") == "NOT_TRUNCATED"
      if !isWhole || plain == nil && !html.flags.isEmpty { flags.append("text_truncated") }
      if customer.isEmpty { flags.append("customer_unknown") }
      var message = Message(
        direction: isNote ? .internal : kind == .customer ? .inbound : .outbound, authorKind: kind,
        authorID: kind == .customer ? nil : author, customer: customer, customerName: person["name"].personName,
        language: kind == .customer ? text.flatMap(Language.detect) : nil, externalID: id, names: [name], session: session,
        subject: try item.text("subject")?.trimmed.nonEmpty, text: text, attachments: files, original: html.original,
        details: details.finished, flags: flags)
      message.stand(in: thread, item["recipients"].elements.prefix(2).count { _ in true } > 1 ? .group : .private)
      return delivery.event(MessageKey(name), sentAt: item["createdAt"].time, .message(message))
    }

    /// What has a place of its own.
    private static let shown: Set<String> = [
      "id", "conversationsThreadId", "createdAt", "direction", "subject", "text", "richText", "attachments",
    ]

    private func isIncoming(_ type: String, _ author: String?) throws(Rejection) -> Bool {
      if type == "WELCOME_MESSAGE" { return false }
      switch item["direction"].string {
      case "INCOMING": return true
      case "OUTGOING": return false
      default:
        // Visitors and unknown senders of mail.
        guard let author else { throw Rejection(.malformedPayload, "direction") }
        return author.hasPrefix("V-") || author.hasPrefix("E-")
      }
    }

    /// Of those who are not staff the one whose record is known, else the first.
    private func party(_ side: String) -> JSONValue {
      let parties = item[side].elements.prefix(100).filter { $0["actorId"].id?.hasPrefix("A-") != true }
      return parties.first { contactID($0) != nil } ?? parties.first ?? .absent
    }

    private func contactID(_ person: JSONValue) -> String? {
      if let id = person["contactId"].id { return id }
      guard let actor = person["actorId"].id, actor.hasPrefix("V-") else { return nil }
      return String(actor.dropFirst(2)).nonEmpty
    }

    /// Whoever writes in copy has an address that is not the contact's.
    private func identifiers(_ person: JSONValue) throws(Rejection) -> [StatedIdentifier] {
      let own = contactID(person)
      let contact = own ?? item["contactId"].id ?? item["associatedContactId"].id
      var identifiers = StatedIdentifiers(delivery.limits)
      try identifiers.add(.contact, scope: scope, contact, delivery.recordAssurance)
      guard contact == own else { return identifiers.list }
      let addresses: [JSONValue] = [person["deliveryIdentifier"]] + person["deliveryIdentifiers"].elements.prefix(10)
      for address in addresses {
        let value = address["value"].id
        switch address["type"].string {
        case "HS_EMAIL_ADDRESS": try identifiers.add(.email, value, delivery.statedAssurance)
        case "HS_PHONE_NUMBER":
          try identifiers.add(.phone, value.map { PhoneNumber.e164($0, region: region) ?? $0 }, .a0)
        default: break
        }
      }
      return identifiers.list
    }

    private var attachments: [Attachment] {
      item["attachments"].elements.filter(isFile).prefix(delivery.limits.attachments + 1).map { file in
        let kind =
          switch file["fileUsageType"].string {
          case "IMAGE": "image"
          case "AUDIO", "VOICE_RECORDING": "audio"
          case "STICKER": "sticker"
          default: "file"
          }
        return Attachment(
          kind: kind, name: file["name"].string?.nonEmpty, providerID: file["fileId"].id, url: file["url"].string?.nonEmpty)
      }
    }

    private func isFile(_ attachment: JSONValue) -> Bool {
      attachment.isObject && (attachment["type"].id ?? "FILE") == "FILE"
    }

    // MARK: - Tickets

    /// Its first message; several contacts of one ticket are several people.
    func ticket() throws(Rejection) -> NormalisedElement {
      let id = "ticket:" + (try item.requiredID("id"))
      let properties = item["properties"]
      let contact = item["associations"]["contacts"]["results"].elements.first { _ in true } ?? .absent
      let ticket = Ticket(
        delivery: delivery, id: id,
        customer: try delivery.identifiers(.contact, scope: scope, contact["id"].id, delivery.recordAssurance),
        customerName: nil, takesAnswers: false)
      var details = JSONObjectWriter()
      details.members(of: item, without: ["id", "properties"])
      details.member("properties", properties.rest(without: ["subject", "content", "createdate"]))
      return ticket.message(
        Ticket.Comment(
          id: id, isStaff: false, isPublic: true,
          time: properties["createdate"].exists ? properties["createdate"] : item["createdAt"],
          subject: try properties.text("subject")?.trimmed.nonEmpty, text: try properties.text("content")?.trimmed.nonEmpty,
          details: details.finished))
    }
  }
}
