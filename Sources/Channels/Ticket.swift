import Canonical
import Parsing

/// A ticket of another desk, which is a conversation here: what its comments and changes have in common.
///
/// Its customer is the requester, whoever writes: staff answer them, and whoever is in copy takes part in their ticket.
struct Ticket {
  let delivery: Delivery
  let id: String
  let customer: [StatedIdentifier]
  let customerName: String?
  /// Nobody but the customer reads it; whoever is in copy of a ticket does, and the desk does not say who that is.
  var isPersonal = false
  /// Whether the desk takes answers by the id.
  var takesAnswers = true

  /// What somebody has written into it.
  struct Comment {
    /// nil: the body does not say, and time and words have to do; without a time each delivery is one of its own.
    var id: String?
    var isStaff: Bool
    /// By somebody else than the requester, who is in copy.
    var isInCopy = false
    var isPublic: Bool
    /// Of the staff.
    var authorID: String?
    var time: JSONValue
    var subject: String?
    var text: String?
    /// Shown instead of `text`, where it says anything.
    var html: String?
    var attachments: [Attachment] = []
    /// The words are the business's own.
    var isButton = false
    /// What the desk takes for the author's language.
    var language: String?
    var details = JSONText()
  }

  var session: ReferenceKey { .session(.ticket, account: delivery.account, id: id) }

  /// Of a comment. The description of a ticket is its first message and has no id: it is `ticket:<id>`.
  func name(_ comment: String) -> ReferenceKey { .message(.ticket, account: delivery.account, id: comment) }

  func message(_ comment: Comment) -> NormalisedElement {
    let shown = comment.html.map {
      HTMLText.plainText($0, maximumOutputBytes: delivery.limits.textBytes, droppingQuotes: true)
    }
    let text = shown?.text.trimmed.nonEmpty ?? comment.text
    let reference = comment.id.map { name($0) }
    let words = comment.html ?? text ?? ""
    let key =
      reference.map { MessageKey($0) } ?? comment.time.id.map { delivery.key("comment", id, $0 + " " + words) }
      ?? delivery.envelopeKey("comment")
    // Without its customer what the staff say finds no conversation by itself.
    guard !customer.isEmpty || !comment.isStaff else {
      var change = Change(
        kind: Change.said, target: session, targetExternalID: comment.id, authorKind: .agent, text: text,
        attachments: comment.attachments.isEmpty ? nil : comment.attachments, status: comment.isPublic ? nil : "internal",
        details: comment.details)
      change.name = reference
      return delivery.event(key, sentAt: comment.time.time, .change(change))
    }
    var flags = comment.time.timeFlags
    if shown?.isTruncated == true { flags.append("text_truncated") }
    if customer.isEmpty { flags.append("customer_unknown") }
    if comment.isInCopy { flags.append("other_author") }
    let isOthers = comment.isStaff || comment.isButton
    var message = Message(
      direction: !comment.isPublic ? .internal : comment.isStaff ? .outbound : .inbound,
      authorKind: comment.isStaff ? .agent : .customer, authorID: comment.isStaff ? comment.authorID : nil, customer: customer,
      customerName: customerName,
      language: (isOthers ? nil : text.flatMap(Language.detect)) ?? (comment.isStaff ? nil : comment.language),
      externalID: comment.id, names: reference.map { [$0] } ?? [], session: session, subject: comment.subject, text: text,
      attachments: comment.attachments,
      original: comment.html.map { Original(contentType: "text/html; charset=utf-8", bytes: Array($0.utf8)) },
      details: comment.details, flags: flags)
    if takesAnswers { message.stand(in: id, isPersonal ? .private : .group) }
    return delivery.event(key, sentAt: comment.time.time, .message(message))
  }

  /// Taken back by the staff; whatever else is said of it would keep what has to go.
  func deletion(of comment: String, version: String, at time: Timestamp?) -> NormalisedElement {
    let change = Change(kind: "delete", target: name(comment), targetExternalID: comment, authorKind: .agent)
    return delivery.event(delivery.key("delete", comment, version), sentAt: time, .change(change))
  }

  /// Another status, priority or assignment; `version` tells it from the ticket's others, nil: only the delivery does.
  func state(
    _ status: String, version: [String]?, at time: Timestamp?, by author: AuthorKind? = nil, _ details: JSONText
  ) -> NormalisedElement {
    let change = Change(
      kind: "conversation_state", target: session, targetExternalID: id, customer: customer, authorKind: author, status: status,
      details: details)
    let key = version.map { delivery.key("conversation_state", [id] + $0) } ?? delivery.envelopeKey("conversation_state")
    return delivery.event(key, sentAt: time, .change(change))
  }
}
