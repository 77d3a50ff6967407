import Canonical
import Parsing

/// `freshdesk.ticket`: the JSON that the business has written for an automation, or a ticket as it is polled.
///
/// An automation's values are all text, and an empty one is none. There is no id of an event, so a change of the ticket is known by
/// its time and what it says; with a reply it has not changed. The description is the first message; `conversations[]` come in
/// any order.
/// Source: `channels.md`, section 18.6.
enum FreshdeskTicket {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    // What Freshdesk suggests for an automation: words about the ticket, and none of what was said.
    if root["freshdesk_webhook"].isObject {
      let json = root.json
      return elements.add {
        delivery.event(
          delivery.key("unknown", "freshdesk_webhook", json.string), sentAt: nil,
          .unknown(Unknown(what: "freshdesk_webhook", details: json)))
      }
    }
    try Reader(root, delivery).read(&elements)
  }

  /// One ticket.
  private struct Reader {
    let root: JSONValue
    let body: JSONValue
    let requester: String?
    let ticket: Ticket

    init(_ root: JSONValue, _ delivery: Delivery) throws(Rejection) {
      self.root = root
      body = root["ticket"].isObject ? root["ticket"] : root
      let person = body["requester"]
      requester = body["requester_id"].id ?? person["id"].id
      let isBusiness = delivery.envelope.attested.contains(.business)
      let stated = delivery.statedAssurance
      var identifiers = StatedIdentifiers(delivery.limits)
      try identifiers.add(.contact, scope: "freshdesk:" + delivery.account, requester, delivery.recordAssurance)
      try identifiers.add(.externalID, person["unique_external_id"].id, isBusiness ? .a3 : .a0)
      try identifiers.add(.email, person["email"].id ?? body["requester_email"].id, stated)
      // Whoever replies need not be the requester.
      if requester == nil { try identifiers.add(.email, root["reply"]["customer_email"].id, .a0) }
      try identifiers.add(.phone, person["phone"].id, stated)
      try identifiers.add(.phone, person["mobile"].id, stated)
      ticket = Ticket(
        delivery: delivery, id: try body.requiredID("id", in: "ticket."), customer: identifiers.list,
        customerName: person["name"].personName ?? body["requester_name"].personName)
    }

    func read(_ elements: inout Elements) {
      if body["description"].string?.nonEmpty != nil || body["description_text"].string?.nonEmpty != nil {
        elements.add { () throws(Rejection) in try description() }
      }
      for item in conversations {
        elements.add { () throws(Rejection) in
          guard item.isObject else { throw Rejection(.malformedPayload, "conversations[]") }
          return try comment(item, id: item.requiredID("id", in: "conversations[]."), "conversation")
        }
      }
      let reply = root["reply"]
      if reply.isObject { return elements.add { () throws(Rejection) in try comment(reply, id: reply["id"].id, "reply") } }
      if let status = body["status"].id { elements.add { state(status) } }
    }

    private var conversations: [JSONValue] {
      let list = body["conversations"].isArray ? body["conversations"] : root["conversations"]
      var timed: [(time: Timestamp, position: Int, item: JSONValue)] = []
      for item in list.elements {
        timed.append((item["created_at"].time ?? Timestamp.storable.upperBound, timed.count, item))
      }
      return timed.sorted { ($0.time, $0.position) < ($1.time, $1.position) }.map { $0.item }
    }

    private func description() throws(Rejection) -> NormalisedElement {
      // An agent has written to somebody who had not asked.
      let isStaff = body["source"].id == "10"
      var details = JSONObjectWriter()
      details.member("ticket", rest(of: body, without: Self.shown))
      return ticket.message(
        Ticket.Comment(
          id: "ticket:" + ticket.id, isStaff: isStaff, isPublic: true, authorID: body["responder_id"].id,
          time: body["created_at"], subject: try body.text("subject"), text: try body.text("description_text"),
          html: try body.text("description"), attachments: attachments(body["attachments"]), details: details.finished))
    }

    private func comment(_ item: JSONValue, id: String?, _ place: String) throws(Rejection) -> NormalisedElement {
      let time = item["created_at"].id == nil ? body["updated_at"] : item["created_at"]
      if let id, flag(item["deleted"]) == true { return ticket.deletion(of: id, version: "", at: item["updated_at"].time) }
      let user = item["user_id"].id
      // What an automation calls a reply is the customer's, unless it says more.
      let isStaff = flag(item["incoming"]).map { !$0 } ?? (user != nil && user != requester)
      var details = JSONObjectWriter()
      details.member(place, rest(of: item, without: ["id", "body", "body_text", "attachments", "created_at"]))
      details.member("ticket_id", ticket.id)
      return ticket.message(
        Ticket.Comment(
          id: id, isStaff: isStaff, isInCopy: !isStaff && user != nil && requester != nil && user != requester,
          isPublic: flag(item["private"]) != true, authorID: user, time: time, text: try item.text("body_text"),
          html: try item.text("body"), attachments: attachments(item["attachments"]), details: details.finished))
    }

    private func state(_ status: String) -> NormalisedElement {
      let word =
        flag(body["deleted"]) == true
        ? "deleted" : flag(body["spam"]) == true ? "spam" : Self.statuses[status] ?? status.lowercased()
      let version = body["updated_at"].id.map { [$0, word, body["priority"].id ?? "", body["responder_id"].id ?? ""] }
      return ticket.state(
        word, version: version, at: body["updated_at"].time, rest(of: body, without: Self.shown.union(["subject"])))
    }

    private func attachments(_ list: JSONValue) -> [Attachment] {
      list.elements.prefix(ticket.delivery.limits.attachments + 1).filter(\.isObject).map { item in
        let type = item["content_type"].string?.nonEmpty
        return Attachment(
          kind: Attachment.kind(ofType: type), name: item["name"].string?.nonEmpty, type: type,
          sizeBytes: item["size"].naturalNumber, providerID: item["id"].id, url: item["attachment_url"].string?.nonEmpty)
      }
    }

    /// An automation writes flags as text.
    private func flag(_ value: JSONValue) -> Bool? {
      value.bool ?? value.string(atMost: 5).flatMap { Bool($0.lowercased()) }
    }

    private func rest(of value: JSONValue, without names: Set<String>) -> JSONText {
      var writer = JSONObjectWriter()
      for (name, member) in value.members where !names.contains(name) && member.string(atMost: 0) == nil {
        writer.member(name, member.json)
      }
      return writer.finished
    }

    private static let statuses = ["2": "open", "3": "pending", "4": "resolved", "5": "closed"]
    /// What has a place of its own.
    private static let shown: Set<String> = [
      "id", "description", "description_text", "attachments", "conversations", "reply", "requester", "requester_name",
      "requester_email", "created_at", "updated_at",
    ]
  }
}
