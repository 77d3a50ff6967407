import Canonical
import Parsing

/// The webhook body of Messenger and Instagram: many messages, echoes, changes and receipts of many entries.
///
/// The account is the page or professional account of the entry (`entry[].id`), which also is the scope of its users' ids.
enum MetaMessaging {
  static func read(
    _ root: JSONValue, object: String, kind: IdentifierKind, _ delivery: Delivery, _ elements: inout Elements
  ) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    // What the button "Test" of Meta's dashboard sends: a change without its envelope, or an entry "0".
    if !root["object"].exists, root["field"].isString, root["value"].exists {
      return elements.add { .ignored(reason: "verification") }
    }
    guard root["object"].string == object else { throw Rejection(.malformedPayload, "object") }
    guard root["entry"].isArray else { throw Rejection(.malformedPayload, "entry") }
    for entry in root["entry"].elements {
      guard let account = entry["id"].id else {
        elements.add { () throws(Rejection) in throw Rejection(.malformedPayload, "entry[]") }
        continue
      }
      if account == "0" {
        elements.add { .ignored(reason: "verification") }
        continue
      }
      var delivery = delivery
      delivery.account = account
      EntryReader(delivery: delivery, kind: kind).read(entry, &elements)
    }
  }

  /// One `entry[]`.
  private struct EntryReader {
    let delivery: Delivery
    let kind: IdentifierKind

    func read(_ entry: JSONValue, _ elements: inout Elements) {
      let lists = ["messaging", "standby", "changes"].filter { entry.says($0) }
      for list in lists {
        guard entry[list].isArray else {
          elements.add { () throws(Rejection) in throw Rejection(.malformedPayload, list) }
          continue
        }
        for item in entry[list].elements {
          if list == "changes" {
            change(item, at: entry["time"], &elements)
          } else {
            event(item, isStandby: list == "standby", &elements)
          }
        }
      }
      // Apps with Business Login get a change without its list.
      if entry.says("field") {
        change(entry, at: entry["time"], &elements)
      } else if lists.isEmpty {
        elements.add { unknown("entry", entry.rest(without: ["id", "time"]), at: nil) }
      }
    }

    /// A change is a comment or the like, but some subscriptions wrap a message in one.
    private func change(_ item: JSONValue, at time: JSONValue, _ elements: inout Elements) {
      let value = item["value"]
      if value["sender"].isObject, value["recipient"].isObject {
        return event(value, isStandby: item["field"].string == "standby", &elements)
      }
      elements.add { () throws(Rejection) in
        guard let field = item["field"].string?.nonEmpty, value.exists else { throw Rejection(.malformedPayload, "changes[]") }
        let comment = MetaComment(delivery: delivery, kind: kind, field: field, value: value, entryTime: time)
        return try comment.element() ?? unknown(field, value.json, at: value["created_time"].time)
      }
    }

    /// One `messaging[]` or `standby[]`: what it is, the name of a member says.
    private func event(_ item: JSONValue, isStandby: Bool, _ elements: inout Elements) {
      let mids = item["delivery"]["mids"]
      var hasIDs = false
      for mid in mids.elements {
        hasIDs = true
        elements.add { () throws(Rejection) in
          guard let mid = mid.id else { throw Rejection(.malformedPayload, "delivery.mids[]") }
          return try receipt("delivered", of: mid, item, item["delivery"])
        }
      }
      if hasIDs { return }
      elements.add { () throws(Rejection) in
        guard item.isObject else { throw Rejection(.malformedPayload, "messaging[]") }
        if let name = ["message", "postback"].first(where: item.says) { return try message(item, name, isStandby: isStandby) }
        if item.says("reaction") { return try reaction(item) }
        if item.says("message_edit") { return try edit(item) }
        if item.says("delivery") { return try receipt("delivered", of: nil, item, item["delivery"]) }
        if item.says("read") { return try receipt("read", of: item["read"]["mid"].id, item, item["read"]) }
        if let name = Self.states.keys.sorted().first(where: item.says), let state = Self.states[name] {
          return try stateChange(state, item, name)
        }
        var details = JSONObjectWriter()
        details.members(of: item, without: ["account_linking"])
        // The code would let its reader finish somebody's log-in.
        details.member("account_linking", item["account_linking"].rest(without: ["authorization_code"]))
        let what = item.members.first { !Self.consumed.contains($0.key) }?.key
        return unknown(what ?? "messaging", details.finish(), at: item["timestamp"].time)
      }
    }

    /// A message or a pressed button; of one that was taken back, the deletion.
    private func message(_ item: JSONValue, _ name: String, isStandby: Bool) throws(Rejection) -> NormalisedElement {
      let body = item[name]
      guard body.isObject else { throw Rejection(.malformedPayload, name) }
      let isPostback = name == "postback"
      let person = try Person(item, account: delivery.account)
      // The account may write to itself.
      if person.id == delivery.account { return .ignored(reason: "self") }
      let timestamp = item["timestamp"]
      let id = isPostback ? body["mid"].id : try body.requiredID("mid", in: "message.")
      if let id, body["is_deleted"].bool == true {
        return try change(Change(kind: "delete"), to: id, by: person, item, version: "")
      }
      let text = try body.text(isPostback ? "title" : "text")
      let media = Media(body["attachments"], limit: delivery.limits.attachments + 1)
      let isButton = isPostback || body.says("quick_reply")

      var details = JSONObjectWriter()
      details.members(of: item, without: Self.consumed.union(["standby", "unknown"]), or: name)
      details.member(name, body.rest(without: media.isPlain ? Self.shown.union(["attachments"]) : Self.shown))
      if isStandby { details.member("standby", true) }
      if text == nil, media.attachments.isEmpty, !isButton {
        let what =
          body["is_unsupported"].bool == true ? "unsupported" : body["attachments"].elements.first { _ in true }?["type"].string
        details.member("unknown", what ?? "message")
      }
      let reference = id.map { ReferenceKey.message(delivery.channel, account: delivery.account, id: $0) }
      let replyTo = body["reply_to"]["mid"].id
      var message = Message(
        direction: person.isUs ? .outbound : .inbound, authorKind: person.isUs ? .agent : .customer,
        customer: try identifiers(person, sharing: isPostback ? nil : text, body["quick_reply"]["payload"].string),
        // A button's words are the business's own.
        language: person.isUs || isButton ? nil : text.flatMap(Language.detect), externalID: id,
        names: reference.map { [$0] } ?? [],
        references: replyTo.map { [.message(delivery.channel, account: delivery.account, id: $0)] } ?? [],
        replyToExternalID: replyTo, text: text, attachments: media.attachments, details: details.finished,
        flags: timestamp.timeFlags)
      message.isStandby = isStandby
      // Older postbacks have no id.
      let key =
        reference.map { MessageKey($0) }
        ?? delivery.key("postback", person.id, timestamp.json.string, text ?? "", body["payload"].json.string)
      return delivery.event(key, sentAt: timestamp.time, .message(message))
    }

    private func reaction(_ item: JSONValue) throws(Rejection) -> NormalisedElement {
      let body = item["reaction"]
      let target = try body.requiredID("mid", in: "reaction.")
      let action: String
      switch body["action"].string {
      case "react": action = "add"
      case "unreact": action = "remove"
      default: throw Rejection(.malformedPayload, "reaction.action")
      }
      let (emoji, name) = (body["emoji"].string?.nonEmpty, body["reaction"].string?.nonEmpty)
      var details = JSONObjectWriter()
      details.member("reaction", emoji == nil ? nil : name)
      let reaction = Change(kind: "reaction", status: action, reaction: emoji ?? name, details: details.finished)
      return try change(
        reaction, to: target, by: Person(item, account: delivery.account), item,
        version: action + " " + item["timestamp"].json.string)
    }

    private func edit(_ item: JSONValue) throws(Rejection) -> NormalisedElement {
      let body = item["message_edit"]
      let target = try body.requiredID("mid", in: "message_edit.")
      var edit = Change(kind: "edit")
      // Instagram may say null, which is not an empty text.
      if body.says("text") {
        guard let text = body["text"].string else { throw Rejection(.malformedPayload, "message_edit.text") }
        edit.text = text
      }
      var details = JSONObjectWriter()
      details.member("num_edit", body["num_edit"].int64)
      edit.details = details.finished
      return try change(
        edit, to: target, by: Person(item, account: delivery.account), item,
        version: (body["num_edit"].id ?? "") + " " + item["timestamp"].json.string)
    }

    /// The ids of these events are their target's, so the key is of the whole act.
    private func change(
      _ said: Change, to target: String, by person: Person, _ item: JSONValue, version: String
    ) throws(Rejection) -> NormalisedElement {
      var change = said
      change.target = .message(delivery.channel, account: delivery.account, id: target)
      change.targetExternalID = target
      change.customer = try identifiers(person)
      change.authorKind = person.isUs ? .agent : .customer
      let actor = person.isUs ? delivery.account : person.id
      return delivery.event(
        delivery.key(change.kind, target, actor, version), sentAt: item["timestamp"].time, .change(change))
    }

    /// Of one message, or of all that were sent up to a watermark: those have no target.
    private func receipt(
      _ status: String, of target: String?, _ item: JSONValue, _ body: JSONValue
    ) throws(Rejection) -> NormalisedElement {
      let person = try Person(item, account: delivery.account)
      let watermark = body["watermark"].time
      guard target != nil || watermark != nil else { throw Rejection(.malformedPayload, status + ".watermark") }
      var details = JSONObjectWriter()
      details.member("watermark", target == nil ? nil : watermark?.iso8601)
      let change = Change(
        kind: "receipt", target: target.map { .message(delivery.channel, account: delivery.account, id: $0) },
        targetExternalID: target, customer: try identifiers(person), status: status, upTo: target == nil ? watermark : nil,
        details: details.finished)
      let key =
        target.map { delivery.key("receipt", $0, status, person.id) }
        ?? delivery.key("watermark", status, person.id, watermark?.iso8601 ?? "")
      return delivery.event(key, sentAt: item["timestamp"].time, .change(change))
    }

    /// Who answers, or whether we may write: about the customer, not about a message.
    private func stateChange(_ kind: String, _ item: JSONValue, _ name: String) throws(Rejection) -> NormalisedElement {
      // News and offers, which answers are none of; what takes the opt-in back is called so, too.
      let isMarketing = item[name]["type"].string == "notification_messages"
      let isStopped = item[name]["notification_messages_status"].string?.hasPrefix("STOP") == true
      let consent = (isMarketing ? "marketing_" : "") + (isStopped ? "opt_out" : "opt_in")
      // A plugin's opt-in knows its user by a reference alone.
      let person = try? Person(item, account: delivery.account)
      // Another app asks for a human; the page's own inbox gives back what is done.
      let owners = [item[name]["previous_owner_app_id"].id, item[name]["new_owner_app_id"].id]
      let isHandoff = name == "pass_thread_control" && owners[0] != nil && !owners.contains(Self.pageInbox)
      if isHandoff, let person, delivery.isVouchedFor {
        var message = Message(
          direction: .internal, authorKind: .bot, customer: try identifiers(person), details: item.rest(without: Self.consumed))
        message.isHandoff = true
        return delivery.event(
          delivery.key("handoff", person.id, item["timestamp"].json.string, item[name].json.string),
          sentAt: item["timestamp"].time, .message(message))
      }
      let change = Change(
        kind: kind, customer: try person.map { person throws(Rejection) in try identifiers(person) } ?? [],
        status: kind == "consent" ? consent : name, details: item.rest(without: Self.consumed))
      return delivery.event(
        delivery.key(kind, person?.id ?? "", item["timestamp"].json.string, item[name].json.string),
        sentAt: item["timestamp"].time, .change(change))
    }

    private func unknown(_ what: String, _ details: JSONText, at time: Timestamp?) -> NormalisedElement {
      delivery.event(
        delivery.key("unknown", what, details.string), sentAt: time, .unknown(Unknown(what: what, details: details)))
    }

    /// The scoped id, and the e-mail address or number that a customer shares by the provider's own quick reply: its payload is
    /// what its button says.
    private func identifiers(
      _ person: Person, sharing text: String? = nil, _ payload: String? = nil
    ) throws(Rejection) -> [StatedIdentifier] {
      let assurance = delivery.providerAssurance
      var identifiers = StatedIdentifiers(delivery.limits)
      try identifiers.add(kind, scope: delivery.account, person.id, assurance)
      if let text, text == payload, !person.isUs, text.utf8.count <= Identifier.maximumBytes {
        try identifiers.add(text.utf8.contains(UInt8(ascii: "@")) ? .email : .phone, text, assurance)
      }
      return identifiers.list
    }

    private static let pageInbox = "263902037430900"
    private static let states = [
      "optin": "consent", "pass_thread_control": "conversation_state", "take_thread_control": "conversation_state",
      "request_thread_control": "conversation_state",
    ]
    private static let consumed: Set<String> = ["sender", "recipient", "timestamp"]
    /// What has a place of its own in a message.
    private static let shown: Set<String> = ["mid", "text", "title", "is_echo"]
  }

  /// The customer's side of an element. Of an echo the sender is the account itself.
  private struct Person {
    let isUs: Bool
    let id: String

    init(_ item: JSONValue, account: String) throws(Rejection) {
      isUs = item["message"]["is_echo"].bool == true || item["sender"]["id"].id == account
      let side = isUs ? "recipient" : "sender"
      id = try item[side].requiredID("id", in: side + ".")
    }
  }

  /// `attachments[]`: references that expire, without MIME type, size or name.
  private struct Media {
    var attachments: [Attachment] = []
    /// Whether the attachments hold all that was said.
    var isPlain = true

    init(_ list: JSONValue, limit: Int) {
      var stickers: Set<String> = []
      if list.exists, !list.isArray { isPlain = false }
      for item in list.elements.prefix(limit) {
        let type = item["type"].string ?? ""
        let payload = item["payload"]
        let url = payload["url"].string?.nonEmpty ?? item["url"].string?.nonEmpty
        let sticker = payload["sticker_id"].id
        if !Self.plainTypes.contains(type) || url == nil || !item.rest(without: ["type", "payload"]).isEmpty
          || !payload.rest(without: ["url"]).isEmpty
        {
          isPlain = false
        }
        // One sticker may come twice, as itself and as an image.
        if let sticker, !stickers.insert(sticker).inserted { continue }
        guard url != nil || sticker != nil || Self.bareTypes.contains(type) else { continue }
        attachments.append(
          Attachment(
            kind: sticker != nil ? "sticker" : Self.kinds[type] ?? "file",
            name: payload["title"].string?.nonEmpty ?? item["title"].string?.nonEmpty, providerID: sticker, url: url))
      }
    }

    private static let plainTypes: Set<String> = ["image", "video", "audio", "file"]
    /// They say something without a URL.
    private static let bareTypes: Set<String> = ["sticker", "like_heart", "location"]
    private static let kinds = [
      "image": "image", "video": "video", "audio": "audio", "sticker": "sticker", "like_heart": "sticker",
      "location": "location", "reel": "video", "ig_reel": "video",
    ]
  }
}

extension JSONValue {
  /// Whether the member is there and is not null.
  fileprivate func says(_ key: String) -> Bool { self[key].exists && !self[key].isNull }
}
