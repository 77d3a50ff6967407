import Foundation

/// What `throughline` with some arguments has said, run to its end with nobody at a terminal.
struct ToolRun {
  var code: Int32
  var output: [UInt8]
  var problems: String
  var text: String { String(decoding: output, as: UTF8.self) }
  var objects: [[String: Any]] {
    text.split(separator: "\n").compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
  }

  init(_ arguments: [String], input: String = "", environment more: [String: String] = [:]) async throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appendingPathComponent("throughline")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(more) { $1 }
    let files = ["in", "out", "err"].map {
      FileManager.default.temporaryDirectory.appendingPathComponent("tool-\(UUID().uuidString).\($0)")
    }
    defer { for file in files { try? FileManager.default.removeItem(at: file) } }
    for file in files { try Data((file == files[0] ? input : "").utf8).write(to: file) }
    process.standardInput = try FileHandle(forReadingFrom: files[0])
    process.standardOutput = try FileHandle(forWritingTo: files[1])
    process.standardError = try FileHandle(forWritingTo: files[2])
    try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Void, any Error>) in
      process.terminationHandler = { _ in ended.resume() }
      do { try process.run() } catch { ended.resume(throwing: error) }
    }
    code = process.terminationStatus
    output = Array(try Data(contentsOf: files[1]))
    problems = try String(contentsOf: files[2], encoding: .utf8)
  }
}
