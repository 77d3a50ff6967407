import ArgumentParser
import Canonical
import Channels
import Foundation
import Operations
import Parsing

/// What an adapter would say of a payload.
struct PayloadOptions: ParsableArguments {
  @Option(help: "The payload's format, such as whatsapp.cloud; `throughline formats` tells of each.") var type: String
  @Option(help: "What the adapter verified: signature, token, dmarc, caller_id, business; several in quotes.") var attested = ""
  @Option(help: "Its content type; the format's usual one without it.") var contentType: String?
  @Option(name: [.customShort("H"), .customLong("header")], help: "Another header of the record, as name=value; again for more.")
  var headers: [String] = []

  func validate() throws {
    _ = try format()
    guard headers.allSatisfy({ $0.contains("=") }) else { throw ValidationError("a header is name=value") }
  }

  func format() throws -> ChannelFormat {
    guard let format = Formats.all.first(where: { $0.type == type }) else {
      let known = Formats.all.map(\.type).sorted().joined(separator: ", ")
      throw ValidationError("no format \(LogText.escaped(type)); there are: " + known)
    }
    return format
  }
}

/// A payload and what an adapter would put around it.
struct PayloadRecord {
  /// The content modes of CloudEvents.
  enum Mode: String, CaseIterable, ExpressibleByArgument { case binary, structured }

  let format: ChannelFormat
  let payload: [UInt8]
  /// As they are in binary content mode; names in lower case, each once.
  private(set) var headers: [(name: String, value: String)]
  private let topic: String
  private let time = Timestamp(Date())

  init(_ payload: [UInt8], _ options: PayloadOptions, source: String, id: String) throws {
    format = try options.format()
    self.payload = payload
    // Some have a topic for each of their channels.
    topic = format.alsoOn.first { source.hasPrefix("/channels/\($0.value.rawValue)/") }?.key ?? format.topic
    headers = [
      ("ce_specversion", "1.0"), ("ce_id", id), ("ce_type", format.type), ("ce_source", source), ("ce_time", time.iso8601),
      ("content-type", options.contentType ?? format.description.contentType),
    ]
    if !options.attested.isEmpty { set("ce_attested", options.attested) }
    for header in options.headers {
      let parts = header.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      set(String(parts[0]), String(parts[1]))
    }
  }

  /// The value of a header; its name in lower case.
  subscript(name: String) -> String? { headers.first { $0.name == name }?.value }

  /// Replaces a header; nil removes it.
  mutating func set(_ name: String, _ value: String?) {
    let name = name.lowercased()
    headers.removeAll { $0.name == name }
    if let value { headers.append((name, value)) }
  }

  /// What the format's topic would get; a payload that already is a structured CloudEvent goes as it is in that mode.
  func record(_ mode: Mode = .binary, topicPrefix: String = "") -> Record {
    var record = Record(
      topic: topicPrefix + topic, partition: 0, offset: 0, timestamp: time, key: nil,
      headers: headers.map { Record.Header($0.name, Array($0.value.utf8)) }, value: payload)
    guard mode == .structured else { return record }
    record.headers = [Record.Header("content-type", Array("application/cloudevents+json".utf8))]
    var envelope = JSONObjectWriter()
    var contentType = ""
    for (name, value) in headers {
      if name == "content-type" {
        contentType = value
        envelope.member("datacontenttype", value)
      } else if name.hasPrefix("ce_") {
        envelope.member(String(name.dropFirst("ce_".count)), value)
      } else {
        record.headers.append(Record.Header(name, Array(value.utf8)))
      }
    }
    guard !isCloudEvent else { return record }
    if contentType.hasPrefix("application/json"), json != nil {
      envelope.member("data", JSONText(utf8: payload))
    } else {
      envelope.member("data_base64", Data(payload).base64EncodedString())
    }
    record.value = envelope.finish().utf8
    return record
  }

  /// It is a structured CloudEvent itself.
  var isCloudEvent: Bool { json?["specversion"].exists ?? false }

  private var json: JSONValue? { try? JSONParser(maximumBytes: payload.count).parse(payload) }
}
