import Canonical
import Parsing

/// A batch of Sunshine Conversations, which comes as `zendesk.event`, too.
///
/// Users are other records than those of Support, unique inside an app. What the business says names no user, so it belongs to
/// its conversation and to nobody else. A profile is what somebody has typed. Source: `channels.md`, section 18.2.
enum SunshineEvent {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) {
    let scope = "sunshine:" + (root["app"]["id"].id ?? delivery.account)
    for item in root["events"].elements {
      elements.add { () throws(Rejection) in
        guard item.isObject else { throw Rejection(.malformedPayload, "events[]") }
        return try Reader(item: item, scope: scope, delivery: delivery).element()
      }
    }
  }

  /// One event of the batch.
  private struct Reader {
    let item: JSONValue
    let scope: String
    let delivery: Delivery

    private var payload: JSONValue { item["payload"] }
    private var user: JSONValue { payload["user"] }

    func element() throws(Rejection) -> NormalisedElement {
      let type = try item.requiredID("type", in: "events[].")
      switch type {
      case "conversation:message": return try message()
      case "conversation:postback": return try postback()
      case "conversation:read": return try read()
      case "conversation:message:delivery:channel": return try receipt("sent")
      case "conversation:message:delivery:user": return try receipt("delivered")
      case "conversation:message:delivery:failure": return try receipt("failed")
      case "user:merge": return try merge()
      case "conversation:typing": return .ignored(reason: "typing")
      case let type where type.hasPrefix("switchboard:"): return try control(type)
      default:
        return delivery.event(
          delivery.key("unknown", type, try eventID()), sentAt: item["createdAt"].time,
          .unknown(Unknown(what: type, details: item.json)))
      }
    }

    private func eventID() throws(Rejection) -> String { try item.requiredID("id", in: "events[].") }

    private func conversationID() throws(Rejection) -> String {
      try payload["conversation"].requiredID("id", in: "payload.conversation.")
    }

    private func message() throws(Rejection) -> NormalisedElement {
      let body = payload["message"]
      let id = try body.requiredID("id", in: "payload.message.")
      let author = body["author"]
      let isUs: Bool
      switch author["type"].string {
      case "user": isUs = false
      case "business": isUs = true
      default: throw Rejection(.malformedPayload, "payload.message.author.type")
      }
      let person = isUs ? user : author["user"]
      let userID = isUs ? person["id"].id : author["userId"].id ?? person["id"].id
      guard isUs || userID != nil else { throw Rejection(.malformedPayload, "payload.message.author.userId") }
      let content = body["content"]
      let type = content["type"].string ?? ""
      var details = JSONObjectWriter()
      details.member("conversation", payload["conversation"].json)
      details.member("author", author.rest(without: ["type", "userId", "user"]))
      details.member("content", content.rest(without: ["text", "mediaUrl", "mediaType", "mediaSize", "attachmentId"]))
      details.members(of: body, without: ["id", "received", "conversation", "author", "content", "unknown"])
      details.member("unknown", Self.contents.contains(type) ? nil : type.nonEmpty ?? "message")
      let ticket = Ticket(
        delivery: delivery, id: try conversationID(), customer: try identifiers(userID, person),
        customerName: isUs ? nil : author["displayName"].personName ?? person["profile"]["givenName"].personName,
        isPersonal: isPersonal)
      return ticket.message(
        Ticket.Comment(
          id: id, isStaff: isUs, isPublic: true, authorID: author["userId"].id,
          time: body["received"].exists ? body["received"] : item["createdAt"],
          text: try content.text("text") ?? content["textFallback"].string?.nonEmpty, attachments: attachments(of: content),
          language: locale(of: person), details: details.finished))
    }

    private static let contents: Set<String> = [
      "text", "image", "file", "carousel", "form", "formResponse", "list", "location", "template",
    ]

    private func attachments(of content: JSONValue) -> [Attachment] {
      let kind = content["type"].string
      switch kind {
      case "image", "file":
        let type = content["mediaType"].string
        return [
          Attachment(
            kind: kind == "image" ? "image" : Attachment.kind(ofType: type), type: type,
            sizeBytes: content["mediaSize"].naturalNumber, providerID: content["attachmentId"].id,
            url: content["mediaUrl"].string?.nonEmpty)
        ]
      case "location": return [Attachment(kind: "location", name: content["location"]["name"].string?.nonEmpty)]
      default: return []
      }
    }

    private var isPersonal: Bool { payload["conversation"]["type"].string != "sdkGroup" }

    /// A pressed button; it has no id but the event's.
    private func postback() throws(Rejection) -> NormalisedElement {
      let body = payload["postback"]
      guard body.isObject else { throw Rejection(.malformedPayload, "payload.postback") }
      let userID = try user.requiredID("id", in: "payload.user.")
      let ticket = Ticket(
        delivery: delivery, id: try conversationID(), customer: try identifiers(userID, user),
        customerName: user["profile"]["givenName"].personName, isPersonal: isPersonal)
      return ticket.message(
        Ticket.Comment(
          id: try eventID(), isStaff: false, isPublic: true, time: item["createdAt"],
          text: try body.text("text") ?? body["title"].string?.nonEmpty, isButton: true, language: locale(of: user),
          details: payload.rest(without: ["user"])))
    }

    /// Of everything up to its time.
    private func read() throws(Rejection) -> NormalisedElement {
      let author = payload["activity"]["author"]
      if author["type"].string == "business" { return .ignored(reason: "own_read") }
      let person = author["user"].isObject ? author["user"] : user
      guard let userID = author["userId"].id ?? person["id"].id else { throw Rejection(.malformedPayload, "payload.user.id") }
      guard let time = item["createdAt"].time else { throw Rejection(.malformedPayload, "events[].createdAt") }
      var details = JSONObjectWriter()
      details.member("conversation", payload["conversation"].json)
      let change = Change(
        kind: "receipt", customer: try identifiers(userID, person), authorKind: .customer, status: "read", upTo: time,
        details: details.finished)
      return delivery.event(
        delivery.key("receipt", try conversationID(), "read", try eventID()), sentAt: time, .change(change))
    }

    private func receipt(_ status: String) throws(Rejection) -> NormalisedElement {
      let target = try payload["message"].requiredID("id", in: "payload.message.")
      let error = payload["error"]
      let change = Change(
        kind: "receipt", target: .message(.ticket, account: delivery.account, id: target), targetExternalID: target,
        customer: try identifiers(user["id"].id, user), status: status,
        error: status == "failed" ? error["message"].string?.nonEmpty ?? error["code"].id : nil,
        details: payload.rest(without: ["message", "user"]))
      return delivery.event(
        delivery.key("receipt", target, status, payload["destination"]["integrationId"].id ?? ""),
        sentAt: item["createdAt"].time, .change(change))
    }

    /// Who has the conversation, or shall have it. The desk's agents are the humans that a bot asks for.
    private func control(_ type: String) throws(Rejection) -> NormalisedElement {
      let conversation = payload["conversation"]
      let isOffer = type == "switchboard:offerControl"
      let next = conversation[isOffer ? "pendingSwitchboardIntegration" : "activeSwitchboardIntegration"]["integrationType"]
      let isHandoff =
        (isOffer || type == "switchboard:passControl") && next.string == "zd:agentWorkspace" && delivery.isVouchedFor
      let change = Change(
        kind: isHandoff ? Change.handoff : Change.conversationState,
        target: .session(.ticket, account: delivery.account, id: try conversationID()), status: isHandoff ? nil : type,
        details: payload.rest(without: ["user"]))
      return delivery.event(delivery.key(type, try eventID()), sentAt: item["createdAt"].time, .change(change))
    }

    /// Two users have turned out to be one; the one that is left comes first.
    private func merge() throws(Rejection) -> NormalisedElement {
      let users = payload["mergedUsers"]
      var identifiers = StatedIdentifiers(delivery.limits)
      for name in ["surviving", "discarded"] {
        let id = try users[name].requiredID("id", in: "payload.mergedUsers." + name + ".")
        try identifiers.add(.contact, scope: scope, id, delivery.recordAssurance)
      }
      let change = Change(kind: "identity_change", customer: identifiers.list, details: payload.json)
      return delivery.event(
        delivery.key("identity_change", try eventID()), sentAt: item["createdAt"].time, .change(change))
    }

    private func identifiers(_ id: String?, _ user: JSONValue) throws(Rejection) -> [StatedIdentifier] {
      var identifiers = StatedIdentifiers(delivery.limits)
      try identifiers.add(.contact, scope: scope, id, delivery.recordAssurance)
      let isBusiness = delivery.envelope.attested.contains(.business)
      try identifiers.add(.externalID, user["externalId"].id, isBusiness ? .a3 : delivery.isVouchedFor ? .a1 : .a0)
      try identifiers.add(.email, user["profile"]["email"].string(atMost: JSONValue.longestID), .a0)
      return identifiers.list
    }

    private func locale(of user: JSONValue) -> String? { user["profile"]["locale"].string(atMost: 64)?.languageOfLocale }
  }
}
