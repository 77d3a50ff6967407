import Canonical
import Parsing

/// Turns records into canonical events: decodes the envelope, finds the format, reads every element on its own.
///
/// Pure: equal records give equal results, whatever the clock says. Owns its parsers, so use one per thread of work.
public final class Normaliser {
  private let topicPrefix: String
  private let limits: Limits
  private let tokenKey: TokenKey?
  private let mail: MailPolicy
  private let parser: JSONParser
  /// For JSON inside JSON strings, while a document of `parser` is being read.
  private let nestedParser: JSONParser

  /// - Parameters:
  ///   - topicPrefix: what stands before the names of all topics, such as `shop.`; may be empty.
  ///   - tokenKey: what our tokens are signed with; without it none is valid.
  public init(
    topicPrefix: String = "", limits: Limits = Limits(), tokenKey: TokenKey? = nil, mail: MailPolicy = MailPolicy()
  ) {
    self.topicPrefix = topicPrefix
    self.limits = limits
    self.tokenKey = tokenKey
    self.mail = mail
    func parser() -> JSONParser {
      JSONParser(
        maximumBytes: limits.bodyBytes, maximumDepth: limits.depth, maximumKeys: limits.keys, maximumKeyBytes: limits.keyBytes)
    }
    self.parser = parser()
    nestedParser = parser()
  }

  /// The elements of a record in the provider's order, at least one; whatever is wrong is a `.rejected` element.
  public func normalise(_ record: Record) -> NormalisedRecord {
    var tenant = CloudEvent.defaultTenant
    do throws(Rejection) {
      let (envelope, payload) = try CloudEvent.decode(record, parser: parser, limits: limits)
      tenant = envelope.tenant
      return NormalisedRecord(record: record, tenant: tenant, elements: try elements(of: record, envelope, payload))
    } catch {
      return NormalisedRecord(record: record, tenant: tenant, elements: [.rejected(error)])
    }
  }

  private func elements(
    of record: Record, _ envelope: CloudEvent, _ payload: Payload
  ) throws(Rejection) -> [NormalisedElement] {
    guard var format = Formats.byType[envelope.type] else { throw Rejection(.unknownType, "type") }
    if record.topic != topicPrefix + format.topic {
      guard let other = format.alsoOn.first(where: { record.topic == topicPrefix + $0.key }) else {
        throw Rejection(.topicMismatch, "topic")
      }
      format.channel = other.value
    }
    let (channel, account) = try Self.origin(of: envelope, format)
    let delivery = Delivery(
      envelope: envelope, channel: channel, account: account, receivedAt: Self.receivedAt(envelope.time, record.timestamp),
      limits: limits, nestedParser: nestedParser, tokenKey: tokenKey, mail: mail)
    // A raw zero byte is no JSON, so without an escaped one no string of the body can hold U+0000.
    var elements: Elements
    switch (format.read, payload) {
    case (.json(let read), .json(let value)):
      elements = Elements(limits: limits, mayHoldNUL: JSONText(utf8: record.value ?? []).mayHoldNUL)
      try read(value, delivery, &elements)
    case (.json(let read), .bytes(let bytes)):
      elements = Elements(limits: limits, mayHoldNUL: JSONText(utf8: bytes).mayHoldNUL)
      try read(parser.document(bytes), delivery, &elements)
    case (.bytes(let read), .bytes(let bytes)), (.either(let read), .bytes(let bytes)):
      elements = Elements(limits: limits, mayHoldNUL: true)
      try read(bytes, delivery, &elements)
    case (.bytes, .json(let value)):
      guard let text = value.string else { throw Rejection(.malformedPayload, "data") }
      return try self.elements(of: record, envelope, .bytes(Array(text.utf8)))
    case (.either, .json(let value)):
      return try self.elements(of: record, envelope, .bytes(value.string.map { Array($0.utf8) } ?? value.utf8))
    }
    return elements.finished
  }
}

extension Normaliser {
  private static func origin(of envelope: CloudEvent, _ format: ChannelFormat) throws(Rejection) -> (Channel, String) {
    // A desktop may call itself as it likes: who may write to its topics is settled by the broker.
    if format.channel == .desk {
      if let origin = try? envelope.origin(), origin.channel == Channel.desk.rawValue { return (.desk, origin.account) }
      return (.desk, envelope.source.prefix(utf8Bytes: Identifier.maximumBytes))
    }
    let (word, account) = try envelope.origin()
    guard let channel = Channel(rawValue: word), format.channel == nil || format.channel == channel else {
      throw Rejection(.topicMismatch, "source")
    }
    // One mailbox has many spellings; it is compared with addresses in this one.
    return (channel, channel == .email ? EmailAddress.normalise(account) ?? account : account)
  }

  /// The adapter's time, unless it is far ahead of the broker's: everything is ordered against it.
  private static func receivedAt(_ stated: Timestamp?, _ recorded: Timestamp?) -> Timestamp {
    let storable = Timestamp.storable
    let latest = min(recorded?.advanced(by: .seconds(86_400)) ?? storable.upperBound, storable.upperBound)
    return max(min(stated ?? recorded ?? Timestamp(seconds: 0), latest), storable.lowerBound)
  }
}

/// One record on its way through a format: its envelope and what every element takes from it.
struct Delivery {
  var envelope: CloudEvent
  var channel: Channel
  var account: String
  var receivedAt: Timestamp
  var limits: Limits
  var nestedParser: JSONParser
  var tokenKey: TokenKey?
  var mail: MailPolicy

  /// Who did what an element tells of: only of these is the provider's or the business's word for it.
  var isVouchedFor: Bool { !envelope.attested.isDisjoint(with: [.signature, .business]) }

  func event(_ key: MessageKey, sentAt: Timestamp?, _ body: Event.Body) -> NormalisedElement {
    var (key, body) = (key, body)
    switch body {
    case .change(var change):
      change.isAttested = isAttested
      body = .change(change)
    case .order(var order):
      order.isAttested = isVouchedFor
      body = .order(order)
    case .survey(var response):
      response.isAttested = isVouchedFor
      body = .survey(response)
    case .message, .contact, .unknown, .action, .result, .presence: break
    }
    if isClaim(body) { key = MessageKey(Bytes16(Digest.bytes16(["claim", "\(key.raw.high)", "\(key.raw.low)"]))) }
    return .event(
      Event(
        tenant: envelope.tenant, channel: channel, account: account, key: key, sentAt: sentAt, receivedAt: receivedAt,
        traceparent: envelope.traceparent, body: body))
  }

  /// A mail has its domain's word: who reports what became of one of ours knows its Message-ID, and so has seen it.
  private var isAttested: Bool { isVouchedFor || channel == .email && envelope.attested.contains(.dmarc) }

  /// What nobody vouches for must not take the place of what somebody does, when that comes later. Messages keep their keys: an echo that
  /// nobody vouches for is still the message that we sent; and chats and forms are their visitors' own words.
  private func isClaim(_ body: Event.Body) -> Bool {
    guard !isAttested, channel != .chat, channel != .form else { return false }
    return switch body {
    case .change, .order, .survey: true
    case .message: channel == .ticket
    case .contact, .unknown, .action, .result, .presence: false
    }
  }

  func key(_ kind: String, _ parts: String...) -> MessageKey { key(kind, parts) }

  func key(_ kind: String, _ parts: [String]) -> MessageKey {
    MessageKey(Bytes16(Digest.bytes16([channel.rawValue, account, kind] + parts)))
  }

  /// For payloads without an id of their own: source and id of a CloudEvent are unique together.
  func envelopeKey(_ kind: String) -> MessageKey {
    MessageKey(Bytes16(Digest.bytes16([kind, envelope.source, envelope.id])))
  }

  /// The conversation that a continuation token names, and the flag for one that is not ours.
  func continuation(_ token: String?) -> (conversation: ID?, flags: [String]) {
    guard let token else { return (nil, []) }
    let conversation = tokenKey?.conversation(ofContinuation: token, tenant: envelope.tenant)
    return (conversation, conversation == nil ? ["continuation_invalid"] : [])
  }
}

/// Collects the elements of a record: each is made, checked and counted on its own, so that a bad one spoils no other.
struct Elements {
  private let limits: Limits
  private let mayHoldNUL: Bool
  private var list: [NormalisedElement] = []
  private var count = 0
  private var rejectionCount = 0

  init(limits: Limits, mayHoldNUL: Bool) {
    self.limits = limits
    self.mayHoldNUL = mayHoldNUL
  }

  /// A body without elements is recognised and of no use.
  var finished: [NormalisedElement] { list.isEmpty ? [.ignored(reason: "empty")] : list }

  mutating func add(_ make: () throws(Rejection) -> NormalisedElement) {
    guard count <= limits.elements else { return }
    count += 1
    guard count <= limits.elements else {
      list.append(.rejected(Rejection(.tooLarge, "elements")))
      return
    }
    do throws(Rejection) {
      list.append(try checked(make()))
    } catch {
      rejectionCount += 1
      if rejectionCount <= limits.rejections { list.append(.rejected(error)) }
      if rejectionCount == limits.rejections + 1 { list.append(.rejected(Rejection(.tooLarge, "rejections"))) }
    }
  }

  /// The bounds that hold for every format.
  private func checked(_ element: NormalisedElement) throws(Rejection) -> NormalisedElement {
    guard case .event(var event) = element else { return element }
    // Bodies may name the account themselves.
    guard event.account.utf8.count <= Identifier.maximumBytes else { throw Rejection(.malformedPayload, "account") }
    switch event.body {
    case .message(var message):
      bound(&message)
      if let sentAt = event.sentAt, isSkewed(sentAt, event.receivedAt) { message.flags.append("clock_skew") }
      event.body = .message(message)
    case .contact(var contact):
      cut(&contact.displayName)
      if var organization = contact.organization {
        cut(&organization.name)
        drop(&organization.accountManager)
        contact.organization = organization
      }
      event.body = .contact(contact)
    case .order(var order):
      cut(&order.number)
      cut(&order.status)
      cut(&order.currency)
      cut(&order.customerName)
      order.total = order.total?.decimalNumber
      if order.items.count > limits.attachments { order.items.removeSubrange(limits.attachments...) }
      for position in order.items.indices {
        order.items[position].title = order.items[position].title.prefix(utf8Bytes: limits.lineBytes)
      }
      event.body = .order(order)
    case .survey(var response):
      response.metric = response.metric.prefix(utf8Bytes: limits.lineBytes)
      response.score = response.score?.decimalNumber
      response.scaleMin = response.scaleMin?.decimalNumber
      response.scaleMax = response.scaleMax?.decimalNumber
      response.comment = response.comment?.prefix(utf8Bytes: limits.textBytes)
      cut(&response.customerName)
      event.body = .survey(response)
    case .change(var change):
      drop(&change.targetExternalID)
      cut(&change.status)
      cut(&change.error)
      cut(&change.reaction)
      change.text = change.text?.prefix(utf8Bytes: limits.textBytes)
      if var attachments = change.attachments {
        if attachments.count > limits.attachments { attachments.removeSubrange(limits.attachments...) }
        bound(&attachments)
        change.attachments = attachments
      }
      event.body = .change(change)
    case .unknown(var unknown):
      unknown.what = unknown.what.prefix(utf8Bytes: limits.lineBytes)
      event.body = .unknown(unknown)
    case .action(var action):
      // A reply goes out whole or not at all.
      guard action.text?.utf8.count ?? 0 <= limits.textBytes else { throw Rejection(.tooLarge, "text") }
      guard action.attachments.count <= limits.attachments else { throw Rejection(.tooLarge, "attachments") }
      bound(&action.attachments)
      cut(&action.reason)
      event.body = .action(action)
    case .result(var result):
      cut(&result.error)
      event.body = .result(result)
    case .presence(var presence):
      cut(&presence.name)
      event.body = .presence(presence)
    }
    if mayHoldNUL, event.holdsNUL { throw Rejection(.nulInText, "element") }
    return .event(event)
  }

  private func bound(_ message: inout Message) {
    if let text = message.text, text.utf8.count > limits.textBytes {
      if message.original == nil {
        message.original = Original(contentType: "text/plain; charset=utf-8", bytes: Array(text.utf8))
      }
      message.text = text.prefix(utf8Bytes: limits.textBytes)
      if !message.flags.contains("text_truncated") { message.flags.append("text_truncated") }
    }
    if message.attachments.count > limits.attachments {
      message.attachments.removeSubrange(limits.attachments...)
      message.flags.append("attachments_capped")
    }
    bound(&message.attachments)
    if message.references.count > limits.references { message.references.removeSubrange(limits.references...) }
    cut(&message.subject)
    cut(&message.customerName)
    drop(&message.authorID)
    drop(&message.externalID)
    drop(&message.replyAddress)
    drop(&message.replyToExternalID)
  }

  private func bound(_ attachments: inout [Attachment]) {
    for position in attachments.indices {
      cut(&attachments[position].name)
      cut(&attachments[position].type)
      drop(&attachments[position].providerID)
      drop(&attachments[position].url)
    }
  }

  private func cut(_ line: inout String?) {
    if let text = line, text.utf8.count > limits.lineBytes { line = text.prefix(utf8Bytes: limits.lineBytes) }
  }

  /// A shortened id or URL is another one.
  private func drop(_ line: inout String?) {
    if let text = line, text.utf8.count > limits.lineBytes { line = nil }
  }

  /// More than a day ahead of its arrival, or from before the year 2000; unknown arrivals (time 0) prove nothing.
  private func isSkewed(_ sentAt: Timestamp, _ receivedAt: Timestamp) -> Bool {
    sentAt < Timestamp(seconds: 946_684_800)
      || (receivedAt.microseconds > 0 && sentAt > receivedAt.advanced(by: .seconds(86_400)))
  }
}

extension Event {
  /// Whether a text of it holds U+0000, which no column takes. Of messages, which are most, without writing them as JSON.
  fileprivate var holdsNUL: Bool {
    guard case .message(let message) = body else { return canonicalJSON(self).holdsNUL }
    var texts = [
      account, message.authorID, message.customerName, message.language, message.externalID, message.replyAddress,
      message.replyToExternalID, message.subject, message.text,
    ]
    for stated in message.customer { texts += [stated.identifier.scope, stated.identifier.value] }
    for media in message.attachments { texts += [media.name, media.type, media.providerID, media.url] }
    return texts.contains { $0?.holdsNUL == true } || message.details.holdsNUL
      || message.flags.contains(where: \.holdsNUL)
  }
}

extension JSONText {
  /// Whether the text holds `\u0000` at all, escaped backslash or not: cheap, for whole bodies.
  fileprivate var mayHoldNUL: Bool {
    var rest = utf8[...]
    while let backslash = rest.firstIndex(of: UInt8(ascii: "\\")) {
      rest = rest[backslash...].dropFirst()
      if rest.starts(with: "u0000".utf8) { return true }
    }
    return false
  }

  /// Whether a string of this JSON holds U+0000.
  var holdsNUL: Bool {
    var position = 0
    while position < utf8.count {
      guard utf8[position] == UInt8(ascii: "\\") else {
        position += 1
        continue
      }
      if utf8.dropFirst(position + 1).starts(with: "u0000".utf8) { return true }
      position += 2
    }
    return false
  }
}
