import Canonical
import Parsing

/// `liveagent.ticket`: a ticket of LiveAgent, alone or with its messages, which come in groups.
///
/// A ticket has no description; its subject goes with the first message. A group's type says whether it is a mail to us, one from
/// us or a note; where it does not, the ticket's agent is of the staff, and everybody else a customer.
enum LiveAgentTicket {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    try Reader(root, delivery).read(&elements)
  }

  /// LiveAgent itself, as an author.
  private static let systemUser = "system00"

  /// One ticket.
  private struct Reader {
    let root: JSONValue
    let body: JSONValue
    let owner: String?
    let ticket: Ticket

    init(_ root: JSONValue, _ delivery: Delivery) throws(Rejection) {
      self.root = root
      body = root["ticket"].isObject ? root["ticket"] : root
      owner = body["owner_contactid"].id
      guard let id = body["id"].id ?? body["ticket_id"].id else { throw Rejection(.malformedPayload, "id") }
      var identifiers = StatedIdentifiers(delivery.limits)
      try identifiers.add(.contact, scope: "liveagent:" + delivery.account, owner, delivery.recordAssurance)
      try identifiers.add(.email, body["owner_email"].string(atMost: JSONValue.longestID), delivery.statedAssurance)
      ticket = Ticket(delivery: delivery, id: id, customer: identifiers.list, customerName: body["owner_name"].personName)
    }

    func read(_ elements: inout Elements) {
      var subject = body["subject"].string?.nonEmpty
      for (item, group, context) in items {
        let title = isSaid(item) && author(item, group) != LiveAgentTicket.systemUser ? subject : nil
        if title != nil { subject = nil }
        elements.add { () throws(Rejection) in try element(item, group, context, subject: title) }
      }
      if let status = body["status"].id { elements.add { state(status) } }
    }

    /// The messages with their groups, and what of those is kept; one may stand without.
    private var items: [(item: JSONValue, group: JSONValue, context: JSONText)] {
      let lists = [body["groups"], body["messages"], root["groups"], root["messages"]]
      var items: [(item: JSONValue, group: JSONValue, context: JSONText)] = []
      for group in (lists.first(where: \.isArray) ?? .absent).elements {
        if group["messages"].isArray {
          let context = ticket.delivery.shared(group.rest(without: ["messages"]))
          for item in group["messages"].elements { items.append((item, group, context)) }
        } else {
          items.append((group, .absent, JSONText()))
        }
      }
      return items
    }

    private func author(_ item: JSONValue, _ group: JSONValue) -> String? { item["userid"].id ?? group["userid"].id }

    private func isSaid(_ item: JSONValue) -> Bool { (item["type"].string ?? "M") == "M" }

    private func element(
      _ item: JSONValue, _ group: JSONValue, _ context: JSONText, subject: String?
    ) throws(Rejection) -> NormalisedElement {
      let id = try item.requiredID("id", in: "messages[].")
      let user = author(item, group)
      if user == LiveAgentTicket.systemUser { return .ignored(reason: "system") }
      let time = item["datecreated"].exists ? item["datecreated"] : group["datecreated"]
      guard isSaid(item) else {
        return ticket.delivery.event(
          ticket.delivery.key("unknown", "message", id), sentAt: time.time,
          .unknown(Unknown(what: "message." + (item["type"].string ?? ""), details: item.json)))
      }
      let isHTML = item["format"].string == "H"
      let said = try item.text("message")
      var details = JSONObjectWriter()
      details.member("ticket_id", ticket.id)
      details.member("message", item.rest(without: ["id", "datecreated", "message"]))
      details.member("group", context)
      let isStaff = isStaff(user, group)
      let name = item["user_full_name"].personName ?? group["user_full_name"].personName
      // People have other ids as users than as contacts.
      let isInCopy = !isStaff && user != owner && name != nil && ticket.customerName != nil && name != ticket.customerName
      details.member("author_name", isInCopy ? name : nil)
      return ticket.message(
        Ticket.Comment(
          id: id, isStaff: isStaff, isInCopy: isInCopy, isPublic: group["type"].string != "I", authorID: user, time: time,
          subject: subject, text: isHTML ? nil : said, html: isHTML ? said : nil, details: details.finished))
    }

    private func isStaff(_ user: String?, _ group: JSONValue) -> Bool {
      if user != nil, user == owner { return false }
      switch group["type"].string {
      // A mail or a form of the customer.
      case "3", "5": return false
      // A mail or a note of ours.
      case "4", "I": return true
      default: return user != nil && user == body["agentid"].id
      }
    }

    private func state(_ status: String) -> NormalisedElement {
      let changed = body["date_changed"]
      let version = changed.id.map { [$0, status, body["agentid"].id ?? "", body["departmentid"].id ?? ""] }
      return ticket.state(
        Self.statuses[status] ?? status, version: version, at: changed.time, body.rest(without: Self.shown))
    }

    private static let statuses = [
      "A": "answered", "B": "spam", "C": "open", "I": "init", "N": "new", "P": "calling", "R": "resolved", "T": "chatting",
      "W": "postponed", "X": "deleted",
    ]
    /// What has a place of its own.
    private static let shown: Set<String> = [
      "id", "ticket_id", "messages", "groups", "owner_contactid", "owner_email", "owner_name",
    ]
  }
}
