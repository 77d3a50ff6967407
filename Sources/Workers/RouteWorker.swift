import Canonical
import Channels
import Engine
import Glibc
import Kafka
import Logging
import Postgres
import Store
import Synchronization

/// Assigns waiting conversations to agents.
///
/// Four loops run side by side: the intake applies what agents report and do; the desk decides, for the tenants whose lease it holds
/// (`RouteDesk`); the ear listens to our own events, which only say where to look; the last one publishes the outbox. Any number of
/// routers may run: the intake's partitions and the tenants are shared out among them.
public final class RouteWorker: Sendable {
  public struct Settings: Sendable {
    public var consumerGroup: String
    public var topicPrefix: String
    /// Who this is in leases and logs: unique among all workers.
    public var instance: String
    public var policy: RoutingPolicy
    public var batchRecords = 500
    public var batchBytes = 8 << 20
    public var batchLinger = Duration.milliseconds(2)
    /// Another router takes the tenants over after this long, when this one dies.
    public var leaseSeconds = 6.0
    public var outboxLeaseSeconds = 6.0
    /// How long a missed event can go unseen.
    var reconcileEvery = Duration.seconds(2)
    /// How long nobody counts as gone after this worker, or the database, was away.
    var presenceGrace = Duration.seconds(15)
    public var limits = Limits()
    /// Called when the group has given this worker its partitions and it begins to read; once per assignment.
    public var onAssigned: @Sendable () -> Void = {}
    /// Called with the tenants that it decides for, whenever these become others.
    public var onTenants: @Sendable (Set<String>) -> Void = { _ in }
    public var signals = WorkerSignals()

    public init(
      consumerGroup: String = "throughline-route", topicPrefix: String, instance: String, policy: RoutingPolicy = RoutingPolicy()
    ) {
      self.consumerGroup = consumerGroup
      self.topicPrefix = topicPrefix
      self.instance = instance
      self.policy = policy
    }
  }

  /// After so long a write counts as stuck.
  private static let patience = Duration.seconds(1)

  private let settings: Settings
  private let kafka: KafkaConfiguration
  private let databaseURL: String
  private let logger: Logger
  private let marks = RouteMarks()
  private let policy: Mutex<RoutingPolicy>
  private let isStopping = Mutex(false)
  private let group = Mutex((reads: false, listens: false))
  /// The last record of each partition that was stepped over, since the partitions were assigned.
  private let unreadable = Mutex<[TopicPartition: Int64]>([:])

  public init(settings: Settings, kafka: KafkaConfiguration, databaseURL: String, logger: Logger) {
    self.settings = settings
    policy = Mutex(settings.policy)
    self.kafka = kafka
    self.databaseURL = databaseURL
    self.logger = logger
  }

  /// Decides by this policy from now on.
  public func adopt(_ policy: RoutingPolicy) { self.policy.withLock { $0 = policy } }

  /// Finishes what is being committed, gives the leases back and lets `run` return.
  public func stop() { isStopping.withLock { $0 = true } }

  /// Runs until `stop`, or until a fault that no retry cures.
  public func run() async throws {
    let db = PostgresConnection(url: databaseURL, applicationName: "throughline-route", settings: WorkerParts.sessionSettings)
    guard
      try await WorkerParts.waitForSchema(
        db, signals: settings.signals, logger: logger, isStopping: { isStopping.withLock { $0 } })
    else { return }
    let second = PostgresConnection(url: databaseURL, applicationName: "throughline-route", settings: WorkerParts.sessionSettings)
    let intakeDB = PostgresConnection(
      url: databaseURL, applicationName: "throughline-intake", settings: WorkerParts.sessionSettings)
    let intake = try KafkaConsumer(configuration: kafka, group: settings.consumerGroup)
    // What the ear hears decides how soon a conversation finds its agent. The embedded broker answers a fetch that found nothing no
    // sooner than this; others answer when something comes.
    var hearing = kafka
    hearing.properties.merge(["fetch.wait.max.ms": "5"]) { own, _ in own }
    let ear = try KafkaConsumer(configuration: hearing, group: settings.consumerGroup + "-" + settings.instance)
    try await intake.subscribe(topics: Formats.routeTopics.map { settings.topicPrefix + $0 })
    try await ear.subscribe(topics: ["conversation.events", "routing.events"].map { settings.topicPrefix + $0 })
    var deskSettings = RouteDesk.Settings(
      instance: settings.instance, topicPrefix: settings.topicPrefix, policy: { self.policy.withLock { $0 } })
    deskSettings.leaseSeconds = settings.leaseSeconds
    deskSettings.reconcileEvery = settings.reconcileEvery
    deskSettings.onTenants = settings.onTenants
    deskSettings.signals = settings.signals
    deskSettings.presenceGrace = settings.presenceGrace
    let desk = RouteDesk(settings: deskSettings, db: db, second: second, marks: marks, logger: logger)
    let writer = RouteIntakeWriter(
      db: intakeDB, topicPrefix: settings.topicPrefix, policy: { self.policy.withLock { $0 } }, marks: marks, logger: logger)
    logger.info("route started", metadata: ["event.action": "started"])
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await self.takeIn(intake, writer) }
        group.addTask { try await self.listen(ear) }
        group.addTask { try await desk.run() }
        group.addTask { try await WorkerParts.watch(intake, signals: self.settings.signals, logger: self.logger) }
        group.addTask { [self] in
          try await WorkerParts.publish(
            kafka, databaseURL: databaseURL, owner: settings.instance, leaseSeconds: settings.outboxLeaseSeconds,
            topicPrefix: settings.topicPrefix, logger: logger)
        }
        group.addTask {
          while !self.isStopping.withLock({ $0 }) {
            self.marks.ring()
            try await Task.sleep(for: .milliseconds(100))
          }
        }
        // The first to end, by a fault or by `stop`, ends the others.
        defer { group.cancelAll() }
        try await group.next()
      }
    } catch is CancellationError {
      // Ended by whoever runs it.
    } catch {
      await intake.close()
      await ear.close()
      throw error
    }
    await intake.close()
    await ear.close()
    logger.info("route stopped", metadata: ["event.action": "stopped"])
  }

  /// Ready when it reads what agents do and listens to what happens.
  private func joined(_ part: WritableKeyPath<(reads: Bool, listens: Bool), Bool>) {
    let isReady = group.withLock { group in
      let wasReady = group.reads && group.listens
      group[keyPath: part] = true
      return !wasReady && group.reads && group.listens
    }
    guard isReady else { return }
    settings.signals.isReady(.group, true)
    settings.onAssigned()
  }

  // MARK: - What agents report and do

  private func takeIn(_ consumer: KafkaConsumer, _ writer: RouteIntakeWriter) async throws {
    let normaliser = Normaliser(topicPrefix: settings.topicPrefix, limits: settings.limits)
    while !Task.isCancelled {
      var records = try await poll(consumer)
      while !records.isEmpty, !Task.isCancelled {
        let batch = records.map { read in
          switch read {
          case .record(let record): normaliser.normalise(Record(record))
          case .gap(let letter): letter
          }
        }
        let (isWritten, more) = try await whilePolling(consumer, writer) { try await writer.write(batch) }
        if isWritten {
          var next: [TopicPartition: Int64] = [:]
          for record in batch.map(\.record) { next[TopicPartition(record.topic, record.partition)] = record.offset + 1 }
          // What is read again after a lost report is known by its key.
          do { try await consumer.commit(next) } catch { logger.debug("offsets not reported: \(error)") }
        }
        records = more
      }
    }
  }

  /// Waits for a write that takes long with the partitions paused, and polls to stay in the group; returns what came all the same.
  private func whilePolling(
    _ consumer: KafkaConsumer, _ writer: RouteIntakeWriter, _ write: @Sendable @escaping () async throws -> Bool
  ) async throws -> (isWritten: Bool, more: [Read]) {
    try await withThrowingTaskGroup(of: [Read].self) { group in
      let isWritten = Mutex(false)
      group.addTask {
        let result = try await write()
        isWritten.withLock { $0 = result }
        return []
      }
      group.addTask {
        var more: [Read] = []
        guard (try? await Task.sleep(for: Self.patience)) != nil else { return more }
        self.logger.warning("database is slow or away: partitions paused", metadata: ["event.action": "paused"])
        while !Task.isCancelled {
          // Again and again: they may have become others.
          try await consumer.pause(consumer.assignment)
          // Whoever is given the partitions reads from what is committed.
          more += try await self.poll(consumer) {
            writer.abandon()
            more = []
          }
        }
        try await consumer.resume(consumer.assignment)
        return more
      }
      // The write ends first, or one of them by a fault.
      defer { group.cancelAll() }
      _ = try await group.next()
      group.cancelAll()
      let more = try await group.next() ?? []
      return (isWritten.withLock { $0 }, more)
    }
  }

  private enum Read: Sendable {
    case record(KafkaRecord)
    /// What can not be read, up to this offset.
    case gap(NormalisedRecord)
  }

  /// Records, if that is what there is; everything else is answered.
  private func poll(_ consumer: KafkaConsumer, onRevoked: () -> Void = {}) async throws -> [Read] {
    let event = try await consumer.poll(
      maximumRecords: settings.batchRecords, maximumBytes: settings.batchBytes, linger: settings.batchLinger)
    switch event {
    case .records(let records): return records.map { .record($0) }
    case .assigned(let partitions):
      unreadable.withLock { $0 = [:] }
      let committed = try await retrying { () async throws(KafkaFault) in
        partitions.isEmpty ? [:] : try await consumer.committedOffsets(for: partitions)
      }
      try await consumer.assign(partitions.map { PartitionStart($0, committed[$0].map { .offset($0) } ?? .beginning) })
      logger.info("partitions assigned", metadata: ["event.action": "assigned", "partitions": "\(partitions.count)"])
      WorkerMetrics.rebalanced()
      joined(\.reads)
    case .revoked:
      onRevoked()
      settings.signals.isReady(.group, false)
      group.withLock { $0.reads = false }
      try await consumer.unassign()
    case .outOfRange(let partition):
      unreadable.withLock { $0[partition] = nil }
      guard let low = try await seek(consumer, partition, { $0.low }), low > 0 else { return [] }
      let rejection = Rejection(.offsetsTrimmed, "what lay before \(low) was deleted before it was read")
      return [.gap(.gap(partition.topic, partition.partition, low - 1, rejection))]
    case .fault(let fault):
      guard let offset = try await handle(fault, consumer), let partition = fault.partition else { return [] }
      return [.gap(.gap(partition.topic, partition.partition, offset, .unreadable))]
    }
    return []
  }

  // MARK: - Our own events

  /// Every router reads all of them, from now on, in a group of its own whose offsets nobody keeps.
  private func listen(_ consumer: KafkaConsumer) async throws {
    while !Task.isCancelled {
      let event = try await consumer.poll(maximumRecords: 1_000, maximumBytes: 8 << 20, linger: .zero)
      switch event {
      case .records(let records):
        for record in records { mark(record) }
        if !records.isEmpty { marks.ring() }
      case .assigned(let partitions):
        var starts: [PartitionStart] = []
        for partition in partitions {
          let end = try await retrying { () async throws(KafkaFault) in try await consumer.watermarks(partition).high }
          starts.append(PartitionStart(partition, .offset(end)))
        }
        try await consumer.assign(starts)
        joined(\.listens)
      case .revoked: try await consumer.unassign()
      case .outOfRange(let partition): _ = try await seek(consumer, partition) { $0.high }
      case .fault(let fault): _ = try await handle(fault, consumer)
      }
    }
  }

  /// The key is the subject: a conversation or an agent.
  private func mark(_ record: KafkaRecord) {
    guard let value = record.value, let key = record.key, let tenant = Self.tenant(of: value) else { return }
    let subject = String(decoding: key, as: UTF8.self)
    if let id = ID(subject) { marks.mark(tenant, conversation: id) } else { marks.mark(tenant, agent: subject) }
  }

  /// The extension of an event of ours: we wrote it, with the envelope before the data and every quote inside a string escaped.
  private static func tenant(of value: [UInt8]) -> String? {
    let name = Array(#","tenantid":""#.utf8)
    // Of every event of all routers: the library's generic search showed in the profile.
    let found = value.withUnsafeBytes { bytes in
      bytes.indices.dropLast(name.count).first { bytes[$0] == name[0] && memcmp(bytes.baseAddress! + $0, name, name.count) == 0 }
    }
    return found.map { String(decoding: value[($0 + name.count)...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self) }
  }

  // MARK: - Kafka

  /// Goes on where the broker has records; the offset, or nil where the partition is somebody else's by now.
  private func seek(
    _ consumer: KafkaConsumer, _ partition: TopicPartition, _ offset: (Watermarks) -> Int64
  ) async throws -> Int64? {
    logger.error(
      "offset is out of range",
      metadata: ["event.action": "offset_out_of_range", "messaging.destination.name": "\(partition.topic)"])
    let watermarks = try await retrying { () async throws(KafkaFault) in try await consumer.watermarks(partition) }
    return try await seek(consumer, partition, to: offset(watermarks))
  }

  private func seek(_ consumer: KafkaConsumer, _ partition: TopicPartition, to offset: Int64) async throws -> Int64? {
    try await retrying { () async throws(KafkaFault) in
      guard await consumer.assignment.contains(partition) else { return nil }
      try await consumer.seek(partition, to: offset)
      return offset
    }
  }

  /// The offset of a record that nobody can read, and that was stepped over.
  private func handle(_ fault: KafkaFault, _ consumer: KafkaConsumer) async throws -> Int64? {
    logger.warning("\(fault)", metadata: ["event.action": "kafka_fault", "error.type": "\(fault.name)"])
    switch (fault.disposition, fault.partition, fault.offset) {
    case (.stop, _, _): throw fault
    case (.deadLetter, let partition?, let first?):
      // Of a batch that does not unpack it is always the first record's: each time, one more is left behind.
      let offset = unreadable.withLock { unreadable in
        let offset = max(first, (unreadable[partition] ?? -1) + 1)
        unreadable[partition] = offset
        return offset
      }
      return try await seek(consumer, partition, to: offset + 1) == nil ? nil : offset
    default: return nil
    }
  }

  /// Tries again while the broker is away.
  private func retrying<R: Sendable>(_ body: () async throws(KafkaFault) -> R) async throws(KafkaFault) -> R {
    while true {
      do throws(KafkaFault) {
        return try await body()
      } catch {
        guard error.isRetriable, !Task.isCancelled else { throw error }
        logger.warning("\(error)", metadata: ["event.action": "kafka_retry", "error.type": "\(error.name)"])
        try? await Task.sleep(for: .milliseconds(200))
      }
    }
  }
}
