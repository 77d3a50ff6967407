import Foundation
import Synchronization

/// A clock that a test moves.
final class ManualClock: Sendable {
  private let instant = Mutex(ContinuousClock.now)
  var now: ContinuousClock.Instant { instant.withLock { $0 } }
  func advance(_ duration: Duration) { instant.withLock { $0 += duration } }
}

/// A folder that is gone when the test is.
final class Folder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "throughline-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  @discardableResult func write(_ name: String, _ text: String) throws -> String {
    try Data(text.utf8).write(to: URL(filePath: "\(path)/\(name)"))
    return "\(path)/\(name)"
  }
}

/// A failure of a system call in a test.
struct SystemFault: Error {
  var call: String
  var code = errno

  /// The result of a call that says -1 when it failed.
  static func check(_ call: String, _ result: Int) throws -> Int {
    guard result >= 0 else { throw SystemFault(call: call) }
    return result
  }
}

/// Runs what blocks on a thread of its own.
func blocking<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
  }
}

/// A pipe: what was written to one end is read at the other.
struct Pipe2 {
  let reading: Int32
  let writing: Int32

  init() throws {
    var ends: [Int32] = [0, 0]
    _ = try SystemFault.check("pipe", Int(pipe(&ends)))
    (reading, writing) = (ends[0], ends[1])
  }

  /// The lines so far. Less than a pipe holds was written.
  func lines() throws -> [String] {
    close(writing)
    defer { close(reading) }
    return String(decoding: try readAll(reading), as: UTF8.self).split(separator: "\n").map(String.init)
  }
}

/// Everything up to the end.
func readAll(_ descriptor: Int32) throws -> [UInt8] {
  var all: [UInt8] = []
  var some = [UInt8](repeating: 0, count: 1 << 16)
  while case let count = try SystemFault.check("read", read(descriptor, &some, some.count)), count > 0 { all += some[..<count] }
  return all
}

enum Repository {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}
