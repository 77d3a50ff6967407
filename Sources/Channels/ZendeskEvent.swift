import Canonical
import Parsing

/// `zendesk.event`: a body of Zendesk's event webhooks, of a trigger, or of Sunshine Conversations (`SunshineEvent`).
///
/// A ticket's description is its first message; a comment's author says who speaks, an attachment has an event of its own. What
/// triggers send is written by the business, so nothing is known of it but who caused it.
/// Source: `channels.md`, section 18.1.
enum ZendeskEvent {
  private static let typePrefix = "zen:event-type:"
  /// Zendesk itself, as an author or actor.
  private static let systemUser = "-1"

  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    guard !root["events"].isArray else { return SunshineEvent.read(root, delivery, &elements) }
    elements.add { () throws(Rejection) in
      guard let type = root["type"].id, type.hasPrefix(typePrefix) else { return trigger(root, delivery) }
      let reader = Reader(
        root: root, type: String(type.dropFirst(typePrefix.count)), eventID: try root.requiredID("id"), delivery: delivery)
      return try reader.element()
    }
  }

  private static func trigger(_ root: JSONValue, _ delivery: Delivery) -> NormalisedElement {
    if root["current_user"]["id"].id == systemUser || root["current_user_id"].id == systemUser {
      return .ignored(reason: "system")
    }
    let json = root.json
    return delivery.event(
      delivery.key("unknown", "trigger", json.string), sentAt: nil, .unknown(Unknown(what: "trigger", details: json)))
  }

  /// One event.
  private struct Reader {
    let root: JSONValue
    /// Without its prefix: `ticket.comment_added`.
    let type: String
    let eventID: String
    let delivery: Delivery

    private var detail: JSONValue { root["detail"] }
    private var event: JSONValue { root["event"] }
    private var requester: String? { detail["requester_id"].id }

    func element() throws(Rejection) -> NormalisedElement {
      switch type {
      case "ticket.created": return try description()
      case "ticket.comment_added": return try comment()
      case "ticket.comment_redacted":
        return try ticket().deletion(of: commentID(), version: eventID, at: root["time"].time)
      case "ticket.attachment_linked_to_comment": return try attachment(isRemoved: false)
      case "ticket.attachment_redacted_from_comment": return try attachment(isRemoved: true)
      case let type where Self.states.contains(type): return try state(String(type.dropFirst("ticket.".count)))
      default:
        return delivery.event(
          delivery.key("unknown", type, eventID), sentAt: root["time"].time,
          .unknown(Unknown(what: type, details: root.json)))
      }
    }

    private static let states: Set<String> = [
      "ticket.status_changed", "ticket.custom_status_changed", "ticket.priority_changed", "ticket.agent_assignment_changed",
      "ticket.group_assignment_changed", "ticket.merged", "ticket.marked_as_spam", "ticket.soft_deleted",
      "ticket.permanently_deleted", "ticket.undeleted",
    ]

    private func ticket() throws(Rejection) -> Ticket {
      let author = event["comment"]["author"]
      let customer = try delivery.identifiers(
        .contact, scope: "zendesk:" + (root["account_id"].id ?? delivery.account), requester, delivery.recordAssurance)
      return Ticket(
        delivery: delivery, id: try detail.requiredID("id", in: "detail."), customer: customer,
        customerName: author["id"].id == requester ? author["name"].personName : nil)
    }

    private func commentID() throws(Rejection) -> String { try event["comment"].requiredID("id", in: "event.comment.") }

    /// Whoever submits a ticket is the author of its first comment.
    private func description() throws(Rejection) -> NormalisedElement {
      let ticket = try ticket()
      let submitter = detail["submitter_id"].id
      if submitter == ZendeskEvent.systemUser { return .ignored(reason: "system") }
      var details = JSONObjectWriter()
      details.member("ticket", detail.rest(without: ["subject", "description"]))
      return ticket.message(
        Ticket.Comment(
          id: "ticket:" + ticket.id, isStaff: submitter != nil && submitter != requester,
          isPublic: detail["is_public"].bool != false, authorID: submitter,
          time: detail["created_at"].exists ? detail["created_at"] : root["time"], subject: try detail.text("subject"),
          text: try detail.text("description"), details: details.finished))
    }

    private func comment() throws(Rejection) -> NormalisedElement {
      let ticket = try ticket()
      let comment = event["comment"]
      let id = try commentID()
      let author = comment["author"]
      if author["id"].id == ZendeskEvent.systemUser { return .ignored(reason: "system") }
      let isStaff = author["is_staff"].bool == true
      let isInCopy = !isStaff && requester != nil && author["id"].id.map { $0 != requester } == true
      var details = JSONObjectWriter()
      details.member("author_name", isInCopy ? author["name"].personName : nil)
      details.member("comment", comment.rest(without: ["id", "body"]))
      details.member("ticket", detail.rest(without: ["description"]))
      return ticket.message(
        Ticket.Comment(
          id: id, isStaff: isStaff, isInCopy: isInCopy, isPublic: comment["is_public"].bool != false,
          authorID: author["id"].id, time: root["time"], text: try comment.text("body"), details: details.finished))
    }

    /// Of one attachment: the comment may have others.
    private func attachment(isRemoved: Bool) throws(Rejection) -> NormalisedElement {
      let ticket = try ticket()
      let comment = try commentID()
      let item = event["attachment"]
      let id = try item.requiredID("id", in: "event.attachment.")
      let type = item["content_type"].string
      var attachment = Attachment(kind: Attachment.kind(ofType: type), providerID: id)
      if !isRemoved {
        attachment.name = item["filename"].string?.nonEmpty
        attachment.type = type
        attachment.sizeBytes = item["size"].naturalNumber
        attachment.url = item["content_url"].string?.nonEmpty
      }
      let change = Change(
        kind: "attachment", target: ticket.name(comment), targetExternalID: comment, customer: ticket.customer,
        authorKind: isRemoved ? .agent : nil, attachments: [attachment], status: isRemoved ? "removed" : nil,
        details: isRemoved ? JSONText() : item.rest(without: ["id", "content_type", "filename", "size", "content_url"]))
      return delivery.event(
        delivery.key("attachment", comment, id, isRemoved ? "removed" : "linked"), sentAt: root["time"].time, .change(change))
    }

    private func state(_ what: String) throws(Rejection) -> NormalisedElement {
      let actor = detail["actor_id"].id
      let author: AuthorKind? = actor == ZendeskEvent.systemUser ? .system : actor != nil && actor == requester ? .customer : nil
      var details = JSONObjectWriter()
      details.member("event", what)
      details.member("from", event["previous"].json)
      details.member("to", event["current"].json)
      details.member("actor_id", actor)
      details.members(of: event, without: ["event", "from", "to", "actor_id", "previous", "current"])
      let status = what == "status_changed" ? event["current"].id?.lowercased() ?? what : what
      return try ticket().state(status, version: [eventID], at: root["time"].time, by: author, details.finished)
    }
  }
}
