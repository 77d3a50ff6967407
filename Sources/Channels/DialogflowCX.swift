import Canonical
import Parsing

/// `dialogflow.cx`: one turn of a Dialogflow CX session (the response of detectIntent, or the webhook request before it), or one
/// ConversationEvent.
///
/// A response does not name its session: the adapter passes the request's path (`http_path`). Turns state no time. Source:
/// `channels.md`, section 17.
enum DialogflowCX {
  static func read(_ root: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard root.isObject else { throw Rejection(.malformedPayload, "not an object") }
    let (body, push) = try PubSub.unwrapped(root, delivery)
    if body["conversation"].isString, body["type"].isString {
      return elements.add { () throws(Rejection) in try conversationEvent(body, push, delivery) }
    }
    let result = body["queryResult"].isObject ? body["queryResult"] : body
    guard let id = body["responseId"].id ?? body["detectIntentResponseId"].id else {
      throw Rejection(.malformedPayload, "responseId")
    }
    guard let sessionID = session(of: body, delivery) else { throw Rejection(.malformedPayload, "sessionInfo.session") }
    let places = [body["sessionInfo"]["parameters"], result["parameters"], body["payload"]]
    let turn = Turn(
      id: id, sessionID: sessionID, session: try BotSession(sessionID, statedIn: places, delivery), delivery: delivery,
      language: result["languageCode"].string?.languageOfLocale,
      match: result["match"].isObject ? result["match"] : body["intentInfo"])
    if let text = said(in: result) { elements.add { turn.query(text, result) } }
    let responses = result["responseMessages"].isArray ? result["responseMessages"] : body["messages"]
    for (position, item) in responses.elements.enumerated() {
      elements.add { () throws(Rejection) in
        guard item.isObject else { throw Rejection(.malformedPayload, "responseMessages[]") }
        return turn.response(item, position)
      }
    }
  }

  /// The customer's words: typed, spoken or keyed in. What a program triggers is nobody's word.
  private static func said(in result: JSONValue) -> String? {
    let places = [result["text"], result["transcript"], result["dtmf"]["digits"], result["dtmfDigits"]]
    return places.lazy.compactMap { $0.string?.nonEmpty }.first
  }

  private static func session(of body: JSONValue, _ delivery: Delivery) -> String? {
    if let name = body["sessionInfo"]["session"].id ?? body["session"].id { return lastID(of: name) ?? name }
    // `/v3/projects/…/sessions/<id>:detectIntent`.
    return delivery.envelope.headers["http_path"].flatMap(lastID)?.split(separator: ":").first.map(String.init)
  }

  /// The id behind `sessions/` or `conversations/`.
  private static func lastID(of name: String) -> String? {
    let parts = name.split(separator: "/")
    guard let place = parts.lastIndex(where: { $0 == "sessions" || $0 == "conversations" }), place + 1 < parts.count else {
      return nil
    }
    return String(parts[place + 1])
  }

  private struct Turn {
    let id: String
    let sessionID: String
    let session: BotSession
    let delivery: Delivery
    let language: String?
    let match: JSONValue

    func query(_ text: String, _ result: JSONValue) -> NormalisedElement {
      var details = JSONObjectWriter()
      details.member("intent", intent)
      details.member("confidence", match["confidence"].json)
      details.member("page", result["currentPage"]["displayName"].string)
      details.member("parameters", result["parameters"].rest(without: ["conversation_ref"]))
      let message = Message(
        direction: .inbound, authorKind: .customer, customer: [], language: language ?? Language.detect(text), text: text,
        details: details.finished)
      return session.said(message, key: key("query"), sentAt: nil)
    }

    /// One of the bot's answers: words, something for its own front end, or a signal.
    func response(_ item: JSONValue, _ position: Int) -> NormalisedElement {
      if item["liveAgentHandoff"].exists { return handoff(item["liveAgentHandoff"]["metadata"]) }
      if item["endInteraction"].exists {
        return session.change("conversation_state", status: "endInteraction", key: key("end"), sentAt: nil, item.json)
      }
      if item["conversationSuccess"].exists { return .ignored(reason: "bot_internal") }
      let lines = item["text"]["text"].elements.prefix(1_000).compactMap(\.string)
      let text = lines.joined(separator: "\n").nonEmpty ?? item["outputAudioText"]["text"].string?.nonEmpty
      guard text != nil || item["payload"].exists else {
        let what = item.members.first { !Self.context.contains($0.key) }?.key ?? "response"
        return delivery.event(
          key("unknown", String(position)), sentAt: nil, .unknown(Unknown(what: what, details: item.json)))
      }
      var details = JSONObjectWriter()
      details.members(of: item, without: Self.context.union(["text"]))
      let message = Message(
        direction: .outbound, authorKind: .bot, customer: [], text: text, details: details.finished)
      return session.said(message, key: key("response", String(position), text ?? item.json.string), sentAt: nil)
    }

    private func handoff(_ metadata: JSONValue) -> NormalisedElement {
      var details = JSONObjectWriter()
      details.member("reason", metadata["reason"].string)
      details.member("intent", intent)
      details.member("confidence", match["confidence"].json)
      details.member("language", language)
      details.member("metadata", metadata.json)
      return session.change("handoff", key: key("handoff"), sentAt: nil, details.finished)
    }

    private var intent: String? { match["intent"]["displayName"].string?.nonEmpty ?? match["displayName"].string?.nonEmpty }

    /// The webhook request and the response of one turn have the same id.
    private func key(_ part: String, _ rest: String...) -> MessageKey {
      delivery.key("turn", [sessionID, id, part] + rest)
    }

    private static let context: Set<String> = ["channel", "responseType", "source"]
  }

  /// Of Agent Assist, which runs people and bots in one conversation.
  private static func conversationEvent(
    _ body: JSONValue, _ push: String?, _ delivery: Delivery
  ) throws(Rejection) -> NormalisedElement {
    let name = try body.requiredID("conversation")
    let type = try body.requiredID("type")
    let session = try BotSession(lastID(of: name) ?? name, statedIn: [], delivery)
    let key = delivery.key("conversation_event", name, type, push ?? "")
    let details = body.rest(without: ["conversation", "newMessagePayload"])
    switch type {
    case "CONVERSATION_STARTED", "CONVERSATION_FINISHED":
      let rest = body.rest(without: ["conversation", "newMessagePayload", "type"])
      return session.change("conversation_state", status: type, key: key, sentAt: nil, rest)
    case "HUMAN_INTERVENTION_NEEDED": return session.change("handoff", key: key, sentAt: nil, details)
    case "NEW_MESSAGE": break
    default:
      let json = body.json
      return delivery.event(
        delivery.key("unknown", type, name, push ?? json.string), sentAt: nil, .unknown(Unknown(what: type, details: json)))
    }
    let payload = body["newMessagePayload"]
    let id = try payload.requiredID("name", in: "newMessagePayload.")
    let authorKind: AuthorKind
    switch payload["participantRole"].string {
    case "END_USER": authorKind = .customer
    case "AUTOMATED_AGENT": authorKind = .bot
    case "HUMAN_AGENT": authorKind = .agent
    default: throw Rejection(.malformedPayload, "newMessagePayload.participantRole")
    }
    let isInbound = authorKind == .customer
    let text = try payload.text("content")
    let reference = ReferenceKey.message(.bot, account: delivery.account, id: id)
    let language = payload["languageCode"].string?.languageOfLocale ?? text.flatMap(Language.detect)
    let message = Message(
      direction: isInbound ? .inbound : .outbound, authorKind: authorKind, customer: [], language: isInbound ? language : nil,
      externalID: id, names: [reference], text: text,
      details: payload.rest(without: ["name", "content", "createTime", "participantRole"]),
      flags: payload["createTime"].timeFlags)
    return session.said(message, key: MessageKey(reference), sentAt: payload["createTime"].time)
  }
}
