import Canonical
import Parsing

/// `bot.handoff`: what a bot says in a conversation of another channel, and when it hands over (`schemas/payloads/bot.handoff.json`).
///
/// Whoever fills in the JSON could speak in our name, so every event needs `signature` or `business` attested. The note of a hand-off has
/// the transcript as it came; those of its lines that no channel brings are messages, with `source` `transcript`.
enum BotHandoff {
  /// Entries of a transcript; what is above is left out and counted.
  private static let maximumTranscript = 500

  static func read(_ payload: JSONValue, _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    guard payload.isObject else { throw Rejection(.malformedPayload, "not an object") }
    guard !delivery.envelope.attested.isDisjoint(with: [.signature, .business]) else {
      throw Rejection(.malformedPayload, "neither signature nor business is attested")
    }
    elements.add { () throws(Rejection) in
      let event = try payload.requiredID("event")
      let eventID = try payload.requiredID("event_id")
      switch event {
      case "message": return try message(payload, delivery, eventID)
      case "handoff.requested": return try handoff(event, Change.handoff, payload, delivery, eventID)
      case "handoff.ended": return try handoff(event, "conversation_state", payload, delivery, eventID)
      default:
        return delivery.event(
          delivery.key("unknown", event, eventID), sentAt: payload["sent_at"].time,
          .unknown(Unknown(what: event, details: payload.json)))
      }
    }
    guard payload["event"].string == "handoff.requested", let conversation = try? Conversation(payload["conversation_ref"])
    else { return }
    for (ordinal, line) in zip(1..., payload["transcript"].elements.prefix(maximumTranscript))
    where isSaid(line) && !conversation.brings(line) {
      elements.add { () throws(Rejection) in
        try said(line, at: ordinal, in: conversation, delivery, handedOffAt: payload["sent_at"].time)
      }
    }
  }

  /// The conversation that the bot speaks in, by the names of its own channel.
  struct Conversation {
    let channel: Channel
    let account: String
    let id: String
    /// WhatsApp's ids are of a business, which has many accounts.
    private let scope: String?
    var session: ReferenceKey { .session(channel, account: account, id: id) }

    init(_ value: JSONValue) throws(Rejection) {
      guard let channel = Channel(rawValue: try value.requiredID("channel", in: "conversation_ref.")) else {
        throw Rejection(.malformedPayload, "conversation_ref.channel")
      }
      self.channel = channel
      account = try value.requiredID("account", in: "conversation_ref.")
      id = try value.requiredID("conversation_id", in: "conversation_ref.")
      scope = value["scope"].id
    }

    /// Whose it is on channels without sessions, where the id is the customer's; nobody on those that have some.
    func customer(_ delivery: Delivery) throws(Rejection) -> [StatedIdentifier] {
      var identifiers = StatedIdentifiers(delivery.limits)
      switch channel {
      case .messenger, .instagram, .telegram, .line, .viber, .apple:
        try identifiers.add(IdentifierKind(rawValue: channel.rawValue), scope: account, id, .a2)
      case .x: try identifiers.add(.x, id, .a2)
      case .whatsapp, .sms, .rcs:
        if channel == .whatsapp, let scope { try identifiers.add(.whatsapp, scope: scope, id.digits ?? id, .a2) }
        try identifiers.add(.phone, id.digits.map { "+" + $0 }, .a1)
      default: return []
      }
      guard !identifiers.list.isEmpty else { throw Rejection(.malformedPayload, "conversation_ref.conversation_id") }
      return identifiers.list
    }

    /// Providers deliver what customers say themselves, and some what is said to them.
    func brings(_ line: JSONValue) -> Bool {
      switch channel {
      case .chat, .bot: false
      case .messenger, .instagram: true
      default: line["author"].string == "customer"
      }
    }
  }

  /// A message of the conversation's channel. Without an identifier of the customer it cannot be placed by itself: it is a change of
  /// the conversation then.
  private static func message(
    _ payload: JSONValue, _ delivery: Delivery, _ eventID: String
  ) throws(Rejection) -> NormalisedElement {
    let conversation = try Conversation(payload["conversation_ref"])
    let body = payload["message"]
    guard body.isObject else { throw Rejection(.malformedPayload, "message") }
    let isInbound: Bool
    switch body["author"].string {
    case "bot": isInbound = false
    case "customer": isInbound = true
    default: throw Rejection(.malformedPayload, "message.author")
    }
    let text = try body.text("text")
    let time = body["sent_at"].exists ? body["sent_at"] : payload["sent_at"]
    let customer = try identifiers(payload["visitor"], of: conversation, delivery)
    let id = body["id"].id
    let epoch = try payload.integer("ownership_epoch")
    // Providers deliver what was said on their channels themselves, and know better who said it.
    let isOurs = conversation.channel == .chat || conversation.channel == .bot
    guard !customer.isEmpty, isOurs else {
      var change = Change(
        kind: "bot_message", target: conversation.session,
        details: payload.rest(without: ["event", "event_id", "sent_at", "ownership_epoch"]))
      change.ownershipEpoch = isInbound ? nil : epoch
      return delivery.event(delivery.key("bot_message", eventID), sentAt: time.time, .change(change))
    }
    // The message's own id is one of the conversation's channel, which may deliver it as well.
    let name =
      id.map { ReferenceKey.message(conversation.channel, account: conversation.account, id: $0) }
      ?? .message(.bot, account: delivery.account, id: eventID)
    var details = JSONObjectWriter()
    details.members(of: payload, without: ["event", "event_id", "sent_at", "message", "ownership_epoch"])
    details.member("message", body.rest(without: ["id", "author", "text", "sent_at"]))
    var message = Message(
      direction: isInbound ? .inbound : .outbound, authorKind: isInbound ? .customer : .bot,
      authorID: isInbound ? nil : payload["bot_id"].id, customer: customer,
      customerName: payload["visitor"]["name"].string?.trimmed.nonEmpty,
      language: isInbound ? payload["language"].string?.languageOfLocale ?? text.flatMap(Language.detect) : nil,
      externalID: id ?? eventID, names: [name], session: conversation.session, text: text, details: details.finished,
      flags: time.timeFlags)
    message.ownershipEpoch = isInbound ? nil : epoch
    return delivery.of(conversation).event(MessageKey(name), sentAt: time.time, .message(message))
  }

  private static func handoff(
    _ event: String, _ kind: String, _ payload: JSONValue, _ delivery: Delivery, _ eventID: String
  ) throws(Rejection) -> NormalisedElement {
    let conversation = try Conversation(payload["conversation_ref"])
    let (transcript, left) = try transcript(payload["transcript"])
    var details = JSONObjectWriter()
    details.members(of: payload, without: ["event", "event_id", "sent_at", "transcript", "ownership_epoch"])
    details.member("transcript", transcript)
    details.member("transcript_left_out", left > 0 ? left : nil)
    let customer = try conversation.customer(delivery)
    if kind == Change.handoff, !customer.isEmpty {
      var message = Message(
        direction: .internal, authorKind: .bot, authorID: payload["bot_id"].id, customer: customer,
        language: payload["language"].string?.languageOfLocale, externalID: eventID, details: details.finished,
        flags: payload["sent_at"].timeFlags)
      message.isHandoff = true
      // Groups have ids of their own form.
      let isGroup =
        conversation.channel == .telegram && conversation.id.hasPrefix("-")
        || conversation.channel == .line && ["C", "R"].contains(conversation.id.first)
      if isGroup { message.stand(in: conversation.id) }
      message.ownershipEpoch = try payload.integer("ownership_epoch")
      return delivery.of(conversation).event(delivery.key(event, eventID), sentAt: payload["sent_at"].time, .message(message))
    }
    var change = Change(
      kind: kind, target: conversation.session, customer: try identifiers(payload["visitor"], of: conversation, delivery),
      status: kind == "conversation_state" ? event : nil, details: details.finished)
    change.ownershipEpoch = try payload.integer("ownership_epoch")
    return delivery.event(delivery.key(event, eventID), sentAt: payload["sent_at"].time, .change(change))
  }

  /// One line of a transcript, at the time of the hand-off where it has none of its own.
  private static func said(
    _ line: JSONValue, at ordinal: Int, in conversation: Conversation, _ delivery: Delivery, handedOffAt: Timestamp?
  ) throws(Rejection) -> NormalisedElement {
    let text = line["text"].string ?? ""
    let (id, time) = (line["id"].id, line["sent_at"].time)
    let sentAt = time ?? handedOffAt
    // A customer's id is no session's: the next transcript may begin in the same words.
    let key = delivery.key(
      "transcript", conversation.channel.rawValue, conversation.account, conversation.id, String(ordinal),
      id ?? time?.iso8601 ?? "", text)
    let name = id.map { ReferenceKey.message(conversation.channel, account: conversation.account, id: $0) }
    let author: AuthorKind = line["author"].string == "customer" ? .customer : .bot
    var details = JSONObjectWriter()
    details.member("source", Change.transcript)
    details.members(of: line, without: ["source", "id", "author", "text", "sent_at"])
    let delivery = delivery.of(conversation)
    let customer = try conversation.customer(delivery)
    guard !customer.isEmpty else {
      var change = Change(
        kind: Change.said, target: conversation.session, targetExternalID: id, authorKind: author, text: text,
        status: Change.transcript, details: details.finished)
      change.name = name
      return delivery.event(key, sentAt: sentAt, .change(change))
    }
    // What customers said there, the channel brings.
    var message = Message(
      direction: .outbound, authorKind: author, customer: customer, externalID: id, names: name.map { [$0] } ?? [], text: text,
      details: details.finished)
    message.isTranscript = true
    return delivery.event(key, sentAt: sentAt, .message(message))
  }

  private static func isSaid(_ line: JSONValue) -> Bool {
    line["text"].string?.trimmed.isEmpty == false && ["customer", "bot"].contains(line["author"].string) && !line.json.holdsNUL
  }

  /// An entry that says nothing, or that cannot be stored, costs neither the others nor the hand-off.
  private static func transcript(_ value: JSONValue) throws(Rejection) -> (JSONText, leftOut: Int64) {
    guard value.exists, !value.isNull else { return (JSONText(), 0) }
    guard value.isArray else { throw Rejection(.malformedPayload, "transcript") }
    var list: [[UInt8]] = []
    var leftOut: Int64 = 0
    for entry in value.elements {
      let json = entry.json
      guard list.count < maximumTranscript, isSaid(entry) else {
        leftOut += 1
        continue
      }
      list.append(json.utf8)
    }
    let comma = [UInt8(ascii: ",")]
    return (JSONText(utf8: [UInt8(ascii: "[")] + list.joined(separator: comma) + [UInt8(ascii: "]")]), leftOut)
  }

  /// What the bot knows of the customer, as a chat widget states it; the business's word makes it more than a claim.
  private static func identifiers(
    _ visitor: JSONValue, of conversation: Conversation, _ delivery: Delivery
  ) throws(Rejection) -> [StatedIdentifier] {
    let isVouchedFor = delivery.envelope.attested.contains(.business)
    var identifiers = StatedIdentifiers(delivery.limits)
    try identifiers.add(.visitor, scope: conversation.account, visitor["id"].id, .bearer)
    try identifiers.add(.externalID, visitor["external_id"].id, isVouchedFor ? .a3 : .a0)
    try identifiers.add(.email, visitor["email"].string, isVouchedFor ? .a1 : .a0)
    try identifiers.add(.phone, visitor["phone"].string, isVouchedFor ? .a1 : .a0)
    return identifiers.list
  }
}

extension Delivery {
  /// As if the conversation's own channel had brought it.
  fileprivate func of(_ conversation: BotHandoff.Conversation) -> Delivery {
    var delivery = self
    (delivery.channel, delivery.account) = (conversation.channel, conversation.account)
    return delivery
  }
}

extension String {
  /// A number without its plus; nil for what is none.
  fileprivate var digits: String? {
    let number = hasPrefix("+") ? dropFirst() : self[...]
    return !number.isEmpty && number.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      ? String(number) : nil
  }
}
