import Canonical
import Parsing

/// What people do with the buttons, menus and dialogues of our Slack app.
enum SlackInteraction {
  static func read(_ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements) {
    let type = payload["type"].id ?? "interaction"
    guard ["block_actions", "interactive_message"].contains(type), payload["actions"].isArray else {
      return elements.add {
        let json = payload.rest(without: secrets)
        return delivery.event(
          delivery.key("unknown", type, payload["trigger_id"].id ?? json.string), sentAt: nil,
          .unknown(Unknown(what: type, details: json)))
      }
    }
    let container = delivery.shared(payload["container"].json)
    for action in payload["actions"].elements {
      elements.add { () throws(Rejection) in try press(action, payload, container, delivery) }
    }
  }

  /// Whoever reads them could act for our app, or for the one who pressed.
  static let secrets: Set<String> = [
    "token", "trigger_id", "response_url", "response_urls", "bot_access_token", "interactivity",
  ]

  /// One pressed button or picked option, in the words that it shows. It has no id of its own.
  private static func press(
    _ action: JSONValue, _ payload: JSONValue, _ context: JSONText, _ delivery: Delivery
  ) throws(Rejection) -> NormalisedElement {
    guard action.isObject else { throw Rejection(.malformedPayload, "actions[]") }
    let user = try payload["user"].requiredID("id", in: "user.")
    // One of ours presses in a channel that we share with customers.
    let team = payload["user"]["team_id"].id
    if let team, team == delivery.account, payload["team"]["id"].id.map({ $0 != team }) ?? false {
      return .ignored(reason: "own_press")
    }
    let container = payload["container"]
    let message = payload["message"]
    let channel = payload["channel"]["id"].id ?? container["channel_id"].id
    let pressed = container["message_ts"].id ?? payload["message_ts"].id ?? message["ts"].id
    let thread = container["thread_ts"].id ?? message["thread_ts"].id
    let stamp = action["action_ts"].id ?? payload["action_ts"].id
    var targets: [String] = []
    if let channel {
      for ts in [pressed, thread].compactMap({ $0 }) where !targets.contains(SlackEvent.id(channel, ts)) {
        targets.append(SlackEvent.id(channel, ts))
      }
    }
    let name = action["action_id"].id ?? action["name"].id ?? ""
    var details = JSONObjectWriter()
    details.member("postback", action.json)
    details.member("callback_id", payload["callback_id"].id)
    details.member("channel", channel)
    details.member("container", context)
    let time = SlackEvent.time(stamp)
    var body = Message(
      direction: .inbound, authorKind: .customer, customer: try SlackEvent.identifiers(user, delivery),
      customerName: payload["user"]["name"].personName,
      references: targets.map { .message(.slack, account: delivery.account, id: $0) }, replyToExternalID: targets.first,
      text: words(of: action), details: details.finished, flags: stamp != nil && time == nil ? ["sent_at_invalid"] : [])
    if let channel {
      let place = (thread ?? pressed).map {
        SlackEvent.place(of: SlackEvent.id(channel, $0), in: channel, isThread: thread != nil)
      }
      body.stand(in: place ?? channel, SlackEvent.visibility(in: channel))
    }
    let key = delivery.key("press", targets.first ?? container["view_id"].id ?? "", user, name, stamp ?? action.json.string)
    return delivery.event(key, sentAt: time, .message(body))
  }

  private static func words(of action: JSONValue) -> String? {
    let options = action["selected_options"].elements.prefix(100).compactMap { option in
      option["text"]["text"].string ?? option["text"].string ?? option["value"].string
    }
    if !options.isEmpty { return options.joined(separator: ", ").htmlUnescaped.nonEmpty }
    let places = [
      action["selected_option"]["text"]["text"], action["text"]["text"], action["selected_date"], action["selected_time"],
      action["value"],
    ]
    return places.lazy.compactMap { $0.string?.nonEmpty }.first?.htmlUnescaped
  }
}
