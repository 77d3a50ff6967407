/// Where a message came through. The raw value is the word in topics, `source` and the column `channel`.
public enum Channel: String, Sendable, CaseIterable {
  case email, chat, form, store, whatsapp, messenger, instagram, sms, voice, telegram, x, line, viber, slack, rcs, apple, bot,
    ticket
  /// The business's own customer data (`crm.contacts`), its shop (`commerce.orders`) and its surveys (`feedback.surveys`); they carry
  /// no messages.
  case crm, commerce, survey
  /// The agents' desktop: actions and presence.
  case desk

  /// Its accounts are mailboxes, numbers and pages of ours that customers write to.
  public var isCustomers: Bool { self != .desk }
}

/// What an identifier is: the columns `identity.kind` and `identity_claim.kind`.
public struct IdentifierKind: RawRepresentable, Hashable, Sendable, Comparable {
  public var rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  /// The business's own customer number.
  public static let externalID = Self(rawValue: "external_id")
  public static let email = Self(rawValue: "email")
  public static let phone = Self(rawValue: "phone")
  public static let whatsapp = Self(rawValue: "whatsapp")
  public static let messenger = Self(rawValue: "messenger")
  public static let instagram = Self(rawValue: "instagram")
  public static let telegram = Self(rawValue: "telegram")
  public static let x = Self(rawValue: "x")
  public static let line = Self(rawValue: "line")
  public static let viber = Self(rawValue: "viber")
  public static let slack = Self(rawValue: "slack")
  public static let apple = Self(rawValue: "apple")
  /// The record of a person in another system of the business (CRM, help desk, shop, survey tool); the scope is
  /// `<system>:<account>`, such as `zendesk:22129848`.
  public static let contact = Self(rawValue: "contact")
  public static let visitor = Self(rawValue: "visitor")
  public static let device = Self(rawValue: "device")
  public static let loyalty = Self(rawValue: "loyalty")
  public static let order = Self(rawValue: "order")

  /// What a sender who is nothing but a claim is known by: never merges, never found by the real kind.
  public var claimed: Self { Self(rawValue: "claimed_" + rawValue) }
  public var isClaimed: Bool { rawValue.hasPrefix("claimed_") }

  /// Order numbers help an agent to find a customer; they never define one.
  public var definesCustomer: Bool { self != .order }

  /// Whoever holds one is its customer: a visitor cookie or install id.
  public var isBearer: Bool { self == .visitor || self == .device }

  /// A provider's id, unique inside one page, portfolio or workspace.
  public var isChannelScoped: Bool { rank == 1 }

  /// Whether values say nothing without their scope: page, portfolio, widget. X's ids are the same everywhere.
  public var isScoped: Bool { isChannelScoped && self != .x || isBearer }

  /// Among equals the identifier with the lower rank says more about who somebody is.
  public var rank: Int {
    switch self {
    case .externalID: 0
    case .email: 2
    case .phone: 3
    case .loyalty: 4
    case .visitor, .device: 5
    case .order: 6
    default: 1
    }
  }

  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// How far an identifier on a record can be trusted, weakest first (`identity-and-threading.md`).
public enum Assurance: UInt8, Sendable, Comparable, CaseIterable {
  /// Nobody vouches.
  case a0
  /// Whoever holds it.
  case bearer
  /// The protocol vouches.
  case a1
  /// The provider vouches.
  case a2
  /// The business vouches.
  case a3

  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

  /// The label in the database type `assurance` and in JSON.
  public var label: String {
    switch self {
    case .a0: "A0"
    case .bearer: "bearer"
    case .a1: "A1"
    case .a2: "A2"
    case .a3: "A3"
    }
  }

  public init?(label: String) {
    guard let match = Self.allCases.first(where: { $0.label == label }) else { return nil }
    self = match
  }
}

/// An identifier of a customer, unique within a tenant while it is valid.
public struct Identifier: Hashable, Sendable, Comparable {
  /// The longest scope or value that is stored, in UTF-8 bytes; longer ones are rejected by the normalisers.
  public static let maximumBytes = 512

  /// Of the value alone, since kinds and scopes are few; kept, because a batch looks each of its identifiers up a dozen times.
  private let hash: Int
  public let kind: IdentifierKind
  /// What the value is unique inside: page, portfolio, widget; empty for e-mail addresses and E.164 numbers.
  public let scope: String
  /// Normalised as its kind demands.
  public let value: String

  public init(_ kind: IdentifierKind, scope: String = "", _ value: String) {
    hash = value.hashValue
    self.kind = kind
    self.scope = scope
    self.value = value
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(hash) }
  public func _rawHashValue(seed: Int) -> Int { hash._rawHashValue(seed: seed) }

  /// The order in which identities are inserted, the same in every process: by UTF-8 bytes.
  public static func < (a: Self, b: Self) -> Bool {
    if a.kind != b.kind { return a.kind.rawValue.utf8.lexicographicallyPrecedes(b.kind.rawValue.utf8) }
    if a.scope != b.scope { return a.scope.utf8.lexicographicallyPrecedes(b.scope.utf8) }
    return a.value.utf8.lexicographicallyPrecedes(b.value.utf8)
  }
}

/// One identifier as one record states it.
public struct StatedIdentifier: Hashable, Sendable {
  public var identifier: Identifier
  public var assurance: Assurance

  public init(_ identifier: Identifier, _ assurance: Assurance) {
    self.identifier = identifier
    self.assurance = assurance
  }
}
