import Glibc

/// Tells systemd how a service fares: datagrams to `$NOTIFY_SOCKET`. Does nothing where there is none.
public struct ServiceManager: Sendable {
  private let path: String?
  /// Without a word within this time systemd ends the process.
  let watchdog: Duration?

  public init(environment: [String: String]) {
    path = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
    let isOurs = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
    let microseconds = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
    watchdog = path != nil && isOurs && microseconds > 0 ? .microseconds(microseconds) : nil
  }

  public func stopping() { send(["STOPPING=1"]) }

  /// Followed by `ready()`.
  public func reloading() {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    send(["RELOADING=1", "MONOTONIC_USEC=\(Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)"])
  }

  public func ready() { send(["READY=1"]) }

  /// False when the datagram could not be handed over now; never waits.
  @discardableResult
  func send(_ lines: [String]) -> Bool {
    guard let path, !lines.isEmpty else { return true }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // A leading `@` stands for the NUL of an abstract name.
    let name = path.hasPrefix("@") ? [0] + Array(path.utf8.dropFirst()) : Array(path.utf8)
    guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    let message = Array(lines.joined(separator: "\n").utf8)
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(descriptor, message, message.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT), $0, length)
          == message.count
      }
    }
  }
}

/// What is to be told to systemd next: pure, asked about once a second.
struct ServiceReport {
  /// Before the first `READY=1` a start may take this long without progress.
  private static let startPatience = Duration.seconds(60)

  private let watchdog: Duration?
  private let period: Duration
  private var isAnnounced = false
  private var status = ""
  private var dueAt: ContinuousClock.Instant?

  init(watchdog: Duration?) {
    self.watchdog = watchdog
    period = watchdog.map { $0 / 3 } ?? Self.startPatience / 3
  }

  /// How often to ask.
  var interval: Duration { min(period, .seconds(1)) }

  /// The lines that are due. They count as told in the report that this leaves.
  mutating func lines(isLive: Bool, isReady: Bool, status line: String, now: ContinuousClock.Instant) -> [String] {
    var lines: [String] = []
    if isReady && !isAnnounced {
      isAnnounced = true
      lines.append("READY=1")
    }
    let escaped = String(LogText.escaped(line).prefix(256))
    if escaped != status {
      status = escaped
      lines.append("STATUS=\(escaped)")
    }
    if isLive && now >= dueAt ?? now {
      dueAt = now + period
      if watchdog != nil { lines.append("WATCHDOG=1") }
      // systemd's limit on starts is for workers that hang, not for those that wait for a database.
      if !isAnnounced { lines.append("EXTEND_TIMEOUT_USEC=\(Self.startPatience.components.seconds * 1_000_000)") }
    }
    return lines
  }
}
