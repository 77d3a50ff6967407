import ArgumentParser
import Canonical
import Channels
import Foundation

/// What there is to publish, and what comes of it.
struct FormatsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "formats", abstract: "List the formats: topic, source, what each can carry and what it lacks.")

  @Flag(help: "One JSON object a line.") var json = false
  @Flag(help: "The table of README.md: all but those of the agents' desktop.") var markdown = false

  func validate() throws {
    guard !(json && markdown) else { throw ValidationError("give one of --json and --markdown") }
  }

  func run() {
    guard !markdown else { return print(Self.table, terminator: "") }
    for (position, format) in Self.sorted.enumerated() {
      if json {
        print(Self.json(format).string)
      } else {
        print(position == 0 ? "" : "\n", Self.page(format), separator: "", terminator: "")
      }
    }
  }

  private static var sorted: [ChannelFormat] { Formats.all.sorted { $0.type < $1.type } }

  static var table: String {
    let rows = sorted.filter { $0.channel != .desk }.map { format in
      let about = format.description
      let cells = ["`\(format.type)`", "`\(format.topic)`", "`\(about.source)`", about.payload, carries(about), about.lacks]
      return "| " + cells.joined(separator: " | ") + " |\n"
    }
    return "| `type` | topic | `source` | payload | carries | lacks |\n|---|---|---|---|---|---|\n" + rows.joined()
  }

  private static func page(_ format: ChannelFormat) -> String {
    let about = format.description
    let lines = [
      ("topic", format.topic), ("source", about.source), ("payload", about.payload), ("carries", carries(about)),
      ("lacks", about.lacks),
    ]
    return lines.filter { !$0.1.isEmpty }.reduce(into: format.type + "\n") { page, line in
      page += "  " + line.0.padding(toLength: 9, withPad: " ", startingAt: 0) + line.1 + "\n"
    }
  }

  private static func json(_ format: ChannelFormat) -> JSONText {
    let about = format.description
    var object = JSONObjectWriter()
    object.member("type", format.type)
    object.member("topic", format.topic)
    object.member("source", about.source)
    object.member("content_type", about.contentType)
    object.member("payload", about.payload)
    object.member("carries", about.carries.map(\.rawValue))
    object.member("lacks", about.lacks)
    return object.finish()
  }

  private static func carries(_ about: FormatDescription) -> String {
    about.carries.map(\.rawValue).joined(separator: ", ")
  }
}
