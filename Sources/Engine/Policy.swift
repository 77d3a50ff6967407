import Canonical

/// What an installation may decide about identity and threading; the defaults are the design's.
public struct Policy: Sendable {
  /// How many identities of a kind one customer may have; `otherIdentityLimit` for the kinds not named.
  public var identityLimits: [IdentifierKind: Int] = [.externalID: 1]
  public var otherIdentityLimit = 5
  /// Values that stand for nobody: no identity and no claim, whatever the kind.
  public var blockedValues: Set<String> = [
    "null", "nil", "none", "undefined", "unknown", "anonymous", "restricted", "unavailable", "private", "n/a", "na", "test",
    "0", "0000", "00000000", "-1", "1234", "12345678", "+10000000000", "+266696687", "test@test.com", "test@example.com",
    "a@a.com", "noreply", "none@none.com",
  ]
  /// Local parts of mailboxes that several people read or nobody does: they thread, and never match a person.
  public var roleLocalParts: Set<String> = [
    "info", "noreply", "no-reply", "donotreply", "do-not-reply", "admin", "administrator", "office", "contact", "sales",
    "support",
    "help", "helpdesk", "service", "billing", "accounts", "invoices", "postmaster", "mailer-daemon", "webmaster", "hostmaster",
    "abuse",
    "root", "team", "hello", "mail", "reception", "kontakt", "contacto", "buchhaltung",
  ]
  /// What people of ours write from: nobody is known by it.
  public var ownMailboxes = MailAddresses()
  /// A conversation that was silent for longer is over: the next message without reference opens a new one.
  public var idleWindow: Duration = .seconds(14 * 86_400)
  /// How long after its resolution a customer's message opens a conversation again; `otherReopenWindow` for the channels not named.
  public var reopenWindows: [Channel: Duration] = [:]
  public var otherReopenWindow: Duration = .seconds(72 * 3_600)
  /// How many mails by machines a conversation takes in a day: more is a loop.
  public var automaticPerDay: Int32 = 50
  /// How long a human reference number or an equal subject leads to a conversation that is over.
  public var referenceWindow: Duration = .seconds(14 * 86_400)
  /// Signs what leads back to a conversation; nil: agents cannot invite, and mail carries no signature of ours.
  public var tokens: TokenSigner?
  /// No customer wrote before: such times are defaults of somebody's clock.
  public var earliestPlausible = Timestamp(seconds: 946_684_800)

  public init() {}

  func identityLimit(_ kind: IdentifierKind) -> Int { identityLimits[kind] ?? otherIdentityLimit }
  func reopenWindow(_ channel: Channel) -> Duration { reopenWindows[channel] ?? otherReopenWindow }

  func isBlocked(_ identifier: Identifier) -> Bool { blockedValues.contains(identifier.value.lowercased()) }

  func isRoleAddress(_ identifier: Identifier) -> Bool {
    guard identifier.kind == .email, let at = identifier.value.firstIndex(of: "@") else { return false }
    return roleLocalParts.contains(String(identifier.value[..<at]))
  }
}

/// Makes the tokens that lead back to a conversation, under a secret that the core does not see.
public struct TokenSigner: Sendable {
  /// Of a tenant's conversation, for a link to another channel.
  public var continuation: @Sendable (_ tenant: String, _ conversation: ID) -> String
  /// The Message-ID (without `<>`) of a mail of ours from a mailbox, and its name.
  public var messageID:
    @Sendable (_ tenant: String, _ conversation: ID, _ message: ID, _ mailbox: String) -> (text: String, name: ReferenceKey)
  /// The mailbox with a plus address that leads to the conversation; nil where it is too long for one.
  public var replyTo: @Sendable (_ tenant: String, _ conversation: ID, _ mailbox: String) -> String?

  public init(
    continuation: @escaping @Sendable (String, ID) -> String,
    messageID: @escaping @Sendable (String, ID, ID, String) -> (text: String, name: ReferenceKey),
    replyTo: @escaping @Sendable (String, ID, String) -> String?
  ) {
    self.continuation = continuation
    self.messageID = messageID
    self.replyTo = replyTo
  }
}

/// A value of one tenant: the key of every fact.
public struct InTenant<Value: Hashable & Sendable>: Hashable, Sendable {
  public var tenant: String
  public var value: Value
  public init(_ tenant: String, _ value: Value) {
    self.tenant = tenant
    self.value = value
  }

  /// By the value alone: few tenants have the same one.
  @inlinable public func hash(into hasher: inout Hasher) { hasher.combine(value) }
  @inlinable public func _rawHashValue(seed: Int) -> Int { value._rawHashValue(seed: seed) }
}

extension InTenant<ReferenceKey> {
  /// The key of a delivery that is called so: names and keys are stored as one.
  public var asKey: InTenant<MessageKey> { InTenant<MessageKey>(tenant, MessageKey(value)) }
}

extension InTenant: Comparable where Value: Comparable {
  @inlinable public static func < (a: Self, b: Self) -> Bool {
    a.tenant != b.tenant ? a.tenant.utf8.lexicographicallyPrecedes(b.tenant.utf8) : a.value < b.value
  }
}
