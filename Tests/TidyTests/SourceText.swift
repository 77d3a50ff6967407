import Foundation

/// A file of the package, and its text without comments and literals where a rule is about code alone.
struct SourceText: Sendable {
  /// Below the root of the package: `Sources/Kafka/Client.swift`.
  let path: String
  let text: String
  /// The same lines; comments and the contents of string literals are gone, what is interpolated into them stays.
  let code: String

  init(path: String, text: String) {
    self.path = path
    self.text = text
    code = Self.code(of: text)
  }

  /// `Kafka` in `Sources/Kafka/Client.swift`.
  var target: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }

  /// The lines that match, as `path:line`.
  func places(of pattern: Regex<Substring>, in text: String? = nil) -> [String] {
    let text = text ?? code
    // The default finds no boundary at the point of `Task.sleep`.
    return text.matches(of: pattern.wordBoundaryKind(.simple)).map { match in
      "\(path):\(text[..<match.range.lowerBound].count { $0 == "\n" } + 1)"
    }
  }

  private enum Mode {
    /// Inside an interpolation, until as many parentheses are closed; 0 outside of one.
    case code(depth: Int)
    case string(hashes: Int, isMultiline: Bool)
  }

  private static func code(of text: String) -> String {
    let bytes = Array(text.utf8)
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count)
    var modes: [Mode] = [.code(depth: 0)]
    var at = 0
    func starts(_ prefix: String, at position: Int? = nil) -> Bool { bytes[(position ?? at)...].starts(with: prefix.utf8) }
    func hashes(from position: Int) -> Int { bytes[position...].prefix { $0 == UInt8(ascii: "#") }.count }
    /// Leaves out bytes, but no line.
    func drop(_ count: Int) {
      out += bytes[at..<min(at + count, bytes.count)].filter { $0 == UInt8(ascii: "\n") }
      at += count
    }
    while at < bytes.count {
      switch modes[modes.count - 1] {
      case .code(let depth):
        let hashes = hashes(from: at)
        if starts("//") {
          drop(bytes[at...].prefix { $0 != UInt8(ascii: "\n") }.count)
        } else if starts("/*") {
          var open = 0
          repeat {
            if starts("/*") { open += 1 } else if starts("*/") { open -= 1 }
            drop(starts("/*") || starts("*/") ? 2 : 1)
          } while open > 0 && at < bytes.count
        } else if starts("\"", at: at + hashes) {
          let isMultiline = starts("\"\"\"", at: at + hashes)
          modes.append(.string(hashes: hashes, isMultiline: isMultiline))
          out.append(UInt8(ascii: "\""))
          at += hashes + (isMultiline ? 3 : 1)
        } else {
          out.append(bytes[at])
          if depth > 0 && bytes[at] == UInt8(ascii: "(") { modes[modes.count - 1] = .code(depth: depth + 1) }
          if depth > 0 && bytes[at] == UInt8(ascii: ")") {
            if depth == 1 { modes.removeLast() } else { modes[modes.count - 1] = .code(depth: depth - 1) }
          }
          at += 1
        }
      case .string(let hashes, let isMultiline):
        let fence = String(repeating: "#", count: hashes)
        let end = (isMultiline ? "\"\"\"" : "\"") + fence
        if starts(end) {
          modes.removeLast()
          out.append(UInt8(ascii: "\""))
          at += end.utf8.count
        } else if starts("\\" + fence + "(") {
          modes.append(.code(depth: 1))
          at += hashes + 2
          out.append(UInt8(ascii: "("))
        } else {
          drop(starts("\\" + fence) ? hashes + 2 : 1)
        }
      }
    }
    return String(decoding: out, as: UTF8.self)
  }
}

/// The package on disk.
enum Package {
  static let root: URL = {
    var folder = URL(filePath: #filePath)
    while folder.path != "/" && !FileManager.default.fileExists(atPath: folder.appending(path: "Package.swift").path) {
      folder.deleteLastPathComponent()
    }
    return folder
  }()

  static func text(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: root.appending(path: path)), as: UTF8.self)
  }

  /// Every file below a folder, in the order of their paths; hidden ones left out.
  static func files(below folder: String) throws -> [String] {
    let paths = try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path)
    return paths.map { "\(folder)/\($0)" }.filter { path in
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(atPath: root.appending(path: path).path, isDirectory: &isFolder)
      return exists && !isFolder.boolValue && !path.contains("/.") && !path.contains("__pycache__")
    }.sorted()
  }

  static func sources() throws -> [SourceText] {
    try files(below: "Sources").filter { $0.hasSuffix(".swift") }.map { SourceText(path: $0, text: try text($0)) }
  }
}
