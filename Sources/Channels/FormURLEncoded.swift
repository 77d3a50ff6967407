import Canonical
import Parsing

/// The parameters of an `application/x-www-form-urlencoded` body, as the WHATWG's URL standard parses it.
///
/// `+` is a space, a broken escape stands for itself; of equal names the first counts.
struct FormURLEncoded {
  /// Far more than any provider sends; above: `tooLarge`.
  static let maximumParameters = 1_000

  /// In the order of the body, each name once.
  private var parameters: [(name: String, value: String)] = []
  /// Where each name is in `parameters`.
  private var positions: [String: Int] = [:]

  /// - Throws: `invalidUTF8` when a decoded name or value is not UTF-8, `tooLarge` when there are too many parameters.
  init(_ bytes: some Collection<UInt8>) throws(Rejection) {
    var count = 0
    var rest = bytes[...]
    while !rest.isEmpty {
      let pair = rest.prefix { $0 != UInt8(ascii: "&") }
      rest = rest[pair.endIndex...].dropFirst()
      guard !pair.isEmpty else { continue }
      count += 1
      guard count <= Self.maximumParameters else { throw Rejection(.tooLarge, "parameters") }
      let name = pair.prefix { $0 != UInt8(ascii: "=") }
      let key = try Self.decode(name)
      let value = try Self.decode(pair[name.endIndex...].dropFirst())
      add(key, value)
    }
  }

  /// The parameters as a JSON object says them: those that are neither text nor number say nothing.
  init(json object: JSONValue) throws(Rejection) {
    for (name, value) in object.members {
      guard parameters.count < Self.maximumParameters else { throw Rejection(.tooLarge, "parameters") }
      if let text = value.string ?? value.id { add(name, text) }
    }
  }

  private mutating func add(_ name: String, _ value: String) {
    guard positions[name] == nil else { return }
    positions[name] = parameters.count
    parameters.append((name, value))
  }

  /// The parameters of a webhook: those of the body, of the query where the provider is set to GET.
  init(_ body: [UInt8], _ delivery: Delivery) throws(Rejection) {
    if body.isEmpty, let query = delivery.envelope.headers["http_query"] {
      try self.init(query: query)
    } else {
      try self.init(body)
    }
  }

  init(query: String) throws(Rejection) { try self.init(query.hasPrefix("?") ? query.utf8.dropFirst() : query.utf8[...]) }

  /// The value of a parameter that says something.
  subscript(name: String) -> String? { positions[name].flatMap { parameters[$0].value.nonEmpty } }

  func required(_ name: String) throws(Rejection) -> String {
    guard let value = self[name] else { throw Rejection(.malformedPayload, name) }
    return value
  }

  /// The parameters that say something, in their order.
  var members: [(name: String, value: String)] { parameters.filter { !$0.value.isEmpty } }

  private static func decode(_ encoded: some Collection<UInt8>) throws(Rejection) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(encoded.count)
    var position = encoded.startIndex
    while position != encoded.endIndex {
      let byte = encoded[position]
      encoded.formIndex(after: &position)
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
        continue
      }
      let escape = encoded[position...].prefix(2)
      if escape.count == 2, let high = escape.first.flatMap(hexValue), let low = escape.dropFirst().first.flatMap(hexValue) {
        bytes.append(high << 4 | low)
        position = escape.endIndex
      } else {
        bytes.append(byte)
      }
    }
    guard let text = String(utf8: bytes) else { throw Rejection(.invalidUTF8, "parameters") }
    return text
  }

  private static func hexValue(_ digit: UInt8) -> UInt8? {
    let lower = digit | 0x20
    if digit.isDigit { return digit - UInt8(ascii: "0") }
    return (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(lower) ? lower - UInt8(ascii: "a") + 10 : nil
  }
}

extension JSONObjectWriter {
  /// The parameters that say something and whose names are not in `names`.
  mutating func members(of form: FormURLEncoded, without names: Set<String>) {
    for (name, value) in form.members where !names.contains(name) { member(name, value) }
  }
}

extension Delivery {
  /// The parameters of the query that a webhook was called with.
  var query: FormURLEncoded? { envelope.headers["http_query"].flatMap { try? FormURLEncoded(query: $0) } }
}
