import Canonical
import FoundationEssentials

/// The headers of a record as the column `dead_letter.headers` keeps them: in order, byte for byte.
enum RecordHeaders {
  private struct Entry: Codable {
    var name: String
    /// Where the bytes are text that JSON can hold.
    var value: String?
    var base64: String?
  }

  static func json(_ headers: [Record.Header]) -> JSONText {
    let entries = headers.map { header in
      guard let bytes = header.value else { return Entry(name: header.name) }
      // jsonb refuses U+0000.
      if let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) { return Entry(name: header.name, value: text) }
      return Entry(name: header.name, base64: Data(bytes).base64EncodedString())
    }
    let encoded = try? JSONEncoder().encode(entries)
    return JSONText(utf8: encoded.map { Array($0) } ?? Array("[]".utf8))
  }

  static func parse(_ json: String) -> [Record.Header] {
    let entries = (try? JSONDecoder().decode([Entry].self, from: Data(json.utf8))) ?? []
    return entries.map { entry in
      Record.Header(
        entry.name, entry.base64.flatMap { Data(base64Encoded: $0) }.map { Array($0) } ?? entry.value.map { Array($0.utf8) })
    }
  }
}
