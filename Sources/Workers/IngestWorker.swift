import Canonical
import Channels
import Engine
import Glibc
import Kafka
import Logging
import Postgres
import Store
import Synchronization

/// Consumes the channel topics and writes one thread per issue: the six steps of `ARCHITECTURE.md`, around `IngestMachine`.
///
/// Loops run side by side: one polls, decodes and normalises the next batch while another commits the one before and a third begins
/// the next plan; the fourth publishes the outbox. What each does next is the machine's word.
public final class IngestWorker: Sendable {
  public struct Settings: Sendable {
    public var consumerGroup: String
    public var topicPrefix: String
    /// Who this is in claims, leases and logs: unique among all workers.
    public var instance: String
    /// A batch ends with the first of these three.
    public var batchRecords = 1_000
    public var batchBytes = 8 << 20
    public var batchLinger = Duration.milliseconds(10)
    public var outboxLeaseSeconds = 6.0
    public var policy = Policy()
    public var limits = Limits()
    /// Signs what leads back into a conversation; without it agents cannot invite.
    public var tokenKey: TokenKey?
    public var mail = MailPolicy()
    /// Called when the group has given this worker its partitions and it begins to read; once per assignment.
    public var onAssigned: @Sendable () -> Void = {}
    public var signals = WorkerSignals()
    /// Called with each record before it is normalised; for tests of records that end the process.
    public var onRecord: @Sendable (Record) -> Void = { _ in }

    public init(consumerGroup: String, topicPrefix: String, instance: String) {
      self.consumerGroup = consumerGroup
      self.topicPrefix = topicPrefix
      self.instance = instance
    }
  }

  private let settings: Settings
  private let kafka: KafkaConfiguration
  private let databaseURL: String
  private let logger: Logger
  private let events: AsyncStream<IngestMachine.Event>
  private let mailbox: AsyncStream<IngestMachine.Event>.Continuation
  private let isStopping = Mutex(false)

  public init(settings: Settings, kafka: KafkaConfiguration, databaseURL: String, logger: Logger) {
    self.settings = settings
    self.kafka = kafka
    self.databaseURL = databaseURL
    self.logger = logger
    // Bounded by the machine: every event but the tick answers an action, and a tick says nothing new when others wait.
    (events, mailbox) = AsyncStream.makeStream()
  }

  /// Finishes the batch in flight, hands everything back and lets `run` return.
  public func stop() {
    isStopping.withLock { $0 = true }
    mailbox.yield(.stopRequested)
  }

  /// Runs until `stop`, or until a fault that no retry cures.
  public func run() async throws {
    let db = PostgresConnection(url: databaseURL, applicationName: "throughline-ingest", settings: WorkerParts.sessionSettings)
    guard
      try await WorkerParts.waitForSchema(
        db, signals: settings.signals, logger: logger, isStopping: { isStopping.withLock { $0 } })
    else { return }
    let consumer = try KafkaConsumer(configuration: kafka, group: settings.consumerGroup)
    let claims = OffsetClaims(group: settings.consumerGroup, owner: settings.instance)
    var policy = settings.policy
    policy.tokens = settings.tokenKey.map(TokenSigner.init)
    policy.ownMailboxes = settings.mail.ownMailboxes
    let pipeline = IngestPipeline(claims: claims, policy: policy, topicPrefix: settings.topicPrefix)
    let writer = BatchWriter(
      db: db,
      draftDB: PostgresConnection(
        url: databaseURL, applicationName: "throughline-draft", settings: WorkerParts.sessionSettings),
      pipeline: pipeline, logger: logger, signals: settings.signals, clock: { WallClock.now() })
    let (polls, pollMailbox) = AsyncStream<IngestMachine.Poll>.makeStream()
    let (commands, commandMailbox) = AsyncStream<Command>.makeStream()

    try await consumer.subscribe(topics: Formats.topics.map { settings.topicPrefix + $0 })
    logger.info("ingest started", metadata: ["event.action": "started"])
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await self.poll(polls, consumer) }
        group.addTask { try await self.obey(commands, writer, consumer) }
        group.addTask { await writer.draft() }
        group.addTask { [self] in
          try await WorkerParts.publish(
            kafka, databaseURL: databaseURL, owner: settings.instance, leaseSeconds: settings.outboxLeaseSeconds,
            topicPrefix: settings.topicPrefix, logger: logger)
        }
        group.addTask {
          while true {
            try await Task.sleep(for: .milliseconds(250))
            self.mailbox.yield(.tick)
          }
        }
        group.addTask { try await self.observe(consumer) }
        group.addTask {
          defer {
            pollMailbox.finish()
            commandMailbox.finish()
          }
          try await self.drive(consumer, writer, pollMailbox, commandMailbox)
        }
        // The first to end, by a fault or by `.stop`, ends the others.
        try await group.next()
        group.cancelAll()
      }
    } catch let fault as KafkaFault where fault.isRetriable && isStopping.withLock({ $0 }) {
      // Told to stop while it waited for Kafka.
    } catch {
      await writer.releaseAll()
      await consumer.close()
      throw error
    }
    await writer.releaseAll()
    await consumer.close()
    logger.info("ingest stopped", metadata: ["event.action": "stopped"])
  }

  private enum Command: Sendable {
    case claim([TopicAndPartition])
    case reposition(OffsetClaim, low: Int64, high: Int64)
    case stepOver(OffsetClaim, offset: Int64)
    case write([NormalisedRecord], under: [OffsetClaim])
    case probe(Record, under: OffsetClaim)
  }

  // MARK: - The loops

  /// Feeds the machine and carries out what it says.
  private func drive(
    _ consumer: KafkaConsumer, _ writer: BatchWriter, _ polls: AsyncStream<IngestMachine.Poll>.Continuation,
    _ commands: AsyncStream<Command>.Continuation
  ) async throws {
    var machine = IngestMachine(batchRecords: settings.batchRecords)
    var actions = machine.start()
    var incoming = events.makeAsyncIterator()
    while true {
      for action in actions {
        switch action {
        case .poll(let poll): polls.yield(poll)
        case .claim(let partitions): commands.yield(.claim(partitions))
        case .assign(let claims):
          try await consumer.assign(try await starts(claims, consumer))
          logger.info("partitions assigned", metadata: ["event.action": "assigned", "partitions": "\(claims.count)"])
          WorkerMetrics.rebalanced()
          settings.signals.isReady(.group, true)
          settings.onAssigned()
        case .seek(let claims):
          for claim in claims { try await seek(claim, consumer) }
        case .write(let records, let claims): commands.yield(.write(records, under: claims))
        case .reposition(let claim, let low, let high): commands.yield(.reposition(claim, low: low, high: high))
        case .stepOver(let claim, let offset): commands.yield(.stepOver(claim, offset: offset))
        case .probe(let record, let claim): commands.yield(.probe(record, under: claim))
        case .acquit(let claims): await writer.acquit(claims)
        case .abandon: writer.abandon()
        case .release(let claims): await writer.release(claims)
        case .unassign:
          settings.signals.isReady(.group, false)
          try await consumer.unassign()
        case .pause:
          logger.warning("database is slow or away: partitions paused", metadata: ["event.action": "paused"])
          settings.signals.isReady(.database, false)
          try await consumer.pause(consumer.assignment)
        case .resume:
          logger.info("partitions resumed", metadata: ["event.action": "resumed"])
          settings.signals.isReady(.database, true)
          try await consumer.resume(consumer.assignment)
        case .report(let claims):
          try await consumer.commit(Dictionary(claims.compactMap { claim in claim.nextOffset.map { (claim.kafka, $0) } }) { $1 })
        case .stop: return
        }
      }
      guard let event = await incoming.next() else { return }
      // Polls go on while a write is stuck: they are no progress then.
      switch event {
      case .tick: break
      case .polled where machine.isWriteStuck, .fetched where machine.isWriteStuck: break
      default: settings.signals.progressed()
      }
      actions = machine.handle(event)
      writer.expect(machine.next)
    }
  }

  /// Whether Kafka answers and how far behind this is, for operators.
  private func observe(_ consumer: KafkaConsumer) async throws {
    try await WorkerParts.watch(consumer, signals: settings.signals, logger: logger) {
      let lag = (try? await consumer.lag())?.values.reduce(0, +) ?? 0
      WorkerMetrics.lag(lag)
      settings.signals.status("\(await consumer.assignment.count) partitions, lag \(lag)")
    }
  }

  /// Polls when asked, and normalises what comes: the next batch takes shape while the one before is committed.
  private func poll(_ requests: AsyncStream<IngestMachine.Poll>, _ consumer: KafkaConsumer) async throws {
    let normalise = normaliser()
    for await request in requests {
      let event = try await consumer.poll(
        maximumRecords: request == .single ? 1 : settings.batchRecords, maximumBytes: settings.batchBytes,
        linger: settings.batchLinger)
      switch event {
      case .records(let records) where request == .single: mailbox.yield(.fetched(records.first.map(Record.init)))
      case .records(let records): mailbox.yield(.polled(records.map { normalise(Record($0)) }))
      case .assigned(let partitions): mailbox.yield(.assigned(partitions.map { TopicAndPartition($0.topic, $0.partition) }))
      case .revoked(_, let isLost):
        logger.info("partitions revoked", metadata: ["event.action": isLost ? "assignment_lost" : "revoked"])
        mailbox.yield(.revoked)
      case .outOfRange(let partition):
        let watermarks = try await retrying { () async throws(KafkaFault) in try await consumer.watermarks(partition) }
        logger.error(
          "stored offset is out of range",
          metadata: [
            "event.action": "offset_out_of_range", "messaging.destination.name": "\(partition.topic)",
            "messaging.destination.partition.id": "\(partition.partition)",
          ])
        mailbox.yield(
          .outOfRange(TopicAndPartition(partition.topic, partition.partition), low: watermarks.low, high: watermarks.high))
      case .fault(let fault):
        logger.warning("\(fault)", metadata: ["event.action": "kafka_fault", "error.type": "\(fault.name)"])
        switch (fault.disposition, fault.partition, fault.offset) {
        case (.stop, _, _): throw fault
        case (.deadLetter, let partition?, let offset?):
          mailbox.yield(.unreadable(TopicAndPartition(partition.topic, partition.partition), offset: offset))
        default: mailbox.yield(.polled([]))
        }
      }
    }
  }

  /// The stored offsets; where nothing was stored yet, Kafka's own is the hint it was made for, and else the beginning.
  private func starts(_ claims: [OffsetClaim], _ consumer: KafkaConsumer) async throws(KafkaFault) -> [PartitionStart] {
    let new = claims.filter { $0.nextOffset == nil }.map(\.kafka)
    let committed = try await retrying { () async throws(KafkaFault) in
      new.isEmpty ? [:] : try await consumer.committedOffsets(for: new)
    }
    return claims.map { claim in
      PartitionStart(claim.kafka, (claim.nextOffset ?? committed[claim.kafka]).map { .offset($0) } ?? .beginning)
    }
  }

  private func seek(_ claim: OffsetClaim, _ consumer: KafkaConsumer) async throws(KafkaFault) {
    try await retrying { () async throws(KafkaFault) in
      // A partition that was taken away meanwhile has nothing to be sought.
      guard await consumer.assignment.contains(claim.kafka) else { return }
      // With nothing stored yet it goes on where the first start was.
      guard case .offset(let offset)? = try await starts([claim], consumer).first?.position else {
        return try await consumer.seek(claim.kafka, to: try await consumer.watermarks(claim.kafka).low)
      }
      try await consumer.seek(claim.kafka, to: offset)
    }
  }

  /// Tries again while the broker is away.
  private func retrying<R: Sendable>(_ body: () async throws(KafkaFault) -> R) async throws(KafkaFault) -> R {
    while true {
      do throws(KafkaFault) {
        return try await body()
      } catch {
        guard error.isRetriable, !Task.isCancelled, !isStopping.withLock({ $0 }) else { throw error }
        settings.signals.progressed()
        logger.warning("\(error)", metadata: ["event.action": "kafka_retry", "error.type": "\(error.name)"])
        try? await Task.sleep(for: .milliseconds(200))
      }
    }
  }

  /// Carries out what concerns the database, one command after the other, on one connection.
  private func obey(_ commands: AsyncStream<Command>, _ writer: BatchWriter, _ consumer: KafkaConsumer) async throws {
    let normalise = normaliser()
    for await command in commands {
      switch command {
      case .claim(let partitions):
        let claims = try await writer.claim(partitions)
        var ends: [TopicAndPartition: Int64] = [:]
        for claim in claims.filter(IngestMachine.isSuspect) {
          logSuspicion(claim)
          ends[claim.key] = try? await consumer.watermarks(claim.kafka).high
        }
        mailbox.yield(.claimed(claims, ends: ends))
      case .reposition(let claim, let low, let high):
        mailbox.yield(.repositioned(claim.key, try await writer.reposition(claim, low: low, high: high)))
      case .stepOver(let claim, let offset):
        mailbox.yield(.repositioned(claim.key, try await writer.stepOver(claim, offset: offset)))
      case .write(let records, let claims):
        try await report(records.lazy.map(\.record.timestamp)) { try await writer.write(records, under: claims) }
      case .probe(let record, let claim):
        try await report([record.timestamp]) {
          try await writer.probe(record, under: claim, normalise: normalise)
        }
      }
    }
  }

  /// One for each loop: it owns its parsers.
  private func normaliser() -> (Record) -> NormalisedRecord {
    let normaliser = Normaliser(
      topicPrefix: settings.topicPrefix, limits: settings.limits, tokenKey: settings.tokenKey, mail: settings.mail)
    return { [settings] record in
      settings.onRecord(record)
      return normaliser.normalise(record)
    }
  }

  /// Tells of what was written, and how long it took: the machine, the metrics and the log.
  ///
  /// - Parameter times: of each record.
  private func report(
    _ times: some Collection<Timestamp?>,
    _ write: () async throws -> (IngestMachine.Written, outcomes: [(channel: String, outcome: Outcome)])
  ) async throws {
    let started = ContinuousClock.now
    let (written, outcomes) = try await write()
    let duration = ContinuousClock.now - started
    log(outcomes, times.count, duration)
    if case .committed(_, let fenced) = written {
      fenced.forEach(logFence)
      WorkerMetrics.committed(
        outcomes, fenced: fenced.count, duration: duration, oldest: times.compactMap(\.self).min(), now: WallClock.now())
    }
    mailbox.yield(.written(written))
  }

  // MARK: - Logs

  private func logSuspicion(_ claim: OffsetClaim) {
    logger.warning(
      "workers have ended at this offset: records are read one by one",
      metadata: [
        "event.action": "probing", "messaging.destination.name": "\(claim.topic)",
        "messaging.destination.partition.id": "\(claim.partition)",
        "messaging.kafka.offset": "\(claim.nextOffset.map(String.init) ?? "start")", "count": "\(claim.crashCount)",
      ])
  }

  private func logFence(_ claim: OffsetClaim) {
    logger.warning(
      "partition is another worker's: nothing of it was committed",
      metadata: [
        "event.action": "fenced", "messaging.destination.name": "\(claim.topic)",
        "messaging.destination.partition.id": "\(claim.partition)",
      ])
  }

  private func log(_ outcomes: [(channel: String, outcome: Outcome)], _ records: Int, _ duration: Duration) {
    if logger.logLevel <= .debug {
      var counts: [String: Int] = [:]
      for (_, outcome) in outcomes { counts[outcome.label, default: 0] += 1 }
      var metadata: Logger.Metadata = [
        "event.action": "committed", "records": "\(records)", "duration_ms": "\(duration.milliseconds)",
      ]
      for (label, count) in counts { metadata[label] = "\(count)" }
      logger.debug("batch committed", metadata: metadata)
    }
    var letters: [String: [Rejection.Reason: Int]] = [:]
    for case (let channel, .deadLetter(let reason)) in outcomes { letters[channel, default: [:]][reason, default: 0] += 1 }
    for (channel, reasons) in letters {
      for (reason, count) in reasons {
        logger.warning(
          "dead letters",
          metadata: [
            "event.action": "dead_letter", "error.type": "\(reason.rawValue)", "messaging.destination.name": "\(channel)",
            "count": "\(count)",
          ])
      }
    }
  }
}

extension TokenSigner {
  /// The tokens of `TokenKey`, which the core does not see.
  init(_ key: TokenKey) {
    self.init(
      continuation: { tenant, conversation in key.continuation(of: conversation, tenant: tenant) },
      messageID: { tenant, conversation, message, mailbox in
        let host = mailbox.split(separator: "@").last.map(String.init) ?? "localhost"
        let id = key.messageID(of: message, in: conversation, tenant: tenant, host: host)
        return (id, .mail(messageID: id))
      },
      replyTo: { tenant, conversation, mailbox in key.plusAddress(of: conversation, tenant: tenant, mailbox: mailbox) })
  }
}

extension OffsetClaim {
  fileprivate var kafka: TopicPartition { TopicPartition(topic, partition) }
}

extension Record {
  init(_ record: KafkaRecord) {
    self.init(
      topic: record.topic, partition: record.partition, offset: record.offset,
      timestamp: record.timestampMilliseconds.map { Timestamp(milliseconds: $0) }, key: record.key,
      headers: record.headers.map { Header($0.name, $0.value) }, value: record.value, omittedBytes: record.omittedBytes)
  }
}

extension Duration {
  var milliseconds: Int64 { components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000 }
}
