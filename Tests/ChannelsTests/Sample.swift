import Canonical
import Foundation
import Testing

@testable import Channels

/// One payload in `Samples/<type>/`, with its golden events beside it.
struct Sample: Sendable, CustomTestStringConvertible {
  var type: String
  var name: String
  var payload: [UInt8]
  /// The record's headers in binary content mode.
  var headers: [String: String]
  var golden: URL

  var testDescription: String { type + "/" + name }

  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Samples")

  /// What the tokens in the samples are signed with.
  static let tokenKey = TokenKey(secret: Array("the secret of the samples, not of a shop".utf8))

  /// What an adapter of each format states (`Samples/headers.json`); `NAME.headers.json` beside a payload changes it (null removes a
  /// header).
  private static let defaults: [String: [String: String]] = {
    let stated = (try? Data(contentsOf: folder.appending(path: "headers.json"))).flatMap { data in
      try? JSONSerialization.jsonObject(with: data) as? [String: [String: String]]
    }
    return Dictionary(
      uniqueKeysWithValues: Action.Kind.allCases.map { ("agent." + $0.rawValue, ["ce_source": "/channels/desk/main"]) }
    ).merging(stated ?? [:]) { a, _ in a }
  }()

  /// All samples, by type and name.
  static let all: [Sample] = {
    var samples: [Sample] = []
    for (type, headers) in defaults.sorted(by: { $0.key < $1.key }) {
      let files =
        (try? FileManager.default.contentsOfDirectory(at: folder.appending(path: type), includingPropertiesForKeys: nil))
      for file in (files ?? []).sorted(by: { $0.path < $1.path }) {
        let name = file.deletingPathExtension().lastPathComponent
        guard ["json", "eml", "form", "csv", "txt"].contains(file.pathExtension), !name.contains("."),
          let payload = try? Data(contentsOf: file)
        else { continue }
        var headers = headers
        headers.merge(
          ["ce_specversion": "1.0", "ce_id": name, "ce_type": type, "ce_time": "2026-05-12T09:14:05Z"],
          uniquingKeysWith: { a, _ in a })
        if headers["content-type"] == nil { headers["content-type"] = "application/json" }
        let own = file.deletingPathExtension().appendingPathExtension("headers.json")
        if let data = try? Data(contentsOf: own), let changes = try? JSONSerialization.jsonObject(with: data) as? [String: Any] {
          for (header, value) in changes { headers[header] = value as? String }
        }
        samples.append(
          Sample(
            type: type, name: name, payload: Array(payload), headers: headers,
            golden: file.deletingPathExtension().appendingPathExtension("expected.json")))
      }
    }
    return samples
  }()

  static func named(_ type: String, _ name: String) throws -> Sample {
    try #require(all.first { $0.type == type && $0.name == name })
  }

  /// What a sample's record becomes, with a part of its payload replaced by something else.
  static func normalise(
    _ type: String, _ name: String, replacing old: String = "", with new: String = ""
  ) throws -> NormalisedRecord {
    var sample = try named(type, name)
    if !old.isEmpty { sample.payload = Array(String(decoding: sample.payload, as: UTF8.self).replacing(old, with: new).utf8) }
    return Normaliser().normalise(sample.record())
  }

  var topic: String { Formats.all.first { $0.type == type }?.topic ?? "" }

  /// The record in binary content mode.
  func record(prefix: String = "") -> Record {
    Record(
      topic: prefix + topic, partition: 0, offset: 7, timestamp: Timestamp(seconds: 1_778_577_245), key: nil,
      headers: headers.sorted { $0.key < $1.key }.map { Record.Header($0.key, Array($0.value.utf8)) }, value: payload)
  }

  /// The same in structured content mode; a payload that is no JSON goes into `data_base64`.
  var structured: Record {
    var envelope = JSONObjectWriter()
    var rest: [Record.Header] = [Record.Header("content-type", Array("application/cloudevents+json; charset=UTF-8".utf8))]
    for (name, value) in headers.sorted(by: { $0.key < $1.key }) {
      if name == "content-type" {
        envelope.member("datacontenttype", value)
      } else if name.hasPrefix("ce_") {
        envelope.member(String(name.dropFirst(3)), value)
      } else {
        rest.append(Record.Header(name, Array(value.utf8)))
      }
    }
    if headers["content-type"] == "application/json" {
      envelope.member("data", JSONText(utf8: payload))
    } else {
      envelope.member("data_base64", Data(payload).base64EncodedString())
    }
    var record = record()
    record.headers = rest
    record.value = envelope.finish().utf8
    return record
  }
}

extension NormalisedRecord {
  /// The golden form: a JSON array with one member of an object a line.
  var golden: String {
    "[" + elements.map { "\n" + indented(canonicalJSON($0).utf8, depth: 1) }.joined(separator: ",") + "\n]\n"
  }

  var events: [Event] {
    elements.compactMap { if case .event(let event) = $0 { event } else { nil } }
  }

  var messages: [Message] {
    events.compactMap { if case .message(let message) = $0.body { message } else { nil } }
  }

  var changes: [Change] {
    events.compactMap { if case .change(let change) = $0.body { change } else { nil } }
  }

  /// The reasons of the rejected elements, and `ignored` reasons, in their order.
  var outcomes: [String] {
    elements.map {
      switch $0 {
      case .event: "event"
      case .ignored(let reason): "ignored " + reason
      case .rejected(let rejection): rejection.reason.rawValue
      }
    }
  }
}

extension Event {
  /// The identifiers of the customer's side.
  var stated: [StatedIdentifier] {
    switch body {
    case .message(let message): message.customer
    case .contact(let contact): contact.identifiers
    case .order(let order): order.customer
    case .survey(let response): response.customer
    case .change(let change): change.customer
    case .action(let action): action.identifiers
    case .unknown, .result, .presence: []
    }
  }
}

/// Minified JSON with line breaks; nothing of it is interpreted, so numbers and escapes stay as they are.
private func indented(_ json: [UInt8], depth: Int) -> String {
  var out: [UInt8] = Array(repeating: 0x20, count: 2 * depth)
  var depth = depth
  var isString = false
  var isEscaped = false
  func newLine() { out += [0x0a] + Array(repeating: 0x20, count: 2 * depth) }
  for (position, byte) in json.enumerated() {
    if isString {
      out.append(byte)
      if isEscaped {
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isString = false
      }
      continue
    }
    switch byte {
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      out.append(byte)
      let next = position + 1 < json.count ? json[position + 1] : 0
      depth += 1
      if next != UInt8(ascii: "}"), next != UInt8(ascii: "]") { newLine() }
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      depth -= 1
      let previous = position > 0 ? json[position - 1] : 0
      if previous != UInt8(ascii: "{"), previous != UInt8(ascii: "[") { newLine() }
      out.append(byte)
    case UInt8(ascii: ","):
      out.append(byte)
      newLine()
    case UInt8(ascii: ":"): out += [byte, 0x20]
    default:
      isString = byte == UInt8(ascii: "\"")
      out.append(byte)
    }
  }
  return String(decoding: out, as: UTF8.self)
}
