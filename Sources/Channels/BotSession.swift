import Canonical
import Parsing

/// A session of a bot that knows nothing of us: its own, or the conversation of another channel that `conversation_ref` names.
///
/// Whoever fills in the JSON could speak in our name, so all of them need `signature` or `business` attested.
struct BotSession {
  private let delivery: Delivery
  private let name: ReferenceKey
  /// Who talks to the bot: whoever holds the session's id. Nobody where the conversation is another channel's.
  private let customer: [StatedIdentifier]

  /// - Parameter places: where a bot that was told of it may say `conversation_ref`, as `bot.handoff` has it.
  init(_ id: String, statedIn places: [JSONValue], _ delivery: Delivery) throws(Rejection) {
    guard !delivery.envelope.attested.isDisjoint(with: [.signature, .business]) else {
      throw Rejection(.malformedPayload, "neither signature nor business is attested")
    }
    self.delivery = delivery
    if let place = places.first(where: { $0["conversation_ref"].isObject }) {
      name = try BotHandoff.Conversation(place["conversation_ref"]).session
      customer = []
    } else {
      name = .session(.bot, account: delivery.account, id: id)
      customer = try delivery.identifiers(.visitor, scope: delivery.account, id, .bearer)
    }
  }

  /// What was said. The conversation of another channel has it from that channel: there it is but a change.
  func said(_ message: Message, key: MessageKey, sentAt: Timestamp?) -> NormalisedElement {
    guard !customer.isEmpty else {
      var details = JSONObjectWriter()
      details.member("text", message.text)
      details.member("message", message.details)
      let change = Change(kind: "bot_message", target: name, authorKind: message.authorKind, details: details.finished)
      return delivery.event(key, sentAt: sentAt, .change(change))
    }
    var message = message
    message.customer = customer
    message.session = name
    if message.authorKind == .bot { message.authorID = delivery.account }
    return delivery.event(key, sentAt: sentAt, .message(message))
  }

  /// A hand-off, or another change of the session.
  func change(
    _ kind: String, status: String? = nil, key: MessageKey, sentAt: Timestamp?, _ details: JSONText
  ) -> NormalisedElement {
    delivery.event(
      key, sentAt: sentAt, .change(Change(kind: kind, target: name, customer: customer, status: status, details: details)))
  }
}
