import Canonical
import Channels
import Engine
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

  private let settings: Settings
  private let kafka: KafkaConfiguration
  private let databaseURL: String
  private let logger: Logger
  private let marks = RouteMarks()
  private let policy: Mutex<RoutingPolicy>
  private let isStopping = Mutex(false)
  private let group = Mutex((reads: false, listens: false))

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
    let intakeDB = PostgresConnection(
      url: databaseURL, applicationName: "throughline-intake", settings: WorkerParts.sessionSettings)
    let intake = try KafkaConsumer(configuration: kafka, group: settings.consumerGroup)
    let ear = try KafkaConsumer(configuration: kafka, group: settings.consumerGroup + "-" + settings.instance)
    try await intake.subscribe(topics: Formats.routeTopics.map { settings.topicPrefix + $0 })
    try await ear.subscribe(topics: ["conversation.events", "routing.events"].map { settings.topicPrefix + $0 })
    var deskSettings = RouteDesk.Settings(
      instance: settings.instance, topicPrefix: settings.topicPrefix, policy: { self.policy.withLock { $0 } })
    deskSettings.leaseSeconds = settings.leaseSeconds
    deskSettings.reconcileEvery = settings.reconcileEvery
    deskSettings.onTenants = settings.onTenants
    deskSettings.signals = settings.signals
    let desk = RouteDesk(settings: deskSettings, db: db, marks: marks, logger: logger)
    logger.info("route started", metadata: ["event.action": "started"])
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await self.takeIn(intake, intakeDB) }
        group.addTask { try await self.listen(ear) }
        group.addTask { try await desk.run() }
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

  private func takeIn(_ consumer: KafkaConsumer, _ db: PostgresConnection) async throws {
    let normaliser = Normaliser(topicPrefix: settings.topicPrefix, limits: settings.limits)
    while !Task.isCancelled {
      let event = try await consumer.poll(
        maximumRecords: settings.batchRecords, maximumBytes: settings.batchBytes, linger: settings.batchLinger)
      switch event {
      case .records(let records):
        guard !records.isEmpty else { continue }
        try await apply(records.map { normaliser.normalise(Record($0)) }, db)
        var next: [TopicPartition: Int64] = [:]
        for record in records { next[record.topicPartition] = record.offset + 1 }
        // What is read again after a lost report is known by its key.
        do { try await consumer.commit(next) } catch { logger.debug("offsets not reported: \(error)") }
      case .assigned(let partitions):
        let committed = try await retrying { () async throws(KafkaFault) in
          partitions.isEmpty ? [:] : try await consumer.committedOffsets(for: partitions)
        }
        try await consumer.assign(partitions.map { PartitionStart($0, committed[$0].map { .offset($0) } ?? .beginning) })
        logger.info("partitions assigned", metadata: ["event.action": "assigned", "partitions": "\(partitions.count)"])
        WorkerMetrics.rebalanced()
        joined(\.reads)
      case .revoked:
        settings.signals.isReady(.group, false)
        group.withLock { $0.reads = false }
        try await consumer.unassign()
      case .outOfRange(let partition): try await seek(consumer, partition) { $0.low }
      case .fault(let fault): try await handle(fault, consumer)
      }
    }
  }

  /// Commits all records, halved where they cannot be committed together; one that the database refuses alone becomes a dead letter.
  private func apply(_ records: [NormalisedRecord], _ db: PostgresConnection) async throws {
    let intake = RouteIntake(policy: policy.withLock { $0 }, topicPrefix: settings.topicPrefix)
    var slices = [records]
    var attempt = 0
    while let slice = slices.first {
      do throws(PostgresFault) {
        let commit = try await db.perform { db throws(PostgresFault) in
          try intake.commit(slice, seed: UInt64.random(in: 0 ... .max), on: db)
        }
        slices.removeFirst()
        attempt = 0
        for key in commit.conversations { marks.mark(key.tenant, conversation: key.value) }
        for key in commit.agents { marks.mark(key.tenant, agent: key.value) }
        marks.ring()
        log(commit)
      } catch {
        attempt += 1
        logger.warning(
          "reports not committed: \(error)",
          metadata: ["event.action": "batch_retry", "error.type": "\(error.sqlState)", "records": "\(slice.count)"])
        if error.disposition == .stop { throw error }
        if error.disposition == .bisect, slice.count == 1 {
          slices[0] = [slice[0].rejected(Rejection(.databaseRejected, "SQLSTATE \(error.sqlState)"))]
        } else if slice.count > 1, error.disposition == .bisect || attempt >= 8 {
          slices.replaceSubrange(0..<1, with: [Array(slice[..<(slice.count / 2)]), Array(slice[(slice.count / 2)...])])
          attempt = 0
        } else {
          try await Task.sleep(for: Backoff.fullJitter(attempt, first: 10, limit: 5_000))
        }
      }
    }
    try await bury(records, db)
  }

  /// Reports that cannot be read become dead letters; of actions, ingest writes them.
  private func bury(_ records: [NormalisedRecord], _ db: PostgresConnection) async throws {
    let topic = settings.topicPrefix + "agent.presence"
    let letters = records.filter { $0.isRejected && $0.record.topic == topic }
    guard !letters.isEmpty else { return }
    logger.warning("dead letters", metadata: ["event.action": "dead_letter", "count": "\(letters.count)"])
    let prefix = settings.topicPrefix
    var attempt = 0
    while true {
      let now = RouteClock.now()
      do throws(PostgresFault) {
        return try await db.perform { db throws(PostgresFault) in
          for letter in letters { try IngestWrites.insertPieces(of: letter.record, on: db) }
          try db.transaction(settings: RouteDesk.transactionSettings) { () throws(PostgresFault) in
            let ids = IDGenerator(milliseconds: UInt64(max(0, now.microseconds / 1_000)), seed: UInt64.random(in: 0 ... .max))
            let identity = IdentityPlan(records: letters, seenKeys: [], facts: .init(), policy: Policy(), ids: ids)
            let plan = ThreadPlanner.plan(identity, facts: .init(), policy: Policy(), ids: ids)
            try IngestWrites.write(plan, identity: identity, topicPrefix: prefix, on: db)
          }
        }
      } catch {
        attempt += 1
        guard error.disposition != .stop, error.disposition != .bisect else { throw error }
        try await Task.sleep(for: Backoff.fullJitter(attempt, first: 10, limit: 5_000))
      }
    }
  }

  private func log(_ commit: RouteIntake.Commit) {
    for (kind, refusal) in commit.actions {
      guard let refusal else { continue }
      logger.info("action refused", metadata: ["event.action": "refused", "kind": "\(kind)", "error.type": "\(refusal)"])
    }
    logger.debug(
      "reports committed",
      metadata: ["event.action": "committed", "actions": "\(commit.actions.count)", "reports": "\(commit.reports)"])
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
      case .outOfRange(let partition): try await seek(consumer, partition) { $0.high }
      case .fault(let fault): try await handle(fault, consumer)
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
    guard let name = value.firstRange(of: Array(#","tenantid":""#.utf8)) else { return nil }
    return String(decoding: value[name.upperBound...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
  }

  // MARK: - Kafka

  private func seek(
    _ consumer: KafkaConsumer, _ partition: TopicPartition, _ offset: (Watermarks) -> Int64
  ) async throws {
    logger.error(
      "offset is out of range",
      metadata: ["event.action": "offset_out_of_range", "messaging.destination.name": "\(partition.topic)"])
    let watermarks = try await retrying { () async throws(KafkaFault) in try await consumer.watermarks(partition) }
    guard await consumer.assignment.contains(partition) else { return }
    try await consumer.seek(partition, to: offset(watermarks))
  }

  private func handle(_ fault: KafkaFault, _ consumer: KafkaConsumer) async throws {
    logger.warning("\(fault)", metadata: ["event.action": "kafka_fault", "error.type": "\(fault.name)"])
    switch (fault.disposition, fault.partition, fault.offset) {
    case (.stop, _, _): throw fault
    // Corrupt: nobody can read it.
    case (.deadLetter, let partition?, let offset?):
      guard await consumer.assignment.contains(partition) else { return }
      try await consumer.seek(partition, to: offset + 1)
    default: return
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

extension NormalisedRecord {
  /// The whole record as one that cannot be taken.
  fileprivate func rejected(_ rejection: Rejection) -> NormalisedRecord {
    var record = self
    record.elements = [.rejected(rejection)]
    return record
  }
}
