import Foundation
import Synchronization

/// A worker as systemd keeps it: started again a second after it fails, and killed when its watchdog is not fed.
public final class Unit: Sendable {
  /// How a process ended.
  public enum Exit: Sendable, Equatable {
    case code(Int32)
    case signal(Int32)
  }

  private struct State {
    /// The newest last; those that have ended keep their logs.
    var processes: [WorkerProcess] = []
    var exits: [Exit] = []
    /// Ends of the newest that somebody here asked for.
    var expected: [Exit] = []
    var surprises: [String] = []
    /// A fault makes it abort or hang: until it is over, neither is a surprise.
    var mayAbort = false
    var isWanted = true
    var startAt: ContinuousClock.Instant?
    var watchdog: Duration
    var fedAt = ContinuousClock.now
    /// Stopped by somebody here, who wants it to stand still.
    var isHeld = false
    var barks = 0
  }

  private static let restartDelay = Duration.seconds(1)

  public let name: String
  private let start: @Sendable ([String: String]) throws -> WorkerProcess
  private let socket: NotifySocket
  private let state: Mutex<State>
  private let keeper = Mutex<Task<Void, Never>?>(nil)

  /// Starts the worker.
  ///
  /// - Parameters:
  ///   - watchdog: how long it may go without a word; the units in deploy/ say 60 s.
  ///   - start: starts a process with these variables added to its environment.
  public init(
    _ name: String, watchdog: Duration = .seconds(60), start: @escaping @Sendable ([String: String]) throws -> WorkerProcess
  ) throws {
    self.name = name
    self.start = start
    state = Mutex(State(watchdog: watchdog))
    socket = try NotifySocket()
    try launch()
    keeper.withLock { keeper in
      keeper = Task { [weak self] in
        while let unit = self, !Task.isCancelled {
          unit.look()
          try? await Task.sleep(for: .milliseconds(20))
        }
      }
    }
  }

  deinit { keeper.withLock { $0?.cancel() } }

  private func launch() throws {
    let process = try start([
      "NOTIFY_SOCKET": socket.path,
      "WATCHDOG_USEC": "\(state.withLock { $0.watchdog }.components.seconds * 1_000_000)",
    ])
    state.withLock { state in
      state.processes.append(process)
      state.expected = []
      state.isHeld = false
      state.fedAt = .now
      state.startAt = nil
    }
  }

  /// What systemd does, many times a second.
  private func look() {
    if socket.drain().contains(where: { $0 == "WATCHDOG=1" || $0 == "READY=1" }) { state.withLock { $0.fedAt = .now } }
    let isDue = state.withLock { state -> Bool in
      guard let process = state.processes.last else { return false }
      if state.exits.count < state.processes.count {
        if process.process.isRunning {
          guard !state.isHeld, ContinuousClock.now > state.fedAt + state.watchdog else { return false }
          state.fedAt = .now
          state.barks += 1
          if !state.mayAbort { state.surprises.append("made no progress and was killed by its watchdog") }
          state.expected.append(.signal(SIGABRT))
          process.signal(SIGABRT)
          return false
        }
        let status = process.process.terminationStatus
        let exit = process.process.terminationReason == .exit ? Exit.code(status) : .signal(status)
        state.exits.append(exit)
        if !state.expected.contains(exit), !(state.mayAbort && exit == .signal(SIGABRT)) {
          state.surprises.append("ended with \(exit)")
        }
        state.startAt = .now + Self.restartDelay
      }
      return state.isWanted && ContinuousClock.now >= state.startAt ?? .now
    }
    // One that can not be started is tried again at the next look.
    if isDue { try? launch() }
  }

  /// The process that runs now, or ran last.
  public var current: WorkerProcess? { state.withLock { $0.processes.last } }

  /// How often it has been started.
  public var starts: Int { state.withLock { $0.processes.count } }

  /// How often the watchdog has killed it.
  public var barks: Int { state.withLock { $0.barks } }

  /// What all its processes have written.
  public var logs: [String] { state.withLock { $0.processes }.map(\.log) }

  /// Ends that nobody asked for, and hangs.
  public var surprises: [String] { state.withLock { $0.surprises } }

  /// Waits for a word of it, or its next start: one that hangs says nothing until its watchdog has ended it.
  public func waitForLife(seconds: Double = 60) async throws {
    let moment = ContinuousClock.now
    for _ in 0..<Int(seconds * 20) {
      if isRunning, state.withLock({ $0.fedAt > moment }) { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw RigFault("\(name) says nothing")
  }

  /// Says whether it is a fault's doing when it aborts or hangs from now on.
  public func expectAborts(_ mayAbort: Bool) { state.withLock { $0.mayAbort = mayAbort } }

  /// Whether a process is there, for signals: after a failure there is none for a second.
  public var isRunning: Bool { current?.process.isRunning == true }

  /// How its processes have ended.
  public var exits: [Exit] { state.withLock { $0.exits } }

  /// Sends a signal; one that ends the process is followed by a start, as after any failure. The watchdog waits while it is stopped.
  public func signal(_ number: Int32) {
    state.withLock { state in
      switch number {
      case SIGKILL: state.expected.append(.signal(SIGKILL))
      case SIGSTOP: state.isHeld = true
      case SIGCONT: (state.isHeld, state.fedAt) = (false, .now)
      default: break
      }
    }
    current?.signal(number)
  }

  /// Waits until the process that runs is another one than the `count`-th, and says that it is ready.
  public func waitForStart(after count: Int, seconds: Double = 60) async throws {
    for _ in 0..<Int(seconds * 20) {
      if starts > count, current?.log.contains("partitions assigned") == true { return }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw RigFault("\(name) was not started again: \(current?.log.suffix(500) ?? "")")
  }

  /// Asks it to stop and waits; it stays stopped until `startAgain`. Throws when it has not exited with 0 within the limit.
  public func stop(within limit: Duration = .seconds(25)) async throws {
    // One that is just starting knows nothing of signals.
    try await waitForStart(after: starts - 1)
    let process = state.withLock { state in
      state.isWanted = false
      state.expected.append(.code(0))
      return state.processes.last
    }
    process?.signal(SIGTERM)
    let deadline = ContinuousClock.now + limit
    while let process, process.process.isRunning {
      guard .now < deadline else {
        // As systemd does.
        signal(SIGKILL)
        throw RigFault("\(name) has not stopped after \(limit)")
      }
      try await Task.sleep(for: .milliseconds(20))
    }
    guard process?.process.terminationReason == .exit, process?.process.terminationStatus == 0 else {
      throw RigFault("\(name) ended with \(process?.process.terminationStatus ?? -1) when told to stop")
    }
  }

  public func startAgain() { state.withLock { $0.isWanted = true } }

  /// Stops it in order and starts it with another watchdog; meanwhile the more patient of the two watches.
  public func restart(watchdog: Duration) async throws {
    let starts = starts
    allow(watchdog)
    do {
      defer { startAgain() }
      try await stop()
      state.withLock { $0.watchdog = watchdog }
    }
    try await waitForStart(after: starts)
  }

  /// Gives it so long without a word, from now on, if that is more than it had.
  public func allow(_ watchdog: Duration) { state.withLock { $0.watchdog = max($0.watchdog, watchdog) } }

  /// Ends it for good, however.
  public func close() {
    keeper.withLock { $0?.cancel() }
    state.withLock { $0.isWanted = false }
    // A stopped process is killed as well as any other.
    if let process = current, process.process.isRunning { process.crash() }
  }
}

/// systemd's end of `NOTIFY_SOCKET`.
private final class NotifySocket: Sendable {
  /// Abstract: nothing of it is left, however this process ends.
  let path = "@throughline-notify-\(UUID().uuidString)"
  private let descriptor: Int32

  init() throws {
    descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: [0] + path.utf8.dropFirst()) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + path.utf8.count)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    guard result == 0 else { throw RigFault("no socket for the watchdog: errno \(errno)") }
  }

  deinit { close(descriptor) }

  /// The lines that have come.
  func drain() -> [String] {
    var lines: [String] = []
    var bytes = [UInt8](repeating: 0, count: 4_096)
    while case let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT)), count > 0 {
      lines += String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
    }
    return lines
  }
}
