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
      Tokens of ours are not checked, and mail of our people and of contact forms is read as anybody's: that needs the settings.
      """)

  @OptionGroup var payload: PayloadOptions
  @Option(help: "Where it came through; /channels/<channel>/account without it.") var source: String?
  @Flag(help: "One line of JSON for each element, as schemas/canonical/event.json describes it.") var json = false
  @Argument(help: "The file; standard input without it.") var file: String?

  func run() throws {
    let handle = try file.map { try FileHandle(forReadingFrom: URL(filePath: $0)) } ?? FileHandle.standardInput
    let channel = try payload.format().channel?.rawValue ?? "whatsapp"
    let record = try PayloadRecord(
      Array(handle.readToEnd() ?? Data()), payload, source: source ?? "/channels/\(channel)/account", id: "normalize")
    let elements = Normaliser().normalise(record.record()).elements
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
}
