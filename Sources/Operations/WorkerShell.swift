import Logging

/// What surrounds a worker's loops: operators' HTTP, what systemd wants to know, the counts of lines held back.
public struct WorkerShell: Sendable {
  public let health: Health
  private let listen: ListenAddress?
  private let metrics: PrometheusMetrics
  private let manager: ServiceManager
  private let limiter: LogLimiter
  private let logger: Logger

  /// - Parameter listen: Nil serves no HTTP.
  public init(
    listen: ListenAddress?, health: Health, metrics: PrometheusMetrics, environment: [String: String], limiter: LogLimiter,
    logger: Logger
  ) {
    self.listen = listen
    self.health = health
    self.metrics = metrics
    self.limiter = limiter
    self.logger = logger
    manager = ServiceManager(environment: environment)
  }

  /// Runs until its task is cancelled. That nobody can look does not end a worker that works.
  public func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await serve() }
      group.addTask { await report() }
    }
    limiter.flush(all: true)
  }

  /// To be called when the worker begins to stop.
  public func stopping() { manager.stopping() }

  /// Tells systemd of a reload around it.
  public func reloading<R>(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> R) async rethrows -> R {
    manager.reloading()
    defer { manager.ready() }
    return try await body()
  }

  private func serve() async {
    guard let listen else { return }
    while !Task.isCancelled {
      do {
        try await OperatorServer(listen: listen, health: health, metrics: metrics).run { address in
          logger.info("operators' HTTP is served", metadata: ["event.action": "http_listening", "server.address": "\(address)"])
        }
      } catch {
        logger.error(
          "operators' HTTP is not served: \(error)",
          metadata: ["event.action": "http_failed", "error.type": "\(type(of: error))", "server.address": "\(listen)"])
        try? await Task.sleep(for: .seconds(5))
      }
    }
  }

  private func report() async {
    var report = ServiceReport(watchdog: manager.watchdog)
    while !Task.isCancelled {
      limiter.flush()
      var next = report
      let lines = next.lines(isLive: health.isLive, isReady: health.isReady, status: health.statusLine, now: .now)
      // What could not be told is due again.
      if manager.send(lines) { report = next }
      try? await Task.sleep(for: report.interval)
    }
  }
}
