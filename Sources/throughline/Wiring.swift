import ArgumentParser
import Canonical
import Channels
import CoreMetrics
import Engine
import Foundation
import Kafka
import Logging
import Operations
import UnixSignals
import Workers

/// A loop of this process that ends when it is told to.
protocol Worker: Sendable {
  func run() async throws
  func stop()
}
extension IngestWorker: Worker {}
extension RouteWorker: Worker {}

/// What surrounds a worker: logs, metrics, health, systemd, signals.
struct Surroundings: Sendable {
  let instance: String
  let logger: Logger
  let limiter = LogLimiter()
  let health: Health

  /// Lines for a person where a person is at the terminal, JSON for everybody else.
  init(service: String, level: Logger.Level, to descriptor: Int32 = 1) {
    // Who reads our lines may go away; that is no reason to end.
    signal(SIGPIPE, SIG_IGN)
    instance = "\(ProcessInfo.processInfo.hostName)-\(getpid())-\(String(UInt32.random(in: 0 ... .max), radix: 36))"
    health = Health(
      components: WorkerSignals.Component.allCases.map(\.rawValue), patience: Health.patience(ProcessInfo.processInfo.environment)
    )
    let (instance, limiter) = (instance, limiter)
    let isTerminal = isatty(descriptor) == 1
    let sink: LogSink =
      switch (descriptor, isTerminal) {
      case (1, true): .standardOutput
      case (1, false): .exclusiveStandardOutput()
      default: LogSink(descriptor: descriptor)
      }
    logger = Logger(label: service) { _ in
      let handler: any LogHandler =
        isTerminal
        ? TerminalLogHandler(level: level, sink: sink)
        : JSONLogHandler(level: level, service: service, instance: instance, sink: sink)
      return LimitedLogHandler(handler, limiter: limiter)
    }
  }

  var signals: WorkerSignals {
    var signals = WorkerSignals()
    signals.progressed = { [health] in health.progress() }
    signals.isReady = { [health] in health.setReady(component: $0.rawValue, $1) }
    signals.status = { [health] in health.status($0) }
    return signals
  }

  /// Runs the worker until a signal has been obeyed, or until a fault that no retry cures: then logs it and exits with 1.
  ///
  /// - Parameter reload: what SIGHUP does.
  func run(_ worker: some Worker, _ configuration: Operations.Configuration, reload: (@Sendable () async -> Void)? = nil)
    async throws
  {
    let metrics = PrometheusMetrics(version: Throughline.version)
    MetricsSystem.bootstrap(metrics)
    let shell = WorkerShell(
      listen: configuration.httpListen, health: health, metrics: metrics, environment: ProcessInfo.processInfo.environment,
      limiter: limiter, logger: logger)
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await shell.run() }
        group.addTask {
          for await signal in signals {
            guard signal == .sighup else { break }
            await shell.reloading { await reload?() }
          }
          shell.stopping()
          try await stop([worker])
        }
        try await worker.run()
        group.cancelAll()
      }
    } catch {
      logger.critical("failed: \(error)", metadata: ["event.action": "failed", "error.type": "\(type(of: error))"])
      limiter.flush(all: true)
      throw ExitCode.failure
    }
  }

  /// A server that neither answers nor hangs up would keep the last batch for ever; what is not committed is read again.
  func stop(_ workers: [any Worker]) async throws {
    for worker in workers { worker.stop() }
    try await Task.sleep(for: .seconds(25))
    logger.critical("not drained in time", metadata: ["event.action": "drain_timeout"])
    exit(1)
  }
}

extension KafkaConfiguration {
  init(_ configuration: Operations.Configuration, _ surroundings: Surroundings) {
    self.init(
      bootstrapServers: configuration.kafkaBootstrapServers, clientID: surroundings.instance,
      properties: configuration.kafkaProperties, logger: surroundings.logger)
  }
}

extension KafkaProducer {
  /// Of what an operator publishes: whether a record is too long is for the broker to say, and the queue has to hold it.
  static func ofOperator(_ configuration: Operations.Configuration, _ surroundings: Surroundings) throws -> KafkaProducer {
    var kafka = KafkaConfiguration(configuration, surroundings)
    kafka.properties.merge(["message.max.bytes": "67108864", "queue.buffering.max.kbytes": "131072"]) { own, _ in own }
    do { return try KafkaProducer(configuration: kafka) } catch { throw SettingsOptions.exit(naming: ["\(error)"]) }
  }
}

extension MailPolicy {
  init(_ configuration: Operations.Configuration) {
    self.init()
    for entry in configuration.ownMailboxes { ownMailboxes.insert(entry) }
    for entry in configuration.formRelays { formRelays.insert(entry) }
  }
}

extension IngestWorker {
  /// A worker as the configuration describes it.
  convenience init(
    _ configuration: Operations.Configuration, _ surroundings: Surroundings, onAssigned: @escaping @Sendable () -> Void = {}
  ) {
    var settings = Settings(
      consumerGroup: configuration.consumerGroup, topicPrefix: configuration.topicPrefix, instance: surroundings.instance)
    settings.batchRecords = configuration.batchRecords
    settings.tokenKey = configuration.tokenSecret.map { TokenKey(secret: Array($0.utf8)) }
    settings.mail = MailPolicy(configuration)
    settings.onAssigned = onAssigned
    settings.signals = surroundings.signals
    #if DEBUG
      if ProcessInfo.processInfo.environment["THROUGHLINE_TEST_FAULTS"] != nil { settings.onRecord = strike }
    #endif
    self.init(
      settings: settings, kafka: KafkaConfiguration(configuration, surroundings), databaseURL: configuration.databaseURL,
      logger: surroundings.logger)
  }
}

#if DEBUG
  /// For tests, in debug builds that are told to: the record's header `throughline_test_fault` ends or hangs the process.
  @Sendable private func strike(_ record: Record) {
    switch record.headers.first(where: { $0.name == "throughline_test_fault" })?.value {
    case Array("crash".utf8): abort()
    case Array("hang".utf8): while true { pause() }
    default: break
    }
  }
#endif

extension RouteWorker {
  /// A router as the configuration describes it.
  convenience init(
    _ configuration: Operations.Configuration, policy: RoutingPolicy, _ surroundings: Surroundings,
    onAssigned: @escaping @Sendable () -> Void = {}, onTenants: @escaping @Sendable (Set<String>) -> Void = { _ in }
  ) {
    var settings = Settings(
      consumerGroup: configuration.routeConsumerGroup, topicPrefix: configuration.topicPrefix,
      // Beside an ingest worker in one process it is somebody else.
      instance: surroundings.instance + "-route", policy: policy)
    settings.onAssigned = onAssigned
    settings.onTenants = onTenants
    settings.signals = surroundings.signals
    self.init(
      settings: settings, kafka: KafkaConfiguration(configuration, surroundings), databaseURL: configuration.databaseURL,
      logger: surroundings.logger)
  }
}

/// The policy of this file; the standard one without a file.
func routingPolicy(_ path: String?) throws(RoutingPolicyFile.Problems) -> RoutingPolicy {
  guard let path else { return RoutingPolicy() }
  guard let data = FileManager.default.contents(atPath: path), let text = String(validating: data, as: UTF8.self) else {
    throw RoutingPolicyFile.Problems(list: ["\(path) can not be read"])
  }
  return try RoutingPolicyFile.parse(text)
}
