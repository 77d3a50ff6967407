/// What one element of one record says, in the canonical schema, version 1 (`schemas/canonical/event.json`).
public struct Event: Sendable {
  public var tenant: String
  public var channel: Channel
  /// The page, number or mailbox it came through.
  public var account: String
  /// What makes this delivery the same as another one.
  public var key: MessageKey
  /// When the provider says it happened, exactly as sent; nil where the provider states no time.
  public var sentAt: Timestamp?
  /// When the adapter took it: `ce_time`, else the Kafka record's time.
  public var receivedAt: Timestamp
  public var traceparent: String?
  public var body: Body

  /// Boxed: an event is handed on many times, and seldom changed.
  public indirect enum Body: Sendable {
    case message(Message)
    /// What the business knows of a customer.
    case contact(Contact)
    /// What a customer has ordered.
    case order(Order)
    /// What a customer answers when they are asked how it was.
    case survey(SurveyResponse)
    /// An event about another message (edit, delete, reaction, receipt …), applied when its target is known.
    case change(Change)
    /// Something inside a known body that this version does not know.
    case unknown(Unknown)
    case action(Action)
    case result(SendResult)
    case presence(Presence)
  }

  public init(
    tenant: String, channel: Channel, account: String, key: MessageKey, sentAt: Timestamp?, receivedAt: Timestamp,
    traceparent: String? = nil, body: Body
  ) {
    self.tenant = tenant
    self.channel = channel
    self.account = account
    self.key = key
    self.sentAt = sentAt
    self.receivedAt = receivedAt
    self.traceparent = traceparent
    self.body = body
  }
}

/// To us, from us, or among us.
public enum Direction: String, Sendable { case inbound, outbound, `internal` }
/// Who wrote it, whatever the direction.
public enum AuthorKind: String, Sendable { case customer, agent, bot, system }

/// Who reads what is written in a place.
public enum Visibility: String, Sendable, CaseIterable {
  /// The customer alone.
  case `private`
  /// Whoever else is in the group, room or channel.
  case group
  /// Everybody.
  case `public`
}

/// A message, call, visit or note.
public struct Message: Sendable {
  public var direction: Direction
  public var authorKind: AuthorKind
  /// The provider's id of an agent or bot; nil for customers, who are known by their identifiers.
  public var authorID: String?
  /// The customer's side, sender or (of an echo) recipient: the channel-scoped id first, if there is one.
  public var customer: [StatedIdentifier]
  public var customerName: String?
  /// BCP 47, only where reliable.
  public var language: String?
  /// The provider's id of the message.
  public var externalID: String?
  /// What others refer to this message by.
  public var names: [ReferenceKey]
  /// What this message refers to, strongest first: replied-to messages, then older ones of the thread.
  public var references: [ReferenceKey]
  /// A session or call that this message belongs to: a reference and, from now on, a name of its conversation.
  public var session: ReferenceKey?
  /// What came in several pieces and is one message.
  public var part: Part?
  /// The conversation that a signed token of ours names: whoever holds the token takes part in it.
  public var continuation: ID?
  /// Of a bot: the ownership under which it speaks.
  public var ownershipEpoch: Int64?
  /// A bot asks for a human with it.
  public var isHandoff = false
  /// What a bot says was said before: it is shown, and nobody begins to wait by it.
  public var isTranscript = false
  /// Somebody else answers it, on the provider's side: it is shown, and nobody begins to wait by it.
  public var isStandby = false
  /// Who reads it where it stands, and an answer there.
  public var visibility = Visibility.private
  /// Where an answer goes, as the provider's interface for sending calls it; nil: to the customer's side itself.
  public var replyAddress: String?
  public var replyToExternalID: String?
  public var subject: String?
  /// As agents see it; nil when there is none (a picture without caption).
  public var text: String?
  public var attachments: [Attachment]
  /// The raw bytes, where `text` shows less than was sent.
  public var original: Original?
  /// A JSON object with everything else worth keeping; empty means `{}`.
  public var details: JSONText
  /// Short marks for readers, such as `clock_skew` or `own_address_unverified`; stored in `details.flags`.
  public var flags: [String]

  /// It stands in a group, thread, ticket or channel of the provider's, which is where answers go; nil: it does not.
  public mutating func stand(in place: String?, _ visibility: Visibility = .group) {
    guard let place else { return }
    self.visibility = visibility
    replyAddress = place
  }

  public init(
    direction: Direction, authorKind: AuthorKind, authorID: String? = nil, customer: [StatedIdentifier],
    customerName: String? = nil, language: String? = nil, externalID: String? = nil, names: [ReferenceKey] = [],
    references: [ReferenceKey] = [], session: ReferenceKey? = nil, replyToExternalID: String? = nil, subject: String? = nil,
    text: String? = nil, attachments: [Attachment] = [], original: Original? = nil, details: JSONText = JSONText(),
    flags: [String] = []
  ) {
    self.direction = direction
    self.authorKind = authorKind
    self.authorID = authorID
    self.customer = customer
    self.customerName = customerName
    self.language = language
    self.externalID = externalID
    self.names = names
    self.references = references
    self.session = session
    self.replyToExternalID = replyToExternalID
    self.subject = subject
    self.text = text
    self.attachments = attachments
    self.original = original
    self.details = details
    self.flags = flags
  }
}

/// One of several pieces that are one message: a picture of an album, a piece of a long text.
public struct Part: Sendable, Equatable {
  /// All pieces have it among their names.
  public var whole: ReferenceKey
  /// Of a piece of text, from 1: they come in any order. Nil where the order says nothing.
  public var number: Int64?
  public init(of whole: ReferenceKey, number: Int64? = nil) {
    self.whole = whole
    self.number = number
  }
}

/// A reference to media; the worker never fetches it.
public struct Attachment: Sendable, Equatable {
  /// `image`, `video`, `audio`, `document`, `sticker`, `location`, `contact` or `file`.
  public var kind: String
  public var name: String?
  /// MIME type as the provider states it.
  public var type: String?
  public var sizeBytes: Int64?
  /// The provider's id of the media, or the Content-ID of a mail part.
  public var providerID: String?
  public var url: String?

  public init(
    kind: String, name: String? = nil, type: String? = nil, sizeBytes: Int64? = nil, providerID: String? = nil, url: String? = nil
  ) {
    self.kind = kind
    self.name = name
    self.type = type
    self.sizeBytes = sizeBytes
    self.providerID = providerID
    self.url = url
  }
}

/// The bytes of what is shown shortened.
public struct Original: Sendable, Equatable {
  public var contentType: String
  public var bytes: [UInt8]
  public init(contentType: String, bytes: [UInt8]) {
    self.contentType = contentType
    self.bytes = bytes
  }
}

/// What the business knows of a customer (`contact.upsert`).
public struct Contact: Sendable {
  public var identifiers: [StatedIdentifier]
  public var displayName: String?
  public var language: String?
  public var organization: Organization?
  /// Name and JSON value of each trait.
  public var traits: [String: JSONText]
  /// The newest contact wins.
  public var updatedAt: Timestamp

  public init(
    identifiers: [StatedIdentifier], displayName: String? = nil, language: String? = nil, organization: Organization? = nil,
    traits: [String: JSONText] = [:], updatedAt: Timestamp
  ) {
    self.identifiers = identifiers
    self.displayName = displayName
    self.language = language
    self.organization = organization
    self.traits = traits
    self.updatedAt = updatedAt
  }
}

/// A B2B account.
public struct Organization: Sendable, Equatable {
  public var externalID: String
  public var name: String?
  public var domains: [String]
  /// The agent's id.
  public var accountManager: String?
  public init(externalID: String, name: String? = nil, domains: [String] = [], accountManager: String? = nil) {
    self.externalID = externalID
    self.name = name
    self.domains = domains
    self.accountManager = accountManager
  }
}

/// An order as the shop knows it: whole, and the newest version wins.
public struct Order: Sendable {
  public struct Item: Sendable, Equatable {
    public var title: String
    public var quantity: Int64?
    public init(title: String, quantity: Int64? = nil) {
      self.title = title
      self.quantity = quantity
    }
  }
  /// The shop's id of it, unique inside the account.
  public var externalID: String
  /// What people say: `#1004`.
  public var number: String?
  /// The shop's word, such as `paid` or `cancelled`.
  public var status: String?
  /// A decimal number, as the shop writes it.
  public var total: String?
  /// ISO 4217.
  public var currency: String?
  public var items: [Item]
  public var placedAt: Timestamp?
  public var updatedAt: Timestamp
  /// Whose it is; empty: of nobody who is known.
  public var customer: [StatedIdentifier]
  public var customerName: String?
  /// BCP 47.
  public var language: String?
  /// A JSON object with everything else worth keeping.
  public var details: JSONText
  /// The provider or the business vouches for the delivery.
  public var isAttested = false

  public init(
    externalID: String, number: String? = nil, status: String? = nil, total: String? = nil, currency: String? = nil,
    items: [Item] = [], placedAt: Timestamp? = nil, updatedAt: Timestamp, customer: [StatedIdentifier],
    customerName: String? = nil, language: String? = nil, details: JSONText = JSONText()
  ) {
    self.externalID = externalID
    self.number = number
    self.status = status
    self.total = total
    self.currency = currency
    self.items = items
    self.placedAt = placedAt
    self.updatedAt = updatedAt
    self.customer = customer
    self.customerName = customerName
    self.language = language
    self.details = details
  }
}

/// An answer to a survey; it may be completed later, and the newest version wins.
public struct SurveyResponse: Sendable {
  /// The provider's id of the answer, the same in every version of it.
  public var externalID: String
  /// `csat`, `nps`, `ces`, or the provider's word.
  public var metric: String
  /// Decimal numbers as the provider writes them; scales differ, and nothing is converted.
  public var score: String?
  public var scaleMin: String?
  public var scaleMax: String?
  public var comment: String?
  public var answeredAt: Timestamp?
  public var updatedAt: Timestamp
  public var customer: [StatedIdentifier]
  public var customerName: String?
  /// BCP 47, only where reliable.
  public var language: String?
  /// The conversation it is about, if a signed token of ours or the business names it.
  public var conversation: ID?
  /// The provider's session it is about.
  public var session: ReferenceKey?
  /// A JSON object with everything else worth keeping.
  public var details: JSONText
  /// The provider or the business vouches for the delivery.
  public var isAttested = false
  /// Somebody vouches for it, or whoever answers holds a token or a session.
  public var isBelieved: Bool { isAttested || conversation != nil || customer.contains { $0.assurance >= .bearer } }

  public init(
    externalID: String, metric: String, score: String? = nil, scaleMin: String? = nil, scaleMax: String? = nil,
    comment: String? = nil, answeredAt: Timestamp? = nil, updatedAt: Timestamp, customer: [StatedIdentifier] = [],
    customerName: String? = nil, language: String? = nil, conversation: ID? = nil, session: ReferenceKey? = nil,
    details: JSONText = JSONText()
  ) {
    self.externalID = externalID
    self.metric = metric
    self.score = score
    self.scaleMin = scaleMin
    self.scaleMax = scaleMax
    self.comment = comment
    self.answeredAt = answeredAt
    self.updatedAt = updatedAt
    self.customer = customer
    self.customerName = customerName
    self.language = language
    self.conversation = conversation
    self.session = session
    self.details = details
  }
}

/// An event about a message that is known by its provider id, or about a customer or session.
public struct Change: Sendable {
  /// A bot asks for a human.
  public static let handoff = "handoff"
  /// Somebody is known by other identifiers from now on.
  public static let identityChange = "identity_change"
  /// What another system says of the session or ticket that a conversation is there.
  public static let conversationState = "conversation_state"
  /// What was said in a session of another channel, as a bot heard it: that channel delivers it itself.
  public static let botMessage = "bot_message"
  /// What is said in a session or below a message by who does not name the customer: our side, or a transcript.
  public static let said = "said"
  /// Status of what was said before a bot asked for a human.
  public static let transcript = "transcript"

  /// `edit`, `delete`, `attachment`, `reaction`, `receipt`, `call`, `said`, `identity_change`, `consent`, `erasure`,
  /// `data_request` (somebody wants to know what is known of them), `conversation_state`, `handoff`, `bot_message`, or `enrichment`:
  /// that something was said or changed, and what, has to be asked for.
  public var kind: String
  /// Name of the target message or session, where it has one.
  public var target: ReferenceKey?
  public var targetExternalID: String?
  /// The conversation that a signed token of ours names: whoever holds the token takes part in it.
  public var continuation: ID?
  /// Of what is said: what others refer to it by; `targetExternalID` is its own id then.
  public var name: ReferenceKey?
  /// The customer's side as the element states it.
  public var customer: [StatedIdentifier]
  /// Identity change: what is theirs no longer, and leads nowhere until somebody else states it.
  public var former: [Identifier] = []
  /// Who did it, where the provider says so.
  public var authorKind: AuthorKind?
  /// Edit: the whole new text, empty when nothing is left of it. Call, said: the words.
  public var text: String?
  /// Edit: all that is attached now; nil where that did not change. Attachment: what is linked or removed, and no other. Call:
  /// recordings.
  public var attachments: [Attachment]?
  /// Receipt: `sent`, `delivered`, `read` or `failed`. Consent: `opt_in` or `opt_out`,
  /// `marketing_…` where it is of advertising alone. Reaction: `add` or `remove`. Attachment:
  /// `removed`, or nil. Said: `internal`, `transcript`, or nil. Conversation state: the provider's word.
  public var status: String?
  /// Of a receipt that failed.
  public var error: String?
  /// The emoji, or the provider's name of one; nil takes back whatever there was.
  public var reaction: String?
  /// Of a receipt without target: of everything that was sent up to then.
  public var upTo: Timestamp?
  /// A JSON object with everything else worth keeping.
  public var details: JSONText
  /// Of a bot: the ownership under which it speaks.
  public var ownershipEpoch: Int64?
  /// The provider or the business vouches for the delivery, and so for who did it.
  public var isAttested = false

  public init(
    kind: String, target: ReferenceKey? = nil, targetExternalID: String? = nil, customer: [StatedIdentifier] = [],
    authorKind: AuthorKind? = nil, text: String? = nil, attachments: [Attachment]? = nil, status: String? = nil,
    error: String? = nil, reaction: String? = nil, upTo: Timestamp? = nil, details: JSONText = JSONText()
  ) {
    self.kind = kind
    self.target = target
    self.targetExternalID = targetExternalID
    self.customer = customer
    self.authorKind = authorKind
    self.text = text
    self.attachments = attachments
    self.status = status
    self.error = error
    self.reaction = reaction
    self.upTo = upTo
    self.details = details
  }
}

/// An element of a known body that this version does not know.
public struct Unknown: Sendable {
  /// The provider's word for it, such as the WhatsApp `field` or message `type`.
  public var what: String
  /// The element as it came, as JSON.
  public var details: JSONText
  public init(what: String, details: JSONText = JSONText()) {
    self.what = what
    self.details = details
  }
}
