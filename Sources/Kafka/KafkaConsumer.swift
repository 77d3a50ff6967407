import Blocking
import CRdKafka
import Logging

/// A member of a consumer group on a thread of its own; delivers rebalances as values and assigns nothing by itself.
///
/// The owner polls without pause, also while all is paused: polling is what keeps the membership (`max.poll.interval.ms`). It
/// answers `assigned` with `assign` and `revoked` with `unassign`. A fault thrown by any method has the disposition it says;
/// after `close` every method throws `_DESTROY`.
public actor KafkaConsumer {
  /// Waiting for the first record ends after this long, so that whoever polls can look after other things.
  private static let firstWait = Duration.milliseconds(100)
  private static let requestTimeoutMilliseconds: Int32 = 5_000

  private let thread: BlockingThread
  private let logger: Logger
  private var client: Client?
  /// Where each assigned partition stands: its start, then the offset after the last record that `poll` returned.
  private var positions: [TopicPartition: PartitionStart.Position] = [:]
  /// librdkafka remembers a pause beyond an assignment, so it has to be undone.
  private var paused: Set<TopicPartition> = []
  /// An event that came after some records, for the next poll.
  private var kept: ConsumerEvent?
  /// The rebalance that librdkafka waits for an answer to.
  private var unanswered: rd_kafka_resp_err_t?

  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// Opens no connection; a bad property is a fault that names it.
  public init(configuration: KafkaConfiguration, group: String) throws(KafkaFault) {
    logger = configuration.logger
    thread = BlockingThread(name: "kafka-consumer")
    let client = try Client(
      RD_KAFKA_CONSUMER,
      defaults: [
        "group.id": group,
        // Offsets live in the database; Kafka's are only reported.
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        "check.crcs": "true",
        "enable.partition.eof": "false",
        "partition.assignment.strategy": "range,roundrobin",
        // A worker that dies is replaced within the session timeout, one that leaves within a heartbeat.
        "session.timeout.ms": "6000",
        "heartbeat.interval.ms": "500",
        // Memory.
        "queued.max.messages.kbytes": "8192",
        // librdkafka refuses less than the largest record that is allowed.
        "fetch.max.bytes": String(max(4 << 20, configuration.properties["message.max.bytes"].flatMap { Int($0) } ?? 0)),
        // Latency, and a quick return after an outage.
        "fetch.wait.max.ms": "20",
        "fetch.error.backoff.ms": "100",
        "socket.keepalive.enable": "true",
        "reconnect.backoff.max.ms": "2000",
        // New topics of a pattern are found after this long.
        "topic.metadata.refresh.interval.ms": "30000",
      ],
      configuration: configuration, events: RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_OFFSET_COMMIT,
      context: ClientContext(logger: configuration.logger))
    // Errors of the whole client come through the same queue as records.
    rd_kafka_poll_set_consumer(client.raw)
    self.client = consume client
  }

  private var handle: OpaquePointer? {
    switch client {
    case .some(let client): client.raw
    case nil: nil
    }
  }

  private func open() throws(KafkaFault) -> OpaquePointer {
    guard let handle else { throw .closed }
    return handle
  }

  /// Joins the group for these topics; a name that starts with `^` is a pattern (POSIX extended).
  public func subscribe(topics: [String]) throws(KafkaFault) {
    let handle = try open()
    try check(withPartitionList(topics.map { TopicPartition($0, RD_KAFKA_PARTITION_UA) }) { rd_kafka_subscribe(handle, $0) })
  }

  /// Waits up to 100 ms (or `linger`, if longer) for a first record, then collects for `linger` or until either bound is reached,
  /// the bytes by less than one record too many; anything else that arrives is returned at once, or by the next call.
  public func poll(maximumRecords: Int, maximumBytes: Int, linger: Duration) throws(KafkaFault) -> ConsumerEvent {
    let handle = try open()
    if let event = kept {
      kept = nil
      return event
    }
    let queue = rd_kafka_queue_get_consumer(handle)
    defer { rd_kafka_queue_destroy(queue) }
    var records: [KafkaRecord] = []
    var byteCount = 0
    var deadline = ContinuousClock.now + max(linger, Self.firstWait)
    // Each turn takes one event, and what is there already is taken also when the time is up.
    for _ in 0..<max(1, maximumRecords) {
      guard byteCount < max(1, maximumBytes), let event = rd_kafka_queue_poll(queue, (deadline - .now).wholeMilliseconds)
      else { break }
      defer { rd_kafka_event_destroy(event) }
      if rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH {
        // One record an event.
        guard let raw = rd_kafka_event_message_next(event) else { continue }
        if records.isEmpty { deadline = .now + linger }
        let record = KafkaRecord(raw)
        byteCount += record.byteCount
        records.append(record)
      } else if let event = interpret(event, handle) {
        if records.isEmpty { return event }
        kept = event
        break
      }
    }
    for record in records { positions[record.topicPartition] = .offset(record.offset &+ 1) }
    return .records(records)
  }

  private func interpret(_ event: OpaquePointer, _ handle: OpaquePointer) -> ConsumerEvent? {
    let code = rd_kafka_event_error(event)
    switch rd_kafka_event_type(event) {
    case RD_KAFKA_EVENT_REBALANCE:
      unanswered = code
      let partitions = rd_kafka_event_topic_partition_list(event)?.elements.map { TopicPartition($0) } ?? []
      if code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS { return .assigned(partitions) }
      return .revoked(partitions, isLost: rd_kafka_assignment_lost(handle) != 0)
    case RD_KAFKA_EVENT_ERROR:
      let raw = rd_kafka_event_topic_partition(event)
      defer { if let raw { rd_kafka_topic_partition_destroy(raw) } }
      let partition = raw.map { TopicPartition($0.pointee) }
      if code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, let partition { return .outOfRange(partition) }
      return .fault(
        KafkaFault(
          code, isFatal: rd_kafka_event_error_is_fatal(event) != 0, partition: partition,
          offset: raw.flatMap { $0.pointee.offset < 0 ? nil : $0.pointee.offset }))
    case RD_KAFKA_EVENT_OFFSET_COMMIT where code != RD_KAFKA_RESP_ERR_NO_ERROR:
      logger.debug("offsets not reported", metadata: ["error.type": "\(KafkaFault(code).name)"])
      return nil
    default: return nil
    }
  }

  /// Begins to read exactly these partitions at these positions, none of them paused; the answer to `assigned`, also with none.
  public func assign(_ starts: [PartitionStart]) throws(KafkaFault) {
    let handle = try open()
    try start(starts, handle, resumes: true)
    if unanswered == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS { unanswered = nil }
  }

  private func start(_ starts: [PartitionStart], _ handle: OpaquePointer, resumes: Bool) throws(KafkaFault) {
    var list: [(partition: TopicPartition, offset: Int64)] = []
    for start in starts {
      switch start.position {
      case .offset(let offset):
        // Negative offsets have meanings of their own in librdkafka, "the end" for one.
        guard offset >= 0 else { throw KafkaFault(RD_KAFKA_RESP_ERR__INVALID_ARG, partition: start.partition) }
        list.append((start.partition, offset))
      case .beginning: list.append((start.partition, Int64(RD_KAFKA_OFFSET_BEGINNING)))
      case .committed: list.append((start.partition, Int64(RD_KAFKA_OFFSET_STORED)))
      }
    }
    if resumes { try resume(Array(paused)) }
    try check(withOffsetList(list) { rd_kafka_assign(handle, $0) })
    positions = Dictionary(starts.map { ($0.partition, $0.position) }, uniquingKeysWith: { first, _ in first })
  }

  /// Stops reading everything; the answer to `revoked`, given when the last batch is committed.
  public func unassign() throws(KafkaFault) {
    let handle = try open()
    try resume(Array(paused))
    try check(rd_kafka_assign(handle, nil))
    positions = [:]
    if unanswered != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS { unanswered = nil }
  }

  /// The group's offsets at the broker; a partition without one is left out. Asks the broker, at most 5 s.
  public func committedOffsets(for partitions: [TopicPartition]) throws(KafkaFault) -> [TopicPartition: Int64] {
    let handle = try open()
    let (code, elements) = withPartitionList(partitions) { list in
      let code = rd_kafka_committed(handle, list, Self.requestTimeoutMilliseconds)
      return (code, list?.elements.map { (partition: TopicPartition($0), offset: $0.offset, code: $0.err) } ?? [])
    }
    try check(code)
    var offsets: [TopicPartition: Int64] = [:]
    for element in elements {
      try check(element.code, partition: element.partition)
      if element.offset >= 0 { offsets[element.partition] = element.offset }
    }
    return offsets
  }

  /// Reports the next offsets to read to the broker, for those who watch lag there; does not wait for the answer.
  public func commit(_ offsets: [TopicPartition: Int64]) throws(KafkaFault) {
    let handle = try open()
    try check(withOffsetList(offsets.map { (partition: $0.key, offset: $0.value) }) { rd_kafka_commit(handle, $0, 1) })
  }

  /// Reads no further records of these partitions; those that `poll` has not returned are read again after `resume`.
  public func pause(_ partitions: [TopicPartition]) throws(KafkaFault) {
    let handle = try open()
    try check(withPartitionList(partitions) { rd_kafka_pause_partitions(handle, $0) })
    paused.formUnion(partitions)
  }

  public func resume(_ partitions: [TopicPartition]) throws(KafkaFault) {
    let handle = try open()
    try check(withPartitionList(partitions) { rd_kafka_resume_partitions(handle, $0) })
    paused.subtract(partitions)
  }

  /// Makes `offset` the next one to be read of an assigned partition, also after `outOfRange`; a pause stays.
  public func seek(_ partition: TopicPartition, to offset: Int64) throws(KafkaFault) {
    let handle = try open()
    guard positions[partition] != nil else { throw KafkaFault(RD_KAFKA_RESP_ERR__STATE, partition: partition) }
    guard offset >= 0 else { throw KafkaFault(RD_KAFKA_RESP_ERR__INVALID_ARG, partition: partition) }
    guard let topic = rd_kafka_topic_new(handle, partition.topic, nil) else {
      throw KafkaFault(rd_kafka_last_error(), partition: partition)
    }
    defer { rd_kafka_topic_destroy(topic) }
    let code = rd_kafka_seek(topic, partition.partition, offset, Self.requestTimeoutMilliseconds)
    if code == RD_KAFKA_RESP_ERR__STATE && unanswered == nil {
      // A partition that stands still, or has not begun, cannot be sought; starting all of them anew where they stand does it.
      var starts = positions
      starts[partition] = .offset(offset)
      try start(starts.map { PartitionStart($0.key, $0.value) }, handle, resumes: false)
    } else {
      try check(code, partition: partition)
      positions[partition] = .offset(offset)
    }
    switch kept {
    case .outOfRange(partition): kept = nil
    case .fault(let fault) where fault.partition == partition: kept = nil
    default: break
    }
  }

  /// Asks the broker, at most 5 s.
  public func watermarks(_ partition: TopicPartition) throws(KafkaFault) -> Watermarks {
    let handle = try open()
    var (low, high) = (Int64(0), Int64(0))
    try check(
      rd_kafka_query_watermark_offsets(
        handle, partition.topic, partition.partition, &low, &high, Self.requestTimeoutMilliseconds), partition: partition)
    return Watermarks(low: low, high: high)
  }

  /// Whether a broker answers within this time; others of this consumer's callers wait meanwhile.
  public func isReachable(within limit: Duration) -> Bool {
    guard let handle else { return false }
    var metadata: UnsafePointer<rd_kafka_metadata_t>?
    guard rd_kafka_metadata(handle, 0, nil, &metadata, limit.wholeMilliseconds) == RD_KAFKA_RESP_ERR_NO_ERROR else {
      return false
    }
    rd_kafka_metadata_destroy(metadata)
    return true
  }

  /// Records not yet returned by `poll`, per assigned partition, from what the broker last said; left out while that is unknown.
  public func lag() throws(KafkaFault) -> [TopicPartition: Int64] {
    let handle = try open()
    var lag: [TopicPartition: Int64] = [:]
    for case (let partition, .offset(let offset)) in positions {
      var (low, high) = (Int64(0), Int64(0))
      let code = rd_kafka_get_watermark_offsets(handle, partition.topic, partition.partition, &low, &high)
      if code == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 { lag[partition] = max(0, high &- offset) }
    }
    return lag
  }

  /// What is assigned, sorted.
  public var assignment: [TopicPartition] { positions.keys.sorted() }

  /// Another member may already own the partitions: the session timed out, or polling paused for too long.
  public var isAssignmentLost: Bool { handle.map { rd_kafka_assignment_lost($0) != 0 } ?? false }

  /// Leaves the group at once, answering any rebalance; ends within about `limit`, also under load. Later calls do nothing.
  public func close(within limit: Duration = .seconds(10)) {
    guard let handle else { return }
    // Before closing begins, while an answer still counts.
    switch unanswered {
    case nil: break
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS: _ = withOffsetList([]) { rd_kafka_assign(handle, $0) }
    default: rd_kafka_assign(handle, nil)
    }
    let queue = rd_kafka_queue_new(handle)
    // A fatal error forbids this; destroying the client is then all there is.
    let isLeaving = KafkaFault(rd_kafka_consumer_close_queue(handle, queue), handle) == nil
    let deadline = ContinuousClock.now + limit
    while isLeaving && rd_kafka_consumer_closed(handle) == 0 && .now < deadline {
      // Records that were fetched come here as well, and are dropped.
      guard let event = rd_kafka_queue_poll(queue, 20) else { continue }
      if rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE { rd_kafka_assign(handle, nil) }
      rd_kafka_event_destroy(event)
    }
    rd_kafka_queue_destroy(queue)
    client = nil
    (positions, paused, kept, unanswered) = ([:], [], nil, nil)
  }

  private func check(_ code: rd_kafka_resp_err_t, partition: TopicPartition? = nil) throws(KafkaFault) {
    if let handle, let fault = KafkaFault(code, handle, partition: partition) { throw fault }
  }
}

extension Duration {
  /// Rounded up, none below zero: a timeout that is over does not wait, and no other one spins.
  var wholeMilliseconds: Int32 {
    let (seconds, attoseconds) = components
    guard self > .zero else { return 0 }
    return Int32(clamping: min(seconds, 1_000_000) * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
