import ArgumentParser
import Canonical
import Channels
import Foundation

/// What the workers would read in a payload, without Kafka and without a database.
struct Normalize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the canonical events of a payload.",
    discussion: """
      Reads a provider's body as it came, from a file or from standard input. Exits with 1 when anything in it is rejected.
        throughline normalize --type whatsapp.cloud --attested signature < body.json
      Tokens of ours are not checked: that needs the secret.
      """)

  @Option(help: "The payload's format, such as whatsapp.cloud.") var type: String
  @Option(help: "Where it came through; /channels/<channel>/account without it.") var source: String?
  @Option(help: "What the adapter verified: signature, token, dmarc, caller_id, business; several in quotes.") var attested = ""
  @Option(help: "Its content type.") var contentType = "application/json"
  @Option(name: [.customShort("H"), .customLong("header")], help: "Another header of the record, as name=value; again for more.")
  var headers: [String] = []
  @Flag(help: "One line of JSON for each element, as schemas/canonical/event.json describes it.") var json = false
  @Argument(help: "The file; standard input without it.") var file: String?

  func validate() throws {
    guard Formats.all.contains(where: { $0.type == type }) else {
      throw ValidationError("no format \(type); there are: " + Formats.all.map(\.type).sorted().joined(separator: ", "))
    }
    guard headers.allSatisfy({ $0.contains("=") }) else { throw ValidationError("a header is name=value") }
  }

  func run() throws {
    let handle = try file.map { try FileHandle(forReadingFrom: URL(filePath: $0)) } ?? FileHandle.standardInput
    let record = try record(Array(handle.readToEnd() ?? Data()))
    let elements = Normaliser().normalise(record).elements
    for (position, element) in elements.enumerated() {
      if json {
        print(canonicalJSON(element).string)
      } else {
        print(position == 0 ? "" : "\n", EventText.page(element), separator: "", terminator: "")
      }
    }
    let isRejected = elements.contains { if case .rejected = $0 { true } else { false } }
    if isRejected { throw ExitCode.failure }
  }

  /// The record that an adapter would publish, in binary content mode.
  private func record(_ value: [UInt8]) throws -> Record {
    guard let format = Formats.all.first(where: { $0.type == type }) else { throw ExitCode.failure }
    let channel = format.channel?.rawValue ?? "whatsapp"
    var stated: [(String, String)] = [
      ("ce_specversion", "1.0"), ("ce_id", "normalize"), ("ce_type", type), ("ce_attested", attested),
      ("ce_source", source ?? "/channels/\(channel)/account"), ("content-type", contentType),
    ]
    for header in headers {
      let parts = header.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      stated.append((String(parts[0]), String(parts[1])))
    }
    let now = Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000))
    return Record(
      topic: format.topic, partition: 0, offset: 0, timestamp: now, key: nil,
      headers: stated.map { Record.Header($0.0, Array($0.1.utf8)) }, value: value)
  }
}
