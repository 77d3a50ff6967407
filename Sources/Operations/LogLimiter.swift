import Logging
import Synchronization

/// Lets a line pass so many times a second, and then says how often it was held back.
///
/// Lines are the same when level, message, `event.action` and `error.type` are. Debug and trace lines all pass: who asks for them wants
/// them. One limiter serves all loggers of a process.
public final class LogLimiter: Sendable {
  private struct Key: Hashable {
    var level: Logger.Level
    var message: String
    var action: String
    var error: String
  }

  private struct Window {
    var end: ContinuousClock.Instant
    var passed = 0
    var heldBack = 0
    /// The last one that was held back.
    var last: LogEvent
    var handler: any LogHandler

    func write() {
      var event = last
      event.metadata = (event.metadata ?? [:]).merging(["repeated": "\(heldBack)"]) { $1 }
      handler.log(event: event)
    }
  }

  private struct State {
    var windows: [Key: Window] = [:]
    var sweepAt: ContinuousClock.Instant?
  }

  /// Different lines that are watched at a time; more than these pass unwatched.
  static let maximumWindows = 1_024

  private let linesPerSecond: Int
  private let now: @Sendable () -> ContinuousClock.Instant
  private let state = Mutex(State())

  public init(linesPerSecond: Int = 10, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
    self.linesPerSecond = linesPerSecond
    self.now = now
  }

  /// Writes the counts whose second is over, or all of them when a process ends.
  public func flush(all: Bool = false) {
    let now = now()
    for window in state.withLock({ Self.sweep(&$0, all ? nil : now) }) { window.write() }
  }

  func log(_ event: LogEvent, to handler: any LogHandler) {
    guard event.level > .debug else { return handler.log(event: event) }
    func field(_ name: String) -> String { (event.metadata?[name] ?? handler[metadataKey: name]).map { "\($0)" } ?? "" }
    let key = Key(
      level: event.level, message: "\(event.message)", action: field("event.action"), error: field("error.type"))
    let now = now()
    let (counts, passes) = state.withLock { state in
      let isOver = state.windows[key].map { now >= $0.end } ?? false
      let counts = isOver || now >= state.sweepAt ?? now ? Self.sweep(&state, now) : []
      guard state.windows[key] != nil || state.windows.count < Self.maximumWindows else { return (counts, true) }
      var window = state.windows[key] ?? Window(end: now + .seconds(1), last: event, handler: handler)
      let passes = window.passed < linesPerSecond
      if passes { window.passed += 1 } else { window.heldBack += 1 }
      (window.last, window.handler) = (event, handler)
      state.windows[key] = window
      return (counts, passes)
    }
    for window in counts { window.write() }
    if passes { handler.log(event: event) }
  }

  /// Forgets the windows that are over; returns those that held lines back.
  private static func sweep(_ state: inout State, _ now: ContinuousClock.Instant?) -> [Window] {
    let over = state.windows.filter { key, window in now.map { $0 >= window.end } ?? true }
    for key in over.keys { state.windows[key] = nil }
    state.sweepAt = now.map { $0 + .seconds(1) }
    return over.values.filter { $0.heldBack > 0 }.sorted { $0.end < $1.end }
  }
}

/// A handler whose repeated lines are limited.
public struct LimitedLogHandler: LogHandler {
  private var handler: any LogHandler
  private let limiter: LogLimiter

  public init(_ handler: any LogHandler, limiter: LogLimiter) {
    self.handler = handler
    self.limiter = limiter
  }

  public var logLevel: Logger.Level {
    get { handler.logLevel }
    set { handler.logLevel = newValue }
  }
  public var metadata: Logger.Metadata {
    get { handler.metadata }
    set { handler.metadata = newValue }
  }
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { handler[metadataKey: key] }
    set { handler[metadataKey: key] = newValue }
  }

  public func log(event: LogEvent) { limiter.log(event, to: handler) }
}
