import Canonical

extension Change {
  /// About a customer, not about a message.
  var saysWhoItIsAbout: Bool {
    kind == Self.identityChange || kind == "consent" || kind == "erasure" || kind == "data_request" || continuation != nil
  }
}

extension Event {
  /// Sent by us: the customer it names is whom it went to.
  var isOutbound: Bool {
    guard case .message(let message) = body else { return false }
    return message.direction == .outbound
  }
  /// WhatsApp says that somebody has another number: who had that one before is somebody else.
  var isChangeOfNumber: Bool {
    guard case .change = body else { return false }
    return channel == .whatsapp
  }
  /// The conversation that the event is about or takes part in, by a token of ours or by an agent's word.
  var namedConversation: ID? {
    switch body {
    case .message(let message): message.continuation
    case .survey(let response): response.conversation
    case .change(let change): change.continuation
    case .action(let action): action.conversation
    default: nil
    }
  }
  /// The channel account as a lane and as the scope of claims.
  var lane: String { channel.rawValue + "/" + account }
}
