import Glibc
import Synchronization

/// Where lines go: whole, one after the other.
public final class LogSink: Sendable {
  public static let standardOutput = LogSink(descriptor: 1)
  public static let standardError = LogSink(descriptor: 2)

  let descriptor: Int32
  private let gate = Mutex(())

  public init(descriptor: Int32) { self.descriptor = descriptor }

  /// Standard output for log lines alone: what a library prints there goes to standard error instead, and every line parses.
  ///
  /// Once per process, before the first line.
  public static func exclusiveStandardOutput() -> LogSink { exclusive(1, instead: 2) }

  static func exclusive(_ descriptor: Int32, instead other: Int32) -> LogSink {
    let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
    guard own >= 0, dup2(other, descriptor) >= 0 else { return LogSink(descriptor: descriptor) }
    return LogSink(descriptor: own)
  }

  func write(_ line: [UInt8]) {
    gate.withLock { _ in
      var written = 0
      while written < line.count {
        let count = line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + written, line.count - written) }
        if count < 0 && errno == EINTR { continue }
        if count < 0 && errno == EAGAIN {
          // Half a line would not parse.
          var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&ready, 1, 1_000)
          continue
        }
        // Nobody reads our lines any more; there is nobody to tell.
        guard count > 0 else { return }
        written += count
      }
    }
  }
}
