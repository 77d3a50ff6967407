import Canonical
import Foundation
import Operations
import Store

/// Dead letters for people at a terminal: nothing in them moves the cursor or changes the direction of writing.
enum DeadLetterText {
  /// How much of what is no text is shown.
  static let maximumDumpedBytes = 4_096

  static func table(_ letters: [DeadLetter]) -> String {
    table(
      ["ID", "CREATED", "RECORD", "REASON", "DETAIL", "ATTEMPTS", "BYTES"],
      letters.map { letter in
        [
          letter.id.description, seconds(letter.createdAt), letter.place, letter.reason,
          LogText.escaped(letter.detail, maximumBytes: 60),
          String(letter.attempt), String(letter.valueBytes),
        ]
      }, numbers: [5, 6])
  }

  static func table(_ counts: [DeadLetters.Count]) -> String {
    table(
      ["TOPIC", "REASON", "LETTERS", "FIRST", "LAST"],
      counts.map { [$0.topic, $0.reason, String($0.letters), seconds($0.first), seconds($0.last)] }, numbers: [2])
  }

  /// Columns as wide as they must be, numbers at the right; a line that says so when there is no row.
  static func table(_ head: [String], _ rows: [[String]], numbers: Set<Int>) -> String {
    guard !rows.isEmpty else { return "no dead letters\n" }
    let widths = head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
    return ([head] + rows).map { row in
      let cells = row.enumerated().map { column, text in
        let space = String(repeating: " ", count: widths[column] - text.count)
        return numbers.contains(column) ? space + text : text + space
      }
      let line = cells.joined(separator: "  ")
      return line.prefix(line.count - line.reversed().prefix { $0 == " " }.count) + "\n"
    }.joined()
  }

  /// Everything about a letter.
  static func page(_ letter: DeadLetter, _ content: DeadLetters.Content) -> String {
    var lines = [
      ("id", letter.id.description), ("created", letter.createdAt.iso8601), ("record", letter.place), ("tenant", letter.tenant),
      ("reason", letter.reason), ("detail", LogText.escaped(letter.detail)), ("attempt", String(letter.attempt)),
      ("retried", letter.replayedAt?.iso8601 ?? "not yet"), ("key", content.key.map(line) ?? "none"),
    ]
    for header in content.headers {
      lines.append(("header", LogText.escaped(header.name) + ": " + (header.value.map(line) ?? "none")))
    }
    let value = content.isWhole ? content.value.map { "\($0.count) bytes" } ?? "none, a tombstone" : "not known, or not all of it"
    lines.append(("value", value))
    let head = lines.map { $0.0.padding(toLength: 9, withPad: " ", startingAt: 0) + $0.1 + "\n" }.joined()
    return head + (content.value.map { "\n" + body($0) } ?? "")
  }

  /// Bytes in one line: text as it is, else base64.
  private static func line(_ bytes: [UInt8]) -> String {
    String(validating: bytes, as: UTF8.self).map { LogText.escaped($0) } ?? "base64 "
      + Data(bytes.prefix(1_024)).base64EncodedString()
  }

  /// Text with its lines, escaped; of anything else the beginning in hexadecimal.
  static func body(_ bytes: [UInt8]) -> String {
    if let text = String(validating: bytes, as: UTF8.self) {
      return LogText.escaped(text, maximumBytes: .max / 2, keepsLines: true) + (text.hasSuffix("\n") ? "" : "\n")
    }
    let shown = bytes.prefix(maximumDumpedBytes)
    let rows = stride(from: 0, to: shown.count, by: 16).map { start in
      let row = shown[start..<min(start + 16, shown.count)]
      let digits = row.map { hexadecimal(Int($0), 2) }.joined(separator: " ").padding(toLength: 47, withPad: " ", startingAt: 0)
      let text = String(decoding: row.map { (0x20...0x7e).contains($0) ? $0 : UInt8(ascii: ".") }, as: UTF8.self)
      return "\(hexadecimal(start, 8))  \(digits)  \(text)\n"
    }
    let rest = bytes.count - shown.count
    return rows.joined() + (rest > 0 ? "… and \(rest) bytes more: --raw has all of them\n" : "")
  }

  private static func hexadecimal(_ number: Int, _ digits: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }

  static func number(_ count: Int, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }

  private static func seconds(_ time: Timestamp) -> String { time.iso8601.prefix(19) + "Z" }
}

extension DeadLetter {
  /// Topic, partition, offset and element.
  var place: String { "\(topic)/\(partition)/\(offset)" + (element.map { "[\($0)]" } ?? "") }

  /// One JSON object, safe on a terminal as well.
  func json(_ content: DeadLetters.Content? = nil) -> JSONText {
    var object = JSONObjectWriter()
    object.member("id", id.description)
    object.member("created_at", createdAt.iso8601)
    object.member("tenant_id", tenant)
    object.member("topic", topic)
    object.member("partition", Int64(partition))
    object.member("offset", offset)
    object.member("element", element.map { Int64($0) })
    object.member("reason", reason)
    object.member("detail", detail)
    object.member("attempt", Int64(attempt))
    object.member("replayed_at", replayedAt?.iso8601)
    object.member("value_bytes", valueBytes)
    if let content {
      object.member("key", content.key)
      let headers = content.headers.map { header in
        var entry = JSONObjectWriter()
        entry.member("name", header.name)
        entry.member("value", header.value)
        return entry.finish().string
      }
      object.member("headers", JSONText(utf8: Array("[\(headers.joined(separator: ","))]".utf8)))
      object.member("value", content.value)
      object.member("is_whole", content.isWhole)
    }
    // What is escaped here can only stand inside strings, where JSON has the same escapes.
    return JSONText(utf8: Array(LogText.escaped(object.finish().string, maximumBytes: .max / 2).utf8))
  }
}

extension DeadLetters.Count {
  var json: JSONText {
    var object = JSONObjectWriter()
    object.member("topic", topic)
    object.member("reason", reason)
    object.member("letters", letters)
    object.member("first_at", first.iso8601)
    object.member("last_at", last.iso8601)
    return object.finish()
  }
}

extension JSONObjectWriter {
  /// Text, or as `<name>_base64` what is none; nothing for nil.
  fileprivate mutating func member(_ name: String, _ bytes: [UInt8]?) {
    guard let bytes else { return }
    if let text = String(validating: bytes, as: UTF8.self) {
      member(name, text)
    } else {
      member(name + "_base64", Data(bytes).base64EncodedString())
    }
  }
}
