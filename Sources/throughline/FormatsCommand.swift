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
    if json {
      for format in Self.sorted { print(Self.json(format).string) }
    } else {
      print(markdown ? Self.table : Self.page, terminator: "")
    }
  }

  private static var sorted: [ChannelFormat] { Formats.all.sorted { $0.type < $1.type } }

  static var table: String {
    let rows = sorted.filter { $0.channel != .desk }.map { format in
      let about = format.description
      let topics = topics(of: format).split(separator: " ").map { "`\($0)`" }.joined(separator: " ")
      let cells = ["`\(format.type)`", topics, "`\(about.source)`", about.payload, carries(about), about.lacks]
      return "| " + cells.joined(separator: " | ") + " |\n"
    }
    return "| `type` | topic | `source` | payload | carries | lacks |\n|---|---|---|---|---|---|\n" + rows.joined()
  }

  /// The same for a terminal, all formats, in columns whose cells go on below.
  private static var page: String {
    let head = ["TYPE", "TOPIC", "CARRIES", "LACKS"]
    let rows = sorted.map { [$0.type, topics(of: $0), carries($0.description), $0.description.lacks] }
    let widths = [22, 17, 50, 40]
    return ([head] + rows).map { row in
      let cells = zip(row, widths).map { wrapped($0, $1) }
      return (0..<(cells.map(\.count).max() ?? 0)).map { line in
        let parts = zip(cells, widths).map { cell, width in
          (line < cell.count ? cell[line] : "").padding(toLength: width, withPad: " ", startingAt: 0)
        }
        return parts.joined(separator: "  ").replacing(#/ +$/#, with: "") + "\n"
      }.joined()
    }.joined()
  }

  /// Words in lines of at most `width` characters.
  private static func wrapped(_ text: String, _ width: Int) -> [String] {
    text.split(separator: " ").reduce(into: [String]()) { lines, word in
      if let last = lines.last, last.count + 1 + word.count <= width {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
  }

  private static func topics(of format: ChannelFormat) -> String {
    ([format.topic] + format.alsoOn.keys.sorted()).joined(separator: " ")
  }

  private static func json(_ format: ChannelFormat) -> JSONText {
    let about = format.description
    var object = JSONObjectWriter()
    object.member("type", format.type)
    object.member("topics", [format.topic] + format.alsoOn.keys.sorted())
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
