/// A Kafka record as the core sees it.
public struct Record: Sendable {
  public var topic: String
  public var partition: Int32
  public var offset: Int64
  /// The record's own time; nil when the broker gave none.
  public var timestamp: Timestamp?
  public var key: [UInt8]?
  public var headers: [Header]
  /// nil is a tombstone.
  public var value: [UInt8]?
  /// Bytes of key, headers and value that were not copied from Kafka; with any, only the beginning is here.
  public var omittedBytes: Int

  /// Of key, headers and value, as far as they are here.
  public var byteCount: Int {
    headers.reduce((key?.count ?? 0) + (value?.count ?? 0)) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
  }

  public struct Header: Sendable, Equatable {
    public var name: String
    public var value: [UInt8]?
    public init(_ name: String, _ value: [UInt8]?) {
      self.name = name
      self.value = value
    }
  }

  public init(
    topic: String, partition: Int32, offset: Int64, timestamp: Timestamp?, key: [UInt8]?, headers: [Header], value: [UInt8]?,
    omittedBytes: Int = 0
  ) {
    self.topic = topic
    self.partition = partition
    self.offset = offset
    self.timestamp = timestamp
    self.key = key
    self.headers = headers
    self.value = value
    self.omittedBytes = omittedBytes
  }
}

/// Why a record or an element of it is a dead letter. The disposition is always the same: store the letter, go on.
public struct Rejection: Error, Sendable, Equatable {
  public var reason: Reason
  /// For the operator: names of fields and limits, never a customer's text, address or number.
  public var detail: String

  public init(_ reason: Reason, _ detail: String) {
    self.reason = reason
    self.detail = detail
  }

  /// The closed set of reasons: the column `dead_letter.reason`.
  public enum Reason: String, Sendable, CaseIterable {
    /// No `type`, `source` or `id`, or a CloudEvents version that is not 1.0.
    case envelopeInvalid = "envelope_invalid"
    /// A `type` that no format has.
    case unknownType = "unknown_type"
    /// The format does not belong on this topic, or `source` names another channel.
    case topicMismatch = "topic_mismatch"
    case tenantInvalid = "tenant_invalid"
    case malformedJSON = "malformed_json"
    /// Readable, but a field that must be there is missing or has the wrong type.
    case malformedPayload = "malformed_payload"
    case invalidUTF8 = "invalid_utf8"
    case nulInText = "nul_in_text"
    case tooLarge = "too_large"
    /// So long that only the beginning was copied from Kafka, and is all that the letter has.
    case truncated
    case tooDeep = "too_deep"
    /// PostgreSQL will not take it, alone (SQLSTATE classes 22, 54, 23502).
    case databaseRejected = "database_rejected"
    /// Fails alone again and again for a reason of ours.
    case `internal` = "internal"
    /// The broker deleted records before they were read.
    case offsetsTrimmed = "offsets_trimmed"
    /// Kafka can not hand the record over: it is corrupt, or does not decompress.
    case unreadable
    /// An action or a result about a conversation or message that is not there.
    case unknownTarget = "unknown_target"
    /// Killed the process while it was read alone.
    case quarantined = "quarantined"
  }
}

/// What became of one element of a record when it was normalised.
public enum NormalisedElement: Sendable {
  indirect case event(Event)
  /// Recognised and of no use: `typing`, `verification`, `loop` …
  case ignored(reason: String)
  case rejected(Rejection)
}

/// One record after decoding and normalising: its elements in the provider's order. A class, because it goes through many hands.
public final class NormalisedRecord: Sendable {
  public let record: Record
  /// The tenant for dead letters; the default tenant where the envelope could not be read.
  public let tenant: String
  public let elements: [NormalisedElement]
  public init(record: Record, tenant: String, elements: [NormalisedElement]) {
    self.record = record
    self.tenant = tenant
    self.elements = elements
  }

  /// The same with these elements in place of its own.
  public func with(_ elements: [NormalisedElement]) -> NormalisedRecord {
    NormalisedRecord(record: record, tenant: tenant, elements: elements)
  }
}
