import Canonical
import Engine
import Postgres

/// What people read: a customer's timeline over all channels, conversations as they stand, a day in numbers. No locks, any connection.
public enum TimelineReads {
  /// One thing that happened with a customer: a row of `customer_timeline`.
  public struct Entry: Sendable, Equatable {
    public var at: Timestamp
    /// `message`, `call`, `note`, `handoff`, `channel_switched`, `opened`, `resolved`, `queued`, `offered`, `assigned`, `unassigned`,
    /// `claim`, `merged`, or the reason of a link such as `reference_refused`.
    public var kind: String
    public var channel: String?
    /// The conversation's human number.
    public var conversation: String?
    public var authorKind: String?
    public var author: String?
    public var text: String?
    public var direction: String?
    /// The channel before a switch, the agent of an assignment, the kind of a claim, the rule of a merge, the intent of a hand-off.
    public var subject: String?
    /// The queue or the reason.
    public var reason: String?
    /// Of calls.
    public var durationSeconds: Int64?
  }

  /// Oldest first.
  public static func timeline(
    of customer: ID, tenant: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [Entry] {
    let rows = try db.query(Queries.named("timeline_read"), [.text(tenant), .uuid(PostgresUUID(customer))])
    return (0..<rows.count).map { row in
      Entry(
        at: rows.timestamp(row, 0), kind: rows.text(row, 1), channel: rows.optionalText(row, 2),
        conversation: rows.optionalText(row, 3), authorKind: rows.optionalText(row, 4), author: rows.optionalText(row, 5),
        text: rows.optionalText(row, 6), direction: rows.optionalText(row, 7), subject: rows.optionalText(row, 8),
        reason: rows.optionalText(row, 9), durationSeconds: rows.optionalInt8(row, 10))
    }
  }

  /// A conversation as an agent's desktop shows it.
  public struct Conversation: Sendable {
    public var id: ID
    public var reference: String
    public var customer: ID
    public var customerName: String?
    public var isCustomerVerified: Bool
    public var status: String
    public var ownerKind: String
    public var owner: String?
    /// The agent has not accepted yet.
    public var isOffer: Bool
    public var epoch: Int64
    public var version: Int64
    public var queue: String?
    public var language: String?
    public var openedAt: Timestamp
    public var waitingSince: Timestamp?
    public var firstResponseAt: Timestamp?
    public var lastMessageAt: Timestamp
    /// The customer's last message that can be answered in writing, else the last call.
    public var last: (channel: String, at: Timestamp, text: String?)?
    /// The providers' ids of what the customer sent.
    public var receivedIDs: [String]
  }

  /// By the ids that were asked for; what has become part of another conversation is that one.
  public static func conversations(
    _ ids: [ID], tenant: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [ID: Conversation] {
    guard !ids.isEmpty else { return [:] }
    let rows = try db.query(Queries.named("timeline_conversations"), [.text(tenant), .ids(ids)])
    var found: [ID: Conversation] = [:]
    for row in 0..<rows.count {
      let last: (String, Timestamp, String?)? =
        rows.isNull(row, 17) ? nil : (rows.text(row, 17), rows.timestamp(row, 18), rows.optionalText(row, 19))
      found[ids[rows.position(row)]] = Conversation(
        id: rows.uuid(row, 1).id, reference: rows.text(row, 2), customer: rows.uuid(row, 3).id,
        customerName: rows.optionalText(row, 4), isCustomerVerified: rows.bool(row, 5), status: rows.text(row, 6),
        ownerKind: rows.text(row, 7), owner: rows.optionalText(row, 8), isOffer: rows.bool(row, 21), epoch: rows.int8(row, 9),
        version: rows.int8(row, 10), queue: rows.optionalText(row, 11), language: rows.optionalText(row, 12),
        openedAt: rows.timestamp(row, 13),
        waitingSince: rows.optionalTimestamp(row, 14), firstResponseAt: rows.optionalTimestamp(row, 15),
        lastMessageAt: rows.timestamp(row, 16), last: last,
        receivedIDs: rows.optionalText(row, 20)?.split(separator: " ").map(String.init) ?? [])
    }
    return found
  }

  /// A message by the id that its provider gave it.
  public struct Message: Sendable, Equatable {
    public var externalID: String
    public var id: ID
    public var conversation: ID
    public var customer: ID
    public var channel: String
    public var authorKind: String
    public var at: Timestamp
    public var deliveryStatus: String?
    public var address: String?
    /// JSON.
    public var details: String
  }

  /// Those that are there, oldest first; deleted ones are not.
  public static func messages(
    _ externalIDs: [String], tenant: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [Message] {
    guard !externalIDs.isEmpty else { return [] }
    let rows = try db.query(Queries.named("timeline_messages"), [.text(tenant), .texts(externalIDs)])
    return (0..<rows.count).map { row in
      Message(
        externalID: rows.text(row, 0), id: rows.uuid(row, 1).id, conversation: rows.uuid(row, 2).id,
        customer: rows.uuid(row, 3).id, channel: rows.text(row, 4), authorKind: rows.text(row, 5), at: rows.timestamp(row, 6),
        deliveryStatus: rows.optionalText(row, 7), address: rows.optionalText(row, 8), details: rows.text(row, 9))
    }
  }

  /// Whose the identifiers are, and how sure that is.
  public static func owners(
    of identifiers: [Identifier], tenant: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [Identifier: (customer: ID, assurance: String)] {
    guard !identifiers.isEmpty else { return [:] }
    let rows = try db.query(
      Queries.named("timeline_identities"),
      [
        .text(tenant), .texts(identifiers.map(\.kind.rawValue)), .texts(identifiers.map(\.scope)),
        .texts(identifiers.map(\.value)),
      ])
    var owners: [Identifier: (customer: ID, assurance: String)] = [:]
    for row in 0..<rows.count { owners[identifiers[rows.position(row)]] = (rows.uuid(row, 1).id, rows.text(row, 2)) }
    return owners
  }

  // MARK: - What the sample day is judged by

  /// What is known of a customer, and how often others were taken for them.
  public struct Customer: Sendable, Equatable {
    public var name: String?
    public var isVerified: Bool
    public var organization: String?
    public var accountManager: String?
    public var conversations: Int64
    public var merges: Int64
    public var suggestions: Int64
  }

  public static func customer(
    _ id: ID, tenant: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> Customer? {
    let rows = try db.query(Queries.named("demo_customer"), [.text(tenant), .uuid(PostgresUUID(id))])
    guard rows.count > 0 else { return nil }
    return Customer(
      name: rows.optionalText(0, 0), isVerified: rows.bool(0, 1), organization: rows.optionalText(0, 2),
      accountManager: rows.optionalText(0, 3), conversations: rows.int8(0, 4), merges: rows.int8(0, 5),
      suggestions: rows.int8(0, 6))
  }

  /// Why a conversation was given to whom.
  public struct Decision: Sendable, Equatable {
    public var rule: String
    public var queue: String
    public var agent: String?
    public var isTaken: Bool
    /// A JSON object: how many agents were passed over, by reason.
    public var excluded: String
  }

  /// Oldest first.
  public static func decisions(
    about conversation: ID, tenant: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [Decision] {
    let rows = try db.query(Queries.named("demo_decisions"), [.text(tenant), .uuid(PostgresUUID(conversation))])
    return (0..<rows.count).map { row in
      Decision(
        rule: rows.text(row, 0), queue: rows.text(row, 1), agent: rows.optionalText(row, 2), isTaken: rows.bool(row, 3),
        excluded: rows.text(row, 4))
    }
  }

  /// What a bot said when it gave up.
  public struct Handoff: Sendable, Equatable {
    public var intent: String?
    public var language: String?
    public var reason: String?
    /// Entries of its transcript.
    public var transcriptCount: Int32
  }

  public static func handoffs(
    in conversation: ID, tenant: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [Handoff] {
    let rows = try db.query(Queries.named("demo_handoffs"), [.text(tenant), .uuid(PostgresUUID(conversation))])
    return (0..<rows.count).map { row in
      Handoff(
        intent: rows.optionalText(row, 0), language: rows.optionalText(row, 1), reason: rows.optionalText(row, 2),
        transcriptCount: rows.int4(row, 3))
    }
  }

  /// A tenant in numbers.
  public struct Totals: Sendable, Equatable {
    public var received: Int64
    public var sent: Int64
    /// Messages that are there more than once.
    public var doubled: Int64
    public var customers: Int64
    /// Customers who turned out to be another one.
    public var merged: Int64
    public var conversations: Int64
    public var live: Int64
    /// In a queue, for somebody who may and can.
    public var waiting: Int64
    public var withBots: Int64
    /// Open with a message of the customer that nobody has answered; bots' left out.
    public var unanswered: Int64
    /// Open, answered or not, or put off; bots' left out.
    public var unfinished: Int64
    public var assignments: Int64
    /// Agents whose load is not that of what they have.
    public var unbalancedAgents: Int64
    public var agentsOnline: Int64
    public var agentsOverCapacity: Int64
    public var deadLetters: Int64
    /// Receipts, reactions and the like.
    public var parked: Int64
    public var claims: Int64
    public var refusedReferences: Int64
  }

  public static func totals(tenant: String, on db: isolated PostgresConnection) throws(PostgresFault) -> Totals {
    let rows = try db.query(Queries.named("demo_totals"), [.text(tenant)])
    var column = -1
    func next() -> Int64 {
      column += 1
      return rows.int8(0, column)
    }
    return Totals(
      received: next(), sent: next(), doubled: next(), customers: next(), merged: next(), conversations: next(), live: next(),
      waiting: next(), withBots: next(), unanswered: next(), unfinished: next(), assignments: next(), unbalancedAgents: next(),
      agentsOnline: next(), agentsOverCapacity: next(), deadLetters: next(), parked: next(), claims: next(),
      refusedReferences: next())
  }

  /// What came and went by channel, the busiest first.
  public static func channels(
    tenant: String, on db: isolated PostgresConnection
  ) throws(PostgresFault) -> [(channel: String, received: Int64, sent: Int64, customers: Int64)] {
    let rows = try db.query(Queries.named("demo_channels"), [.text(tenant)])
    return (0..<rows.count).map { (rows.text($0, 0), rows.int8($0, 1), rows.int8($0, 2), rows.int8($0, 3)) }
  }
}
