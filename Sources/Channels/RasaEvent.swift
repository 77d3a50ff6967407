import Canonical
import Parsing

/// `rasa.event`: one event of Rasa's event broker.
///
/// What is said between a `sender_id` and the bot are messages of one session; most other events are the bot's own business. Rasa
/// hands over by convention: the action `action_human_handoff`, the flow `pattern_human_handoff`, the slot `human_handoff`, or
/// `handoff` or `handoff_host` in what the bot sends as `custom`. Source: `channels.md`, section 17.
enum RasaEvent {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    elements.add { () throws(Rejection) in try Reader(root, delivery).element() }
    if root["event"].string == "bot", isHandoff(root["data"]["custom"]) {
      elements.add { () throws(Rejection) in try Reader(root, delivery).handoff(root["data"]["custom"]) }
    }
  }

  private static func isHandoff(_ custom: JSONValue) -> Bool {
    let flag = custom["handoff"]
    return custom["handoff_host"].exists || flag.exists && !flag.isNull && flag.bool != false
  }

  private struct Reader {
    let event: JSONValue
    let delivery: Delivery
    let session: BotSession
    let type: String
    let sender: String
    /// The number as it was written: of two events of a sender one comes first.
    let stamp: String

    init(_ event: JSONValue, _ delivery: Delivery) throws(Rejection) {
      self.event = event
      self.delivery = delivery
      type = try event.requiredID("event")
      sender = try event.requiredID("sender_id")
      stamp = event["timestamp"].json.string
      session = try BotSession(sender, statedIn: [event["metadata"]], delivery)
    }

    private var time: Timestamp? { event["timestamp"].time }

    func element() throws(Rejection) -> NormalisedElement {
      switch type {
      case "user": return try user()
      case "bot", "agent": return try bot()
      case "session_started", "session_ended", "restart":
        return change("conversation_state", status: type, details(without: "event"))
      case "action" where event["name"].string == "action_human_handoff",
        "flow_started" where event["flow_id"].string == "pattern_human_handoff",
        "slot" where event["name"].string == "human_handoff" && event["value"].bool == true:
        return handoff(.absent)
      case _ where RasaEvent.inner.contains(type): return .ignored(reason: "bot_internal")
      default:
        let json = event.json
        return delivery.event(
          delivery.key("unknown", type, sender, stamp, json.string), sentAt: time,
          .unknown(Unknown(what: type, details: json)))
      }
    }

    /// A button comes back as its command, such as `/order{"id":1004}`.
    private func user() throws(Rejection) -> NormalisedElement {
      let text = try event.text("text")
      let isCommand = text?.hasPrefix("/") == true
      // What starts a session by itself is nobody's word.
      if text == "/session_start" || text == "/restart" || event["metadata"]["is_external"].bool == true {
        return .ignored(reason: "bot_internal")
      }
      if text == nil { return .ignored(reason: "empty") }
      let data = event["parse_data"]
      let id = event["message_id"].id ?? data["message_id"].id
      let name = id.map { ReferenceKey.message(.bot, account: delivery.account, id: $0) }
      var details = JSONObjectWriter()
      details.member("intent", data["intent"]["name"].string)
      details.member("confidence", data["intent"]["confidence"].json)
      if data["entities"].elements.contains(where: { _ in true }) { details.member("entities", data["entities"].json) }
      if isCommand { details.member("postback", true) }
      details.member("event", self.details())
      let message = Message(
        direction: .inbound, authorKind: .customer, customer: [],
        // A button's words are the bot's own.
        language: isCommand ? nil : text.flatMap(Language.detect), externalID: id, names: name.map { [$0] } ?? [], text: text,
        details: details.finished, flags: event["timestamp"].timeFlags)
      let key = name.map { MessageKey($0) } ?? delivery.key("user", sender, stamp, text ?? "")
      return session.said(message, key: key, sentAt: time)
    }

    /// What the bot says has no id.
    private func bot() throws(Rejection) -> NormalisedElement {
      let text = try event.text("text")
      let data = event["data"]
      var attachments: [Attachment] = []
      if let url = data["image"].string?.nonEmpty { attachments.append(Attachment(kind: "image", url: url)) }
      let file = data["attachment"]
      let payload = file["payload"]
      if let url = file.string?.nonEmpty ?? payload["src"].string?.nonEmpty ?? payload["url"].string?.nonEmpty {
        let kind = file["type"].string ?? ""
        attachments.append(Attachment(kind: ["image", "video", "audio"].contains(kind) ? kind : "file", url: url))
      }
      var said = JSONObjectWriter()
      for (name, value) in data.members where !value.isNull { said.member(name, value.json) }
      let kept = said.finished
      if text == nil, kept.isEmpty { return .ignored(reason: "empty") }
      var details = JSONObjectWriter()
      details.member("data", kept)
      details.member("event", self.details())
      let message = Message(
        direction: .outbound, authorKind: type == "agent" ? .agent : .bot, customer: [], text: text, attachments: attachments,
        details: details.finished, flags: event["timestamp"].timeFlags)
      return session.said(
        message, key: delivery.key(type, sender, stamp, text ?? "", kept.string), sentAt: time)
    }

    func handoff(_ custom: JSONValue) -> NormalisedElement {
      var details = JSONObjectWriter()
      details.member("reason", custom["reason"].string ?? custom["handoff"]["reason"].string)
      details.member("event", event.rest(without: ["sender_id", "timestamp", "parse_data"]))
      return change("handoff", details.finished)
    }

    private func change(_ kind: String, status: String? = nil, _ details: JSONText) -> NormalisedElement {
      session.change(kind, status: status, key: delivery.key(kind, type, sender, stamp), sentAt: time, details)
    }

    /// What else the event says.
    private func details(without other: String? = nil) -> JSONText {
      var details = JSONObjectWriter()
      for (name, value) in event.members where !value.isNull && !RasaEvent.shown.contains(name) && name != other {
        details.member(name, value.json)
      }
      return details.finished
    }
  }

  private static let shown: Set<String> = ["sender_id", "timestamp", "text", "message_id", "parse_data", "data"]

  /// How the bot comes to its words.
  private static let inner: Set<String> = [
    "action", "slot", "reset_slots", "followup", "rewind", "undo", "pause", "resume", "reminder", "cancel_reminder", "export",
    "form", "form_validation", "active_loop", "loop_interrupted", "action_execution_rejected", "entities", "user_featurization",
    "stack", "flow_started", "flow_completed", "flow_interrupted", "flow_resumed", "flow_cancelled", "routing_session_ended",
  ]
}
