import Foundation

/// A real process of ours.
public final class WorkerProcess: @unchecked Sendable {
  public let process = Process()
  private let logFile = FileManager.default.temporaryDirectory.appendingPathComponent("throughline-test-\(UUID().uuidString).log")

  private static let executable = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    .appendingPathComponent(
      "throughline")

  /// The header by which a record crashes or hangs a worker that runs with `THROUGHLINE_TEST_FAULTS`; debug builds know it.
  public static let faultHeader = "throughline_test_fault"

  /// Whether this build does.
  public static let knowsFaultHeader: Bool = {
    let binary = try? Data(contentsOf: executable, options: .alwaysMapped)
    return binary?.range(of: Data(faultHeader.utf8)) != nil
  }()

  /// Starts `throughline` of the folder that this program is in.
  public init(_ arguments: [String], _ environment: [String: String], folder: URL? = nil) throws {
    process.executableURL = Self.executable
    process.arguments = arguments
    process.environment = environment
    process.currentDirectoryURL = folder
    _ = FileManager.default.createFile(atPath: logFile.path, contents: nil)
    let log = try FileHandle(forWritingTo: logFile)
    process.standardOutput = log
    process.standardError = log
    try process.run()
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    try? FileManager.default.removeItem(at: logFile)
  }

  /// Everything it has written so far, both outputs.
  public var log: String { (try? String(contentsOf: logFile, encoding: .utf8)) ?? "" }

  public func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  /// Ends it as a power cut would.
  public func crash() {
    signal(SIGKILL)
    process.waitUntilExit()
  }

  /// Asks it to stop; its exit code.
  public func stop() -> Int32 {
    signal(SIGTERM)
    process.waitUntilExit()
    return process.terminationStatus
  }

  /// Waits until the log has the words; throws when time is up, or when the process has ended without them.
  public func waitForLog(_ words: String, seconds: Double = 30) async throws {
    // Counted in looks and not by the clock: a machine that stands still holds up this process as well as that one.
    for _ in 0..<Int(seconds * 20) {
      let hasEnded = !process.isRunning
      if log.contains(words) { return }
      if hasEnded { break }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw RigFault("no '\(words)' in the log after \(seconds) s, or at its end: \(log.suffix(1_500))")
  }
}
