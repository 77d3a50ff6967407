import Foundation

/// Our events as they were published, against their schemas, by the project's own check.
public enum EventCheck {
  /// What `scripts/check-schemas --events` says about the values of records, one CloudEvent each; empty when all fit.
  public static func problems(_ events: [[UInt8]]) throws -> String {
    let root = URL(fileURLWithPath: #filePath).appending(path: "../../..").standardized
    let file = FileManager.default.temporaryDirectory.appending(path: "events-\(UUID()).jsonl")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(events.joined(separator: [UInt8(ascii: "\n")])).write(to: file)
    let process = Process()
    process.executableURL = root.appending(path: ".venv/bin/python")
    process.arguments = [root.appending(path: "scripts/check-schemas").path, "--events", file.path]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    return process.terminationStatus == 0 ? "" : text
  }
}
