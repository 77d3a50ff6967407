import Glibc
import Logging

/// Writes one JSON object a line to standard output, with the field names of `operations.md`.
///
/// Names in metadata become members as they are; values that are whole numbers become numbers, but for names that end in `.type`,
/// `.id` or `.name`: a field is always of one type. Control and bidirectional characters are escaped, and no value is longer than
/// `maximumValueBytes`.
public struct JSONLogHandler: LogHandler {
  public static let maximumValueBytes = LogText.maximumBytes

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
    LogText.append("\(event.message)", to: &line, quoted: true)
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    for (name, value) in all.sorted(by: { $0.key < $1.key }) {
      line.append(UInt8(ascii: ","))
      LogText.append(name, to: &line, quoted: true)
      line.append(UInt8(ascii: ":"))
      let text = "\(value)"
      let isName = name.hasSuffix(".type") || name.hasSuffix(".id") || name.hasSuffix(".name")
      if !isName, let number = Int64(text), String(number) == text {
        line += Array(text.utf8)
      } else {
        LogText.append(text, to: &line, quoted: true)
      }
    }
    line += Array("}\n".utf8)
    sink.write(line)
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
    var line = Array("\(colour)\(LogClock.now().dropFirst(11).prefix(12))\u{1b}[0m ".utf8)
    LogText.append("\(event.message)", to: &line, quoted: false)
    line += Array(" \u{1b}[2m".utf8)
    LogText.append(details, to: &line, quoted: false)
    line += Array("\u{1b}[0m\n".utf8)
    sink.write(line)
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
