import Canonical
import Parsing

/// What the adapter itself verified: the words of the extension `attested`; unknown words mean nothing.
public struct Attested: OptionSet, Sendable, Hashable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The webhook's signature.
  public static let signature = Self(rawValue: 1)
  /// The signed token of a visitor or portal user.
  public static let token = Self(rawValue: 2)
  /// An aligned DMARC pass, seen by our own receiver.
  public static let dmarc = Self(rawValue: 4)
  /// A caller id with full attestation.
  public static let callerID = Self(rawValue: 8)
  /// The record is the business's own statement.
  public static let business = Self(rawValue: 16)

  init(words: String) {
    self = []
    for word in words.utf8.split(separator: UInt8(ascii: " ")) {
      switch String(Substring(word)) {
      case "signature": insert(.signature)
      case "token": insert(.token)
      case "dmarc": insert(.dmarc)
      case "caller_id": insert(.callerID)
      case "business": insert(.business)
      default: break
      }
    }
  }
}

/// The envelope of a record: CloudEvents 1.0 over the Kafka protocol binding, binary or structured content mode. A class, because
/// whoever reads an element has it.
public final class CloudEvent: Sendable {
  public static let defaultTenant = "default"

  public let id: String
  /// The payload's format.
  public let type: String
  /// Where it came through: `/channels/<channel>/<account>`, percent-encoded; of the agents' desktop any URI.
  public let source: String
  public let tenant: String
  /// nil when absent or unreadable.
  public let time: Timestamp?
  public let partitionKey: String?
  public let attested: Attested
  /// nil when absent or not of the W3C form.
  public let traceparent: String?
  public let dataSchema: String?
  public let dataContentType: String?
  /// The provider's HTTP headers (`http_…`) and `envelope_rcpt`, names in lower case; the first of equal names.
  public let headers: [String: String]

  /// - Parameter attribute: is asked for each by the name of its header, `ce_…`.
  private init(
    headers: [String: String], dataContentType: String?, limits: Limits, attribute: (String) throws(Rejection) -> String?
  ) throws(Rejection) {
    func optional(_ name: String) throws(Rejection) -> String? {
      guard let text = try attribute(name), !text.isEmpty else { return nil }
      guard text.utf8.count <= limits.attributeBytes else { throw Rejection(.tooLarge, CloudEvent.word(name)) }
      guard !text.holdsNUL else { throw Rejection(.nulInText, CloudEvent.word(name)) }
      return text
    }
    func required(_ name: String) throws(Rejection) -> String {
      guard let text = try optional(name) else { throw Rejection(.envelopeInvalid, CloudEvent.word(name)) }
      return text
    }
    tenant = try optional("ce_tenantid") ?? CloudEvent.defaultTenant
    guard CloudEvent.isTenant(tenant) else { throw Rejection(.tenantInvalid, "tenantid") }
    // The specification demands a version; adapters that forget it mean 1.0.
    if let version = try optional("ce_specversion"), !version.hasPrefix("1.") { throw Rejection(.envelopeInvalid, "specversion") }
    id = try required("ce_id")
    type = try required("ce_type")
    source = try required("ce_source")
    time = try optional("ce_time").flatMap(ISO8601.microseconds).map(Timestamp.init(microseconds:))
      .flatMap { Timestamp.storable.contains($0) ? $0 : nil }
    partitionKey = try optional("ce_partitionkey")
    attested = Attested(words: try optional("ce_attested") ?? "")
    traceparent = try optional("ce_traceparent").flatMap { CloudEvent.isTraceparent($0) ? $0 : nil }
    dataSchema = try optional("ce_dataschema")
    self.dataContentType = dataContentType
    self.headers = headers
  }
}

/// The data of a CloudEvent: a JSON value of the structured mode, or bytes.
enum Payload {
  /// Valid until the parser that read the envelope parses again.
  case json(JSONValue)
  case bytes([UInt8])
}

extension CloudEvent {
  /// Reads a record's envelope and finds its payload.
  ///
  /// - Throws: `envelopeInvalid`, `tenantInvalid`, `malformedPayload` (tombstone), `tooLarge`, `truncated`, `nulInText`, `invalidUTF8`,
  ///   and the reasons of a JSON document that cannot be read.
  static func decode(_ record: Record, parser: JSONParser, limits: Limits) throws(Rejection) -> (CloudEvent, Payload) {
    guard record.omittedBytes == 0 else {
      throw Rejection(.truncated, "\(record.byteCount) of \(record.byteCount + record.omittedBytes) bytes are kept")
    }
    guard let value = record.value else { throw Rejection(.malformedPayload, "tombstone") }
    guard record.key?.count ?? 0 <= limits.recordKeyBytes else { throw Rejection(.tooLarge, "key") }
    guard value.count <= limits.bodyBytes else { throw Rejection(.tooLarge, "body_bytes") }
    // What a retry adds must not be what a record fails for.
    guard limits.permits(record.headers) || limits.permits(record.headers.filter { !Retry.isHeader($0.name) }) else {
      throw Rejection(.tooLarge, "headers")
    }

    var kept: [String: String] = [:]
    for header in record.headers {
      guard let first = header.name.utf8.first, ["e", "h"].contains(UnicodeScalar(first | 0x20)) else { continue }
      let name = header.name.lowercased()
      guard name.hasPrefix("http_") || name == "envelope_rcpt", kept[name] == nil, let bytes = header.value else { continue }
      guard !bytes.contains(0) else { throw Rejection(.nulInText, "header") }
      kept[name] = String(decoding: bytes, as: UTF8.self)
    }
    let contentType = record.headers.value(of: "content-type").map { String(decoding: $0, as: UTF8.self).trimmed }

    guard let mediaType = contentType?.mediaType, mediaType.hasPrefix("application/cloudevents") else {
      // Not the record: it would be copied for every attribute.
      let sent = record.headers
      let event = try CloudEvent(headers: kept, dataContentType: contentType, limits: limits) { name throws(Rejection) in
        guard let bytes = sent.value(of: name) else { return nil }
        guard let text = String(utf8: bytes) else { throw Rejection(.invalidUTF8, name) }
        return text
      }
      return (event, .bytes(value))
    }
    guard mediaType == "application/cloudevents+json" else { throw Rejection(.envelopeInvalid, "content-type") }
    let root = try parser.document(value)
    guard root.isObject else { throw Rejection(.envelopeInvalid, "not an object") }
    let dataContentType = root["datacontenttype"].string(atMost: limits.attributeBytes)
    let event = try CloudEvent(headers: kept, dataContentType: dataContentType, limits: limits) { name throws(Rejection) in
      root[Self.word(name)].idString
    }
    return (event, try payload(of: root, contentType: event.dataContentType))
  }

  /// What CloudEvents calls the attribute of this header.
  private static func word(_ header: String) -> String { String(header.dropFirst("ce_".count)) }

  /// `[a-z0-9][a-z0-9_-]{0,62}`.
  private static func isTenant(_ text: String) -> Bool {
    let bytes = text.utf8
    guard bytes.count <= 63, let first = bytes.first, first.isLowerOrDigit else { return false }
    return bytes.allSatisfy { $0.isLowerOrDigit || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
  }

  /// The parts of `source`, the account percent-decoded; it may hold `/`.
  ///
  /// - Throws: `envelopeInvalid`, `nulInText`.
  func origin() throws(Rejection) -> (channel: String, account: String) {
    let prefix = "/channels/"
    guard source.utf8.starts(with: prefix.utf8) else { throw Rejection(.envelopeInvalid, "source") }
    let rest = source.utf8.dropFirst(prefix.utf8.count)
    guard let slash = rest.firstIndex(of: UInt8(ascii: "/")), let account = Substring(rest[slash...].dropFirst()).percentDecoded,
      !account.isEmpty, account.utf8.count <= Identifier.maximumBytes
    else { throw Rejection(.envelopeInvalid, "source") }
    guard !account.holdsNUL else { throw Rejection(.nulInText, "source") }
    return (String(Substring(rest[..<slash])), account)
  }

  /// W3C Trace Context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`.
  private static func isTraceparent(_ text: String) -> Bool {
    guard text.utf8.count == 55 else { return false }
    let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard parts.map(\.count) == [2, 32, 16, 2] else { return false }
    return parts.allSatisfy { $0.allSatisfy { $0.isLowerOrDigit && $0 <= UInt8(ascii: "f") } }
  }

  private static func payload(of root: JSONValue, contentType: String?) throws(Rejection) -> Payload {
    if let base64 = root["data_base64"].string {
      guard let bytes = base64.base64Decoded else { throw Rejection(.envelopeInvalid, "data_base64") }
      return .bytes(bytes)
    }
    let data = root["data"]
    guard data.exists, !data.isNull else { throw Rejection(.malformedPayload, "data") }
    let mediaType = contentType?.mediaType ?? "application/json"
    if let text = data.string, mediaType != "application/json", !mediaType.hasSuffix("+json") { return .bytes(Array(text.utf8)) }
    return .json(data)
  }
}

extension Limits {
  fileprivate func permits(_ sent: [Record.Header]) -> Bool {
    sent.count <= headers && sent.reduce(0) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) } <= headerBytes
  }
}

extension [Record.Header] {
  /// The value of the first header of this name, which is in lower case, letter case aside. Records have a dozen headers: looking beats
  /// hashing, and comparing texts of 15 bytes beats comparing their bytes.
  fileprivate func value(of name: String) -> [UInt8]? {
    first { header in
      header.value != nil && header.name.utf8.count == name.utf8.count
        && (header.name == name || header.name.equalsIgnoringCase(name))
    }?.value
  }
}

extension String {
  /// `other` is in lower case.
  fileprivate func equalsIgnoringCase(_ other: String) -> Bool {
    utf8.elementsEqual(other.utf8) { $0 == $1 || ($0 | 0x20 == $1 && $1 >= UInt8(ascii: "a") && $1 <= UInt8(ascii: "z")) }
  }
}

extension JSONParser {
  /// Parses a whole document, its faults as rejections.
  func document(_ bytes: [UInt8]) throws(Rejection) -> JSONValue {
    do {
      return try parse(bytes)
    } catch {
      switch error {
      case .malformed(let words): throw Rejection(.malformedJSON, words)
      case .invalidUTF8: throw Rejection(.invalidUTF8, "json")
      case .tooLarge: throw Rejection(.tooLarge, "json")
      case .tooDeep: throw Rejection(.tooDeep, "json")
      case .tooManyKeys: throw Rejection(.tooLarge, "keys")
      case .longKey: throw Rejection(.tooLarge, "key_bytes")
      }
    }
  }
}
