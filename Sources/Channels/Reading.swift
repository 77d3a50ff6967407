import Canonical
import Parsing

extension Message {
  /// It is one of several pieces: the whole is a name of each.
  mutating func take(part: Part) {
    self.part = part
    names.append(part.whole)
  }
}

extension JSONValue {
  var json: JSONText { JSONText(utf8: utf8) }

  /// More than any id and any name have. Such a string is not copied: a record may refer to it ten thousand times.
  static let longestID = 4_096

  /// An id that says something and is no longer than `longestID`.
  var id: String? { (isString ? string(atMost: Self.longestID) : idString)?.nonEmpty }

  /// The string under `key`; nil when absent, null or empty.
  func text(_ key: String) throws(Rejection) -> String? {
    let value = self[key]
    guard value.exists, !value.isNull else { return nil }
    guard let text = value.string else { throw Rejection(.malformedPayload, key) }
    return text.nonEmpty
  }

  /// The id under `key`.
  func requiredID(_ key: String, in place: String = "") throws(Rejection) -> String {
    let value = self[key]
    guard let id = value.id else {
      let isLong = value.isString && value.string(atMost: 0) == nil
      throw Rejection(isLong ? .tooLarge : .malformedPayload, place + key)
    }
    return id
  }

  /// The id under `key`; nil when absent, null or empty.
  func optionalID(_ key: String, maximumBytes: Int = Identifier.maximumBytes) throws(Rejection) -> String? {
    let value = self[key]
    guard value.exists, !value.isNull else { return nil }
    guard let id = value.isString ? value.string(atMost: maximumBytes) : value.idString else {
      throw Rejection(.malformedPayload, key)
    }
    return id.nonEmpty
  }

  /// The id under `key`, in the form of our own.
  func ownID(_ key: String) throws(Rejection) -> ID {
    guard let id = self[key].string.flatMap({ ID($0) }) else { throw Rejection(.malformedPayload, key) }
    return id
  }

  /// The agent that an event of the desk is about.
  func agentID() throws(Rejection) -> String {
    guard let id = try optionalID("agent_id") else { throw Rejection(.malformedPayload, "agent_id") }
    return id
  }

  /// The whole number under `key`; nil when absent or null.
  func integer(_ key: String, in range: ClosedRange<Int64> = .min ... .max) throws(Rejection) -> Int64? {
    let value = self[key]
    guard value.exists, !value.isNull else { return nil }
    guard let number = value.int64, range.contains(number) else { throw Rejection(.malformedPayload, key) }
    return number
  }

  /// The decimal number under `key`, as a number or a string; nil when absent, null or empty.
  func decimal(_ key: String) throws(Rejection) -> String? {
    let value = self[key]
    guard value.exists, !value.isNull else { return nil }
    let text = value.isString ? value.string(atMost: Self.longestID)?.trimmed : value.double.map { _ in value.json.string }
    if let text, text.isEmpty { return nil }
    guard let number = text?.decimalNumber else { throw Rejection(.malformedPayload, key) }
    return number
  }

  /// A JSON object of the members whose names are not in `names`; empty when none is left.
  func rest(without names: Set<String>) -> JSONText {
    var writer = JSONObjectWriter()
    writer.members(of: self, without: names)
    return writer.finished
  }

  /// A point in time as providers write it: seconds or milliseconds (number or digits), ISO 8601 or with an English month; nil for
  /// anything else and for what no calendar holds.
  var time: Timestamp? {
    let stated: Timestamp?
    if isString {
      guard let text = string(atMost: 64) else { return nil }
      stated =
        Int64(text).map(Timestamp.init(secondsOrMilliseconds:))
        ?? (ISO8601.microseconds(text) ?? ISO8601.englishMicroseconds(text)).map(Timestamp.init(microseconds:))
    } else if let number = int64 {
      stated = Timestamp(secondsOrMilliseconds: number)
    } else if let number = double {
      let microseconds = number.magnitude >= 1e11 ? number * 1_000 : number * 1_000_000
      stated = Int64(exactly: microseconds.rounded()).map(Timestamp.init(microseconds:))
    } else {
      stated = nil
    }
    return stated.flatMap { Timestamp.storable.contains($0) ? $0 : nil }
  }

  /// A whole number that is not below zero: a size, a duration.
  var naturalNumber: Int64? { int64.flatMap { $0 >= 0 ? $0 : nil } }

  /// What somebody is called: as much of it as a line can hold, and a little more.
  var personName: String? { string(prefix: 2 * Self.longestID)?.trimmed.nonEmpty }

  /// The flag for a time that is there and says nothing.
  var timeFlags: [String] { exists && !isNull && time == nil ? ["sent_at_invalid"] : [] }
}

extension JSONObjectWriter {
  /// The members of an object whose names are neither in `names` nor `other`.
  mutating func members(of value: JSONValue, without names: Set<String>, or other: String? = nil) {
    for (name, member) in value.members where !names.contains(name) && name != other { self.member(name, member.json) }
  }

  /// The object, or nothing when it has no member.
  var finished: JSONText {
    let json = finish()
    return json.utf8.count > 2 ? json : JSONText()
  }
}

/// The identifiers of one element, each normalised as its kind demands.
struct StatedIdentifiers {
  private(set) var list: [StatedIdentifier] = []
  private let limit: Int
  private var count = 0

  init(_ limits: Limits) { limit = limits.identifiers }

  /// Adds what `value` says; nothing when it says nothing, or nothing that its kind can be compared by.
  ///
  /// - Throws: `malformedPayload` when scope or value is longer than an identifier may be, `tooLarge` when there are too many.
  mutating func add(_ kind: IdentifierKind, scope: String = "", _ value: String?, _ assurance: Assurance) throws(Rejection) {
    guard let value = value?.trimmed.nonEmpty else { return }
    guard value.utf8.count <= Identifier.maximumBytes, scope.utf8.count <= Identifier.maximumBytes else {
      throw Rejection(.malformedPayload, "identifier longer than \(Identifier.maximumBytes) bytes")
    }
    // Each costs its normalisation, whether or not it is there already.
    count += 1
    guard count <= limit else { throw Rejection(.tooLarge, "identifiers") }
    let normalised: String? =
      switch kind {
      case .email: EmailAddress.normalise(value)
      case .phone: PhoneNumber.e164(value)
      default: value
      }
    guard let normalised, normalised.utf8.count <= Identifier.maximumBytes else { return }
    let identifier = Identifier(kind, scope: scope, normalised)
    let stated = StatedIdentifier(identifier, kind.isBearer ? .bearer : assurance)
    if let position = list.firstIndex(where: { $0.identifier == identifier }) {
      if list[position].assurance < stated.assurance { list[position] = stated }
    } else {
      list.append(stated)
    }
  }
}

extension Delivery {
  /// How sure an id is that the provider itself gives: as sure as the adapter is that it is the provider who speaks.
  var providerAssurance: Assurance { envelope.attested.contains(.signature) ? .a2 : .a0 }
  /// How sure a number is that the provider has from the network, which vouches for little.
  var networkAssurance: Assurance { envelope.attested.contains(.signature) ? .a1 : .a0 }
  /// How sure the record of a person in another system is.
  var recordAssurance: Assurance { isVouchedFor ? .a2 : .a0 }
  /// How sure an address is that a system has of a person: only the business knows that it was not typed by a visitor.
  var statedAssurance: Assurance { envelope.attested.contains(.business) ? .a1 : .a0 }

  /// What stands beside many elements and is kept with each of them, unless it is long.
  func shared(_ context: JSONText) -> JSONText { context.utf8.count <= limits.lineBytes ? context : JSONText() }

  /// The one identifier of an element that states no others; none when it says nothing.
  func identifiers(
    _ kind: IdentifierKind, scope: String = "", _ value: String?, _ assurance: Assurance
  ) throws(Rejection) -> [StatedIdentifier] {
    var identifiers = StatedIdentifiers(limits)
    try identifiers.add(kind, scope: scope, value, assurance)
    return identifiers.list
  }

  /// What a reader sees of an HTML body; the body itself, where that is less; and the flag for a text that is cut.
  func text(ofHTML html: String?) -> (text: String?, original: Original?, flags: [String]) {
    guard let html else { return (nil, nil, []) }
    let (plain, isTruncated) = HTMLText.plainText(html, maximumOutputBytes: limits.textBytes)
    let text = plain.trimmed.nonEmpty
    let original = text == html ? nil : Original(contentType: "text/html; charset=utf-8", bytes: Array(html.utf8))
    return (text, original, isTruncated ? ["text_truncated"] : [])
  }

  /// A document inside a body, as base64, which hides a zero from the look at the whole body. Valid until `nestedParser` parses again.
  func document(base64: String?, in place: String) throws(Rejection) -> JSONValue {
    guard let bytes = base64?.base64Decoded else { throw Rejection(.malformedPayload, place) }
    guard !JSONText(utf8: bytes).holdsNUL else { throw Rejection(.nulInText, place) }
    return try nestedParser.document(bytes)
  }
}

extension Attachment {
  /// The kind of a file by its MIME type.
  static func kind(ofType type: String?) -> String {
    switch type?.lowercased().split(separator: "/", maxSplits: 1).first {
    case "image": "image"
    case "video": "video"
    case "audio": "audio"
    default: "file"
    }
  }
}
