import Canonical
import Parsing

/// `hubspot.event`: the events of one call of HubSpot's webhooks, an array or one alone: which property of a contact has changed,
/// or that something was said in a conversation, but neither what nor by whom. That has to be fetched: a message or ticket as the API
/// gives it is read as well, in the same places.
///
/// The account is the portal. Contacts are of the channel `crm`, conversations of `ticket`, whatever the topic. `region=ES` in
/// `http_query` says how local numbers are meant. Source: `channels.md`, section 18.4.
enum HubSpotEvent {
  static func read(_ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    let region = delivery.query?["region"]
    guard payload.isArray else {
      guard payload.isObject else { throw Rejection(.malformedPayload, "not an object") }
      return elements.add { () throws(Rejection) in try element(payload, delivery, region) }
    }
    for item in payload.elements {
      elements.add { () throws(Rejection) in
        guard item.isObject else { throw Rejection(.malformedPayload, "[]") }
        return try element(item, delivery, region)
      }
    }
  }

  private static func element(
    _ item: JSONValue, _ delivery: Delivery, _ region: String?
  ) throws(Rejection) -> NormalisedElement {
    if item["conversationsThreadId"].exists { return try Fetched(item, delivery, region).message() }
    if item["properties"].isObject, !item["subscriptionType"].exists { return try Fetched(item, delivery, region).ticket() }
    return try Reader(item, delivery, region).element()
  }

  /// A ticket and a thread of the inbox may have the same number.
  private static func ticketID(_ id: String) -> String { "ticket:" + id }

  /// What an adapter has asked for, as `/conversations/v3/…/messages/{id}` and `/crm/v3/objects/tickets/{id}` answer.
  private struct Fetched {
    private var delivery: Delivery
    private let item: JSONValue
    private let region: String?

    init(_ item: JSONValue, _ delivery: Delivery, _ region: String?) {
      self.item = item
      self.delivery = delivery
      self.region = region
      self.delivery.channel = .ticket
    }

    func message() throws(Rejection) -> NormalisedElement {
      let id = try item.requiredID("id")
      let isInbound = item["direction"].string == "INCOMING"
      let isComment = item["type"].string == "COMMENT"
      let party = item[isInbound ? "senders" : "recipients"].elements.first { _ in true } ?? .absent
      let ticket = Ticket(
        delivery: delivery, id: try item.requiredID("conversationsThreadId"), customer: isComment ? [] : try customer(party),
        customerName: isInbound ? party["name"].personName : nil)
      let attachments = item["attachments"].elements.prefix(delivery.limits.attachments + 1).map { file in
        Attachment(kind: "file", name: file["name"].string, providerID: file["fileId"].id, url: file["url"].string)
      }
      return ticket.message(
        Ticket.Comment(
          id: id, isStaff: !isInbound || isComment, isPublic: !isComment, authorID: item["createdBy"].id, time: item["createdAt"],
          subject: try item.text("subject"), text: try item.text("text"), html: item["richText"].string?.nonEmpty,
          attachments: attachments, details: item.rest(without: Self.shown)))
    }

    /// Its first message.
    func ticket() throws(Rejection) -> NormalisedElement {
      let id = HubSpotEvent.ticketID(try item.requiredID("id"))
      let properties = item["properties"]
      guard properties["subject"].exists || properties["content"].exists else { throw Rejection(.malformedPayload, "properties") }
      let contact = item["associations"]["contacts"]["results"].elements.first { _ in true } ?? .absent
      let customer = try delivery.identifiers(.contact, scope: scope, contact["id"].id, delivery.recordAssurance)
      return Ticket(delivery: delivery, id: id, customer: customer, customerName: nil).message(
        Ticket.Comment(
          id: id, isStaff: false, isPublic: true, time: properties["createdate"], subject: try properties.text("subject"),
          text: try properties.text("content"), details: item.rest(without: ["id", "associations"])))
    }

    private var scope: String { "hubspot:" + delivery.account }

    /// Actors are told apart by a letter: a visitor's number is the contact's.
    private func customer(_ party: JSONValue) throws(Rejection) -> [StatedIdentifier] {
      var identifiers = StatedIdentifiers(delivery.limits)
      let actor = party["actorId"].id
      if let actor, actor.hasPrefix("V-") {
        try identifiers.add(.contact, scope: scope, String(actor.dropFirst(2)).nonEmpty, delivery.recordAssurance)
      }
      let (kind, value) = (party["deliveryIdentifier"]["type"].string, party["deliveryIdentifier"]["value"].id)
      switch kind {
      case "HS_EMAIL_ADDRESS": try identifiers.add(.email, value, delivery.statedAssurance)
      case "HS_PHONE_NUMBER":
        try identifiers.add(.phone, value.map { PhoneNumber.e164($0, region: region) ?? $0 }, delivery.statedAssurance)
      default: break
      }
      return identifiers.list
    }

    private static let shown: Set<String> = ["id", "createdAt", "subject", "text", "richText", "attachments"]
  }

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
        return enrichment(try item.requiredID("messageId"))
      case ("ticket", "creation"): return enrichment(HubSpotEvent.ticketID(try objectID()))
      case ("ticket", "propertyChange"):
        let isStage = item["propertyName"].string == "hs_pipeline_stage"
        return try state(item[isStage ? "propertyValue" : "propertyName"].id)
      case ("ticket", "deletion"), ("ticket", "privacyDeletion"): return try state(verb)
      case ("conversation", "propertyChange"):
        let isStatus = item["propertyName"].string == "status"
        return try state(item[isStatus ? "propertyValue" : "propertyName"].id)
      case ("conversation", "creation"), ("conversation", "deletion"), ("conversation", "privacyDeletion"):
        return try state(verb)
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

    private func session(_ id: String) -> ReferenceKey { .session(delivery.channel, account: delivery.account, id: id) }

    /// What was said has to be fetched.
    private func enrichment(_ id: String) -> NormalisedElement {
      let change = Change(
        kind: "enrichment", target: .message(delivery.channel, account: delivery.account, id: id), targetExternalID: id,
        details: item.json)
      return delivery.event(key("enrichment"), sentAt: time, .change(change))
    }

    private func state(_ status: String?) throws(Rejection) -> NormalisedElement {
      let id = object == "ticket" ? HubSpotEvent.ticketID(try objectID()) : try objectID()
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
}
