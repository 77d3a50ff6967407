import Glibc
import Logging
import Synchronization

/// Writes one JSON object a line to standard output, with the field names of `operations.md`.
///
/// Names in metadata become members as they are; values that are whole numbers become numbers. Control and bidirectional characters
/// are escaped, and no value is longer than `maximumValueBytes`.
public struct JSONLogHandler: LogHandler {
  public static let maximumValueBytes = 2_048

  public var logLevel: Logger.Level
  public var metadata: Logger.Metadata
  private let sink: LogSink

  public init(level: Logger.Level, service: String, instance: String, sink: LogSink = .standardOutput) {
    logLevel = level
    metadata = ["service.name": "\(service)", "service.instance.id": "\(instance)"]
    self.sink = sink
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    var line: [UInt8] = []
    line.reserveCapacity(256)
    line += Array(#"{"@timestamp":""#.utf8) + Array(LogClock.now().utf8) + Array(#"","log.level":""#.utf8)
    line += Array(event.level.rawValue.utf8) + Array(#"","message":"#.utf8)
    Self.append("\(event.message)", to: &line)
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    for (name, value) in all.sorted(by: { $0.key < $1.key }) {
      line.append(UInt8(ascii: ","))
      Self.append(name, to: &line)
      line.append(UInt8(ascii: ":"))
      let text = "\(value)"
      if let number = Int64(text), String(number) == text {
        line += Array(text.utf8)
      } else {
        Self.append(text, to: &line)
      }
    }
    line += Array("}\n".utf8)
    sink.write(line)
  }

  private static func append(_ text: String, to line: inout [UInt8]) {
    line.append(UInt8(ascii: "\""))
    let end = line.count + maximumValueBytes
    for scalar in text.unicodeScalars {
      guard line.count < end else {
        line += Array("…".utf8)
        break
      }
      switch scalar.value {
      case 0x22, 0x5c: line += [UInt8(ascii: "\\"), UInt8(scalar.value)]
      case ..<0x20, 0x7f...0x9f, 0x200b...0x200f, 0x2028...0x202e, 0x2066...0x2069, 0xfeff:
        let digits = String(scalar.value, radix: 16)
        line += Array("\\u".utf8) + Array(String(repeating: "0", count: 4 - digits.count).utf8) + Array(digits.utf8)
      default: line += Array(String(scalar).utf8)
      }
    }
    line.append(UInt8(ascii: "\""))
  }
}

/// Short coloured lines for a person at a terminal.
public struct TerminalLogHandler: LogHandler {
  public var logLevel: Logger.Level
  public var metadata: Logger.Metadata = [:]
  private let sink: LogSink

  public init(level: Logger.Level, sink: LogSink = .standardError) {
    logLevel = level
    self.sink = sink
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    let colour =
      switch event.level {
      case .trace, .debug: "\u{1b}[2m"
      case .info, .notice: "\u{1b}[32m"
      case .warning: "\u{1b}[33m"
      case .error, .critical: "\u{1b}[31m"
      }
    let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    sink.write(
      Array("\(colour)\(LogClock.now().dropFirst(11).prefix(12))\u{1b}[0m \(event.message) \u{1b}[2m\(details)\u{1b}[0m\n".utf8))
  }
}

/// Where lines go: whole, one after the other.
public final class LogSink: Sendable {
  public static let standardOutput = LogSink(descriptor: 1)
  public static let standardError = LogSink(descriptor: 2)

  private let descriptor: Int32
  private let gate = Mutex(())

  public init(descriptor: Int32) { self.descriptor = descriptor }

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

private enum LogClock {
  /// RFC 3339 in UTC with milliseconds.
  static func now() -> String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    var parts = tm()
    gmtime_r(&time.tv_sec, &parts)
    func digits(_ value: Int, _ count: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    return "\(digits(Int(parts.tm_year) + 1900, 4))-\(digits(Int(parts.tm_mon) + 1, 2))-\(digits(Int(parts.tm_mday), 2))T"
      + "\(digits(Int(parts.tm_hour), 2)):\(digits(Int(parts.tm_min), 2)):\(digits(Int(parts.tm_sec), 2))"
      + ".\(digits(time.tv_nsec / 1_000_000, 3))Z"
  }
}
