import Foundation
import Logging
import Synchronization
import Testing

@testable import Operations

/// Keeps what it is given.
private struct KeepingHandler: LogHandler {
  final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
  }

  let lines: Lines
  var logLevel = Logger.Level.trace
  var metadata: Logger.Metadata = [:]
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }
  func log(event: LogEvent) {
    lines.add("\(event.message)" + (event.metadata?["repeated"].map { " (repeated \($0))" } ?? ""))
  }
}

@Suite struct LogTests {
  private let clock = ManualClock()
  private let lines = KeepingHandler.Lines()

  private func limited(_ limiter: LogLimiter) -> Logger {
    Logger(label: "test") { _ in LimitedLogHandler(KeepingHandler(lines: lines), limiter: limiter) }
  }

  private func makeLimiter() -> LogLimiter { LogLimiter(linesPerSecond: 3) { [clock] in clock.now } }

  @Test func `repeated lines are held back, and then counted`() {
    let logger = limited(makeLimiter())
    for _ in 0..<10 { logger.warning("retry", metadata: ["event.action": "retry"]) }
    #expect(lines.all == ["retry", "retry", "retry"])
    clock.advance(.milliseconds(999))
    logger.warning("retry", metadata: ["event.action": "retry"])
    #expect(lines.all.count == 3)
    clock.advance(.milliseconds(1))
    logger.warning("retry", metadata: ["event.action": "retry"])
    #expect(lines.all.dropFirst(3) == ["retry (repeated 8)", "retry"])
    clock.advance(.seconds(5))
    logger.warning("else")
    #expect(lines.all.dropFirst(5) == ["else"])
  }

  @Test func `lines that differ do not count together, and a copy of a logger counts with it`() {
    let logger = limited(makeLimiter())
    for number in 0..<4 {
      for action in ["a", "b"] { logger.info("line", metadata: ["event.action": "\(action)"]) }
      logger.info("line", metadata: ["error.type": "\(number)"])
      logger.error("line")
    }
    #expect(lines.all.count == 3 + 3 + 4 + 3)
    var copy = logger
    copy[metadataKey: "event.action"] = "a"
    copy.info("line")
    #expect(lines.all.count == 13)
    copy.notice("line")
    #expect(lines.all.count == 14)
  }

  @Test func `counts are written without another line, and at the end`() {
    let limiter = makeLimiter()
    let logger = limited(limiter)
    for _ in 0..<5 { logger.info("one") }
    limiter.flush()
    #expect(lines.all.count == 3)
    clock.advance(.seconds(1))
    limiter.flush()
    #expect(lines.all.dropFirst(3) == ["one (repeated 2)"])
    for _ in 0..<4 { logger.info("two") }
    limiter.flush(all: true)
    limiter.flush(all: true)
    #expect(lines.all.dropFirst(4) == ["two", "two", "two", "two (repeated 1)"])
  }

  @Test func `debug lines all pass, and so do more different lines than are watched`() {
    let logger = limited(makeLimiter())
    for _ in 0..<10 { logger.debug("detail") }
    #expect(lines.all.count == 10)
    for number in 0..<(LogLimiter.maximumWindows + 5) { for _ in 0..<4 { logger.info("\(number)") } }
    #expect(lines.all.count == 10 + 3 * LogLimiter.maximumWindows + 4 * 5)
  }

  // MARK: - Text

  private static let hostile = "a\u{1b}[31m\n\u{0}\u{85}\u{202e}\u{61c}\u{2066}\u{200b}\u{feff}\"\\ü"

  @Test func `every line is one object of JSON, whatever it is about`() throws {
    let pipe = try Pipe2()
    let logger = Logger(label: "test") { _ in
      JSONLogHandler(level: .info, service: "throughline-test", instance: "i-1", sink: LogSink(descriptor: pipe.writing))
    }
    logger.info(
      "\(Self.hostile)",
      metadata: ["event.action": "\(Self.hostile)", "count": "12", "error.type": "40001", "hex": "007"])
    logger.error("\(String(repeating: "ü", count: 5_000))", metadata: [Self.hostile: "1"])
    logger.debug("not asked for")
    let lines = try pipe.lines()
    try #require(lines.count == 2)
    let objects = try lines.map { try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
    #expect(objects[0]["message"] as? String == Self.hostile)
    #expect(objects[0]["event.action"] as? String == Self.hostile)
    #expect(objects[0]["log.level"] as? String == "info")
    #expect(objects[0]["service.name"] as? String == "throughline-test")
    #expect(objects[0]["service.instance.id"] as? String == "i-1")
    #expect(
      (objects[0]["@timestamp"] as? String)?.wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/#) != nil)
    // A field has one type in every line: SQLSTATEs are text, also those that look like numbers.
    #expect(lines[0].contains(#""count":12,"#) && lines[0].contains(#""error.type":"40001","#))
    #expect(lines[0].contains(#""hex":"007""#))
    #expect(objects[1].keys.contains(Self.hostile))
    #expect(((objects[1]["message"] as? String)?.utf8.count).map { $0 <= JSONLogHandler.maximumValueBytes + 3 } == true)
    for line in lines { #expect(Self.obeyed(line) == []) }
  }

  @Test func `a terminal is told nothing but colours`() throws {
    let pipe = try Pipe2()
    let logger = Logger(label: "test") { _ in TerminalLogHandler(level: .info, sink: LogSink(descriptor: pipe.writing)) }
    logger.warning("\(Self.hostile)", metadata: ["key": "\(Self.hostile)"])
    logger.info("plain \"text\"")
    let lines = try pipe.lines()
    try #require(lines.count == 2)
    for line in lines { #expect(Self.obeyed(line.replacing(#/\u{1b}\[[0-9]*m/#, with: "")) == []) }
    #expect(lines[0].contains(#"a\u001b[31m\u000a\u0000\u0085\u202e"#) && lines[0].contains("key=a"))
    #expect(lines[1].contains("plain \"text\""))
  }

  /// What a terminal or a reader would obey instead of show.
  private static func obeyed(_ line: String) -> [Unicode.Scalar] {
    line.unicodeScalars.filter { [.control, .format].contains($0.properties.generalCategory) }
  }

  @Test func `what a library prints does not end up among the lines`() throws {
    let (out, error) = (try Pipe2(), try Pipe2())
    let sink = LogSink.exclusive(out.writing, instead: error.writing)
    sink.write(Array("ours\n".utf8))
    #expect(write(out.writing, "theirs\n", 7) == 7)
    sink.write(Array("ours\n".utf8))
    close(sink.descriptor)
    // In this order: both ends for writing lead to the second pipe now.
    #expect(try out.lines() == ["ours", "ours"])
    #expect(try error.lines() == ["theirs"])
  }
}
