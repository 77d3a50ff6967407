import Foundation
import Glibc
import Synchronization

/// What the kernel says about a process.
enum Machine {
  /// Seconds of CPU, user and system, so far; nil once it is gone.
  static func cpuSeconds(of process: Int32) -> Double? { fields(of: process).map { ($0[11] + $0[12]) / ticks } }

  /// Seconds of CPU of a PostgreSQL server and all its processes, also of those that have ended.
  static func cpuSeconds(ofServer postmaster: Int32) -> Double {
    guard let own = fields(of: postmaster) else { return 0 }
    var total = own[11] + own[12] + own[13] + own[14]
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
      if let process = Int32(name), let child = fields(of: process), Int32(child[1]) == postmaster {
        total += child[11] + child[12]
      }
    }
    return total / ticks
  }

  /// MiB: `VmRSS` now, `VmHWM` at its highest.
  static func memory(of process: Int32, _ field: String) -> Double {
    let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(field + ":") }
    return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) } ?? 0) / 1024
  }

  private static let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))

  /// From the third field of /proc/…/stat on: the second may hold anything.
  private static func fields(of process: Int32) -> [Double]? {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
      let end = text.lastIndex(of: ")")
    else { return nil }
    return text[text.index(after: end)...].split(separator: " ").map { Double($0) ?? 0 }
  }
}

/// A process that takes part, with signals as a new process has them: the threads of the pool that start it block most.
final class Competitor: Sendable {
  let pid: Int32
  private let log: String
  private let input: Int32
  private let ended = Mutex(false)

  /// - Parameter log: where its output goes.
  init(_ command: [String], environment more: [String: String] = [:], log: String) throws {
    self.log = log
    var pipe: [Int32] = [0, 0]
    guard Glibc.pipe(&pipe) == 0 else { throw Failure("no pipe") }
    for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    input = pipe[1]
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, pipe[0], 0)
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    let environment = ProcessInfo.processInfo.environment.merging(more) { $1 }.map { $0.key + "=" + $0.value }
    pid = try spawn(command, &actions, environment)
    close(pipe[0])
  }

  var isRunning: Bool {
    ended.withLock { ended in
      var status: Int32 = 0
      if !ended, waitpid(pid, &status, WNOHANG) != 0 { ended = true }
      return !ended
    }
  }

  func writeLine() { _ = write(input, "\n", 1) }

  /// Asks it to end, and ends it where it does not.
  func stop() async throws {
    if isRunning { kill(pid, SIGTERM) }
    for _ in 0..<600 where isRunning { try await Task.sleep(for: .milliseconds(50)) }
    if isRunning {
      kill(pid, SIGKILL)
      throw Failure("process \(pid) did not end when asked to: \(tail)")
    }
  }

  deinit {
    if isRunning { kill(pid, SIGKILL) }
    close(input)
  }

  var tail: String { String(((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").suffix(2_000)) }
}

private func spawn(
  _ command: [String], _ actions: inout posix_spawn_file_actions_t, _ environment: [String]? = nil
) throws -> pid_t {
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var signals = sigset_t()
  sigemptyset(&signals)
  posix_spawnattr_setsigmask(&attributes, &signals)
  sigfillset(&signals)
  posix_spawnattr_setsigdefault(&attributes, &signals)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
  var arguments = command.map { strdup($0) } + [nil]
  var variables = (environment ?? ProcessInfo.processInfo.environment.map { $0.key + "=" + $0.value }).map { strdup($0) } + [nil]
  defer { (arguments + variables).forEach { free($0) } }
  var pid: pid_t = 0
  guard posix_spawnp(&pid, command[0], &actions, &attributes, &arguments, &variables) == 0 else {
    throw Failure("can not run \(command[0])")
  }
  return pid
}

struct Failure: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

/// Runs a command to its end; its output.
@discardableResult
func run(_ command: [String], environment: [String: String] = [:]) throws -> String {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = command
  process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
  let output = Pipe()
  process.standardOutput = output
  process.standardError = output
  try process.run()
  let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  process.waitUntilExit()
  guard process.terminationStatus == 0 else { throw Failure("\(command.joined(separator: " ")): \(text.suffix(3_000))") }
  return text
}

/// Runs a command to its end with no output; what it leaves behind holds nothing of ours open.
func runQuietly(_ command: [String]) throws {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  for descriptor in [1, 2] as [Int32] { posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0) }
  let pid = try spawn(command, &actions)
  var status: Int32 = -1
  guard waitpid(pid, &status, 0) == pid, status == 0 else { throw Failure("\(command.joined(separator: " ")) failed") }
}
