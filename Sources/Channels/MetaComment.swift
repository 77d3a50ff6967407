import Canonical
import Parsing

/// What is written in public on a page or a professional account: comments, what visitors post on a page, and reactions to comments.
///
/// Its authors have the ids that they have in private messages. Source: `channels.md`, sections 6 and 7.
struct MetaComment {
  let delivery: Delivery
  let kind: IdentifierKind
  /// The `field` and `value` of a change.
  let field: String
  let value: JSONValue
  /// When the entry was made: Instagram states no other time.
  let entryTime: JSONValue

  private var author: JSONValue { value["from"] }

  /// Nil for what this version does not know, and for what does not say who wrote it.
  func element() throws(Rejection) -> NormalisedElement? {
    switch (field, value["item"].string) {
    case ("comments", _), ("live_comments", _):
      return try written(id: value.requiredID("id", in: "value."), text: value.text("text"), verb: "add")
    // What was said has to be asked for.
    case ("mentions", _):
      let id = try value.requiredID(value["comment_id"].exists ? "comment_id" : "media_id", in: "value.")
      let change = Change(kind: "enrichment", target: name(id), targetExternalID: id, details: value.json)
      return delivery.event(delivery.key("enrichment", id), sentAt: entryTime.time, .change(change))
    case ("feed", "comment"):
      return try written(
        id: value.requiredID("comment_id", in: "value."), text: value.text("message"), verb: value["verb"].string)
    case ("feed", "post"), ("feed", "status"), ("feed", "photo"), ("feed", "video"):
      if author["id"].id == delivery.account { return .ignored(reason: "own_post") }
      return try written(id: value.requiredID("post_id", in: "value."), text: value.text("message"), verb: value["verb"].string)
    case ("feed", "reaction"), ("feed", "like"):
      guard let target = value["comment_id"].id else { return .ignored(reason: "post_reaction") }
      return try reaction(to: target)
    default: return nil
    }
  }

  private func written(id: String, text: String?, verb: String?) throws(Rejection) -> NormalisedElement? {
    guard let person = author["id"].id else { return nil }
    let isUs = person == delivery.account || author["self_ig_scoped_id"].id != nil
    let customer = isUs ? [] : try identifiers(person)
    var change: Change
    switch verb {
    case "add" where !isUs: return try message(id, text, customer)
    // It names nobody: it belongs where what it answers is.
    case "add":
      guard let parent = value["parent_id"].id ?? value["post_id"].id else { return .ignored(reason: "own_post") }
      change = Change(
        kind: Change.said, target: name(parent), text: text, attachments: attachments, details: details(text, visibility: .public)
      )
      (change.name, change.targetExternalID, change.authorKind) = (name(id), id, .agent)
      return delivery.event(MessageKey(name(id)), sentAt: createdAt.time, .change(change))
    case "edit", "edited":
      change = Change(kind: "edit", text: text ?? "", attachments: attachments.isEmpty ? nil : attachments)
    case "remove", "delete": change = Change(kind: "delete")
    default: return nil
    }
    (change.target, change.targetExternalID, change.customer) = (name(id), id, customer)
    change.authorKind = isUs ? .agent : .customer
    // A comment can be written back to what it was.
    let version = change.kind == "edit" ? entryTime.json.string + (text ?? "") : ""
    return delivery.event(delivery.key(change.kind, id, person, version), sentAt: entryTime.time, .change(change))
  }

  private func message(_ id: String, _ text: String?, _ customer: [StatedIdentifier]) throws(Rejection) -> NormalisedElement {
    // A comment on the post itself has nothing to do with all the others there.
    let parent = value["parent_id"].id.flatMap { $0 == value["post_id"].id ? nil : $0 }
    var message = Message(
      direction: .inbound, authorKind: .customer, customer: customer,
      customerName: author["name"].personName ?? author["username"].personName, language: text.flatMap(Language.detect),
      externalID: id, names: [name(id)], references: parent.map { [name($0)] } ?? [], replyToExternalID: parent, text: text,
      attachments: attachments, details: details(text), flags: createdAt.timeFlags)
    message.visibility = .public
    return delivery.event(MessageKey(name(id)), sentAt: createdAt.time, .message(message))
  }

  private func reaction(to target: String) throws(Rejection) -> NormalisedElement? {
    guard let person = author["id"].id else { return nil }
    let action: String
    switch value["verb"].string {
    case "add", "edit": action = "add"
    case "remove": action = "remove"
    default: return nil
    }
    let isUs = person == delivery.account
    var change = Change(
      kind: "reaction", target: name(target), targetExternalID: target,
      customer: isUs ? [] : try identifiers(person), status: action, reaction: value["reaction_type"].string?.nonEmpty ?? "like")
    change.authorKind = isUs ? .agent : .customer
    return delivery.event(
      delivery.key("reaction", target, person, [action, change.reaction ?? "", createdAt.json.string].joined(separator: " ")),
      sentAt: createdAt.time, .change(change))
  }

  private func identifiers(_ person: String) throws(Rejection) -> [StatedIdentifier] {
    try delivery.identifiers(kind, scope: delivery.account, person, delivery.providerAssurance)
  }

  private var createdAt: JSONValue { value["created_time"].exists ? value["created_time"] : entryTime }

  private var attachments: [Attachment] {
    [("photo", "image"), ("video", "video")].compactMap { member, kind in
      // What is posted has its file in the link.
      let url = value[member].string?.nonEmpty ?? (value["item"].string == member ? value["link"].string?.nonEmpty : nil)
      return url.map { Attachment(kind: kind, url: $0) }
    }
  }

  /// A message says itself who reads it.
  private func details(_ text: String?, visibility: Visibility? = nil) -> JSONText {
    var details = JSONObjectWriter()
    details.member("visibility", visibility?.rawValue)
    details.member("username", author["username"].personName)
    details.member("unknown", text == nil && attachments.isEmpty ? value["item"].string ?? "comment" : nil)
    details.members(
      of: value,
      without: [
        "visibility", "username", "unknown", "from", "item", "verb", "id", "comment_id", "created_time", "message", "text",
        "photo", "video",
      ])
    return details.finished
  }

  private func name(_ id: String) -> ReferenceKey { .message(delivery.channel, account: delivery.account, id: id) }
}
