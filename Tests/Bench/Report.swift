import Foundation

/// Lines of equal columns: texts to the left, figures to the right.
struct Table {
  private var rows: [[String]]
  init(_ head: String...) { rows = [head] }

  mutating func add(_ row: String...) { rows.append(row) }

  var text: String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      row.indices.map { column in
        let space = String(repeating: " ", count: widths[column] - row[column].count)
        return column == 0 ? row[column] + space : space + row[column]
      }.joined(separator: "  ")
    }.joined(separator: "\n") + "\n"
  }
}

extension Double {
  func rounded(_ digits: Int) -> String { String(format: "%.\(digits)f", self) }
}

extension Array where Element == Double {
  /// The value that this part of them does not exceed; 0 of none.
  func percentile(_ part: Double) -> Double {
    guard !isEmpty else { return 0 }
    return sorted()[Swift.max(1, Int((Double(count) * part).rounded(.up))) - 1]
  }
  var median: Double { percentile(0.5) }
}

/// Everything that was measured, for `--json`.
struct Report: Codable, Sendable {
  var command = CommandLine.arguments.dropFirst().joined(separator: " ")
  var postgresSettings = Database.settings
  var cores = ProcessInfo.processInfo.activeProcessorCount
  var ingest: Ingest.Result?
  var latency: Latency.Result?
  var normalize: Normalize.Result?
  var route: Routing.Result?
  var memory: Memory.Result?
}

/// Progress, beside the results.
func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
func show(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }
