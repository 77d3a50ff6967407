import Kafka
import Synchronization
import Testing

@Suite struct ConsumerTests {
  @Test func `reading begins where the owner says, and not before it says so`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("channel.chat", partitions: 1)
    _ = try await send(numbered(0..<10, topic: "channel.chat"), to: broker)
    let reader = try consumer(broker, group: "ingest")
    // A pattern, as the workers subscribe.
    let given = try await reader.join("^channel\\..*")
    #expect(given == [TopicPartition("channel.chat", 0)])
    #expect(try await reader.next() == .records([]))
    #expect(await reader.assignment.isEmpty)

    try await reader.assign(given.map { PartitionStart($0, .offset(4)) })
    #expect(try await reader.records(6).map(\.offset) == Array(4..<10))
    #expect(await reader.assignment == given)
    #expect(await reader.isAssignmentLost == false)
    #expect(try await reader.lag() == [given[0]: 0])
    let watermarks = try await reader.watermarks(given[0])
    #expect(watermarks.low == 0 && watermarks.high == 10)

    try await reader.commit([given[0]: 10])
    var committed = try await reader.committedOffsets(for: given)
    for _ in 0..<100 where committed.isEmpty { committed = try await reader.committedOffsets(for: given) }
    #expect(committed == [given[0]: 10])
    await reader.close()
    await broker.close()
  }

  /// What the database does for the workers.
  private final class Ledger: Sendable {
    let next = Mutex<[TopicPartition: Int64]>([:])
    let read = Mutex<[String]>([])
    let revocationCount = Mutex(0)
    /// Both consumers have their share.
    let isShared = Atomic(false)

    var readCount: Int { read.withLock { $0.count } }

    /// Takes a batch as the worker's transaction does.
    func store(_ records: [KafkaRecord]) {
      read.withLock { $0 += records.map { "\($0.topicPartition) \($0.offset)" } }
      next.withLock { for record in records { $0[record.topicPartition] = record.offset + 1 } }
    }

    func starts(_ partitions: [TopicPartition]) -> [PartitionStart] {
      next.withLock { next in partitions.map { PartitionStart($0, .offset(next[$0] ?? 0)) } }
    }
  }

  /// Reads as a worker does, until `isDone`.
  private func work(_ reader: KafkaConsumer, _ ledger: Ledger, until isDone: @Sendable () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(40)
    while !isDone() && .now < deadline {
      switch try await reader.next(7) {
      case .records(let records): ledger.store(records)
      case .assigned(let partitions): try await reader.assign(ledger.starts(partitions))
      case .revoked:
        ledger.revocationCount.withLock { $0 += 1 }
        try await reader.unassign()
      case .outOfRange(let partition): throw Late(what: "\(partition) in range")
      case .fault(let fault): #expect(fault.isRetriable)
      }
    }
  }

  @Test func `when a second consumer joins, nothing is lost and nothing is read twice`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 4)
    let ledger = Ledger()
    let first = try consumer(broker, group: "ingest")
    let second = try consumer(broker, group: "ingest")
    func fill(_ numbers: Range<Int>) async throws {
      for partition in Int32(0)..<4 {
        _ = try await send(numbered(numbers, topic: "events", partition: partition), to: broker)
      }
    }
    try await fill(0..<50)
    try await first.subscribe(topics: ["events"])
    try await work(first, ledger) { ledger.readCount >= 200 }
    // All was the first one's, and it keeps reading while the second joins.
    #expect(await first.assignment.count == 4)
    try await second.subscribe(topics: ["events"])
    try await withThrowingTaskGroup { group in
      for reader in [first, second] {
        group.addTask {
          try await work(reader, ledger) { ledger.isShared.load(ordering: .relaxed) && ledger.readCount >= 400 }
        }
      }
      group.addTask {
        let deadline = ContinuousClock.now + .seconds(30)
        while await [first.assignment.count, second.assignment.count] != [2, 2] && .now < deadline { await Task.yield() }
        ledger.isShared.store(true, ordering: .relaxed)
        try await fill(50..<100)
      }
      try await group.waitForAll()
    }
    #expect(ledger.revocationCount.withLock { $0 } >= 1)
    #expect(Set(await first.assignment).isDisjoint(with: await second.assignment))
    let read = ledger.read.withLock { $0 }
    #expect(read.count == 400)
    #expect(Set(read).count == 400)
    // With both at work: must not wait for each other, nor for an answer that nobody gives.
    await first.close()
    await second.close()
    await broker.close()
  }

  @Test func `a paused partition is silent and resumes without a gap, a sought one goes where it is told`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 2)
    for partition in Int32(0)..<2 {
      _ = try await send(numbered(0..<100, topic: "events", partition: partition), to: broker)
    }
    let (left, right) = (TopicPartition("events", 0), TopicPartition("events", 1))
    let reader = try consumer(broker, group: "readers")
    try await reader.read(left, from: .beginning)
    let before = try await reader.until("some records") { event -> [KafkaRecord]? in
      if case .records(let records) = event, !records.isEmpty { records } else { nil }
    }
    try await reader.assign([PartitionStart(left, .offset(Int64(before.count))), PartitionStart(right, .beginning)])
    let first = try await reader.poll(maximumRecords: 1, maximumBytes: 1 << 20, linger: .seconds(5)).partitioned
    try await reader.pause([left])
    var offsets = first[left] ?? []
    // All of the other partition comes, and nothing of this one.
    var others = first[right] ?? []
    let deadline = ContinuousClock.now + .seconds(30)
    while others.count < 100 && .now < deadline {
      let partitioned = try await reader.next(10).partitioned
      #expect(partitioned[left] == nil)
      others += partitioned[right] ?? []
    }
    #expect(others == Array(0..<100))
    try await reader.resume([left])
    offsets += try await reader.records(100 - before.count - offsets.count).map(\.offset)
    #expect(offsets == Array(Int64(before.count)..<100))

    try await reader.seek(left, to: 40)
    #expect(try await reader.lag()[left] == 60)
    #expect(try await reader.records(60).map(\.offset) == Array(40..<100))
    // A pause outlives a seek; an assignment ends it.
    try await reader.pause([left])
    try await reader.seek(left, to: 90)
    #expect(try await reader.next() == .records([]))
    try await reader.resume([left])
    #expect(try await reader.records(10).map(\.offset) == Array(90..<100))
    try await reader.pause([left])
    try await reader.read(left, from: .offset(99))
    #expect(try await reader.records(1).map(\.offset) == [99])
    await reader.close()
    await broker.close()
  }

  @Test func `an offset that is not there is an event and not a jump, and the owner can go on from another`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 2)
    _ = try await send(numbered(0..<5, topic: "events"), to: broker)
    let (left, right) = (TopicPartition("events", 0), TopicPartition("events", 1))
    let reader = try consumer(broker, group: "readers")
    for missing in [PartitionStart.Position.offset(1_000), .committed] {
      try await reader.assign([PartitionStart(left, missing), PartitionStart(right, .beginning)])
      let partition = try await reader.until("an offset out of range") { event -> TopicPartition? in
        switch event {
        case .outOfRange(let partition): return partition
        case .records(let records):
          #expect(records.isEmpty)
          return nil
        default: return nil
        }
      }
      #expect(partition == left)
      let low = try await reader.watermarks(left).low
      try await reader.seek(left, to: low)
      #expect(try await reader.records(5).map(\.offset) == Array(0..<5))
      #expect(await reader.assignment == [left, right])
    }
    await #expect(throws: KafkaFault.self) { try await reader.seek(left, to: -1) }
    await #expect(throws: KafkaFault.self) { try await reader.seek(TopicPartition("events", 7), to: 0) }
    await #expect(throws: KafkaFault.self) { try await reader.read(left, from: .offset(-1)) }
    await reader.close()
    await broker.close()
  }

  @Test func `a broker that goes away is a fault that passes, and reading goes on where it stood`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 1)
    _ = try await send(numbered(0..<5, topic: "events"), to: broker)
    let reader = try consumer(broker, group: "readers")
    try await reader.read(TopicPartition("events", 0), from: .beginning)
    #expect(try await reader.records(5).count == 5)
    try await broker.takeDown(1)
    let fault = try await reader.until("a fault") { if case .fault(let fault) = $0 { fault } else { nil } }
    #expect(fault.disposition == .retry && !fault.isFatal)
    try await broker.bringUp(1)
    // Fetch (1): connection lost, request timed out.
    try await broker.pushErrors(1, [-195, 7])
    _ = try await send(numbered(5..<10, topic: "events"), to: broker)
    #expect(try await reader.records(5).map(\.offset) == Array(5..<10))
    await reader.close()
    await broker.close()
  }

  @Test func `bounds cut a poll short and the rest comes with the next one`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 1)
    let payloads = (0..<20).map { _ in
      ProducerRecord(topic: "events", partition: 0, key: nil, value: Array(repeating: 1, count: 1_000))
    }
    _ = try await send(payloads, to: broker)
    let reader = try consumer(broker, group: "readers")
    try await reader.read(TopicPartition("events", 0), from: .beginning)
    var offsets = try await reader.poll(maximumRecords: 3, maximumBytes: 1 << 20, linger: .seconds(5)).offsets
    for _ in 0..<50 where offsets.isEmpty {
      offsets = try await reader.poll(maximumRecords: 3, maximumBytes: 1 << 20, linger: .seconds(5)).offsets
    }
    #expect(offsets == [0, 1, 2])
    #expect(try await reader.poll(maximumRecords: 100, maximumBytes: 2_500, linger: .seconds(5)).offsets == [3, 4, 5])
    #expect(try await reader.records(14).map(\.offset) == Array(6..<20))
    let begin = ContinuousClock.now
    #expect(try await reader.next() == .records([]))
    #expect(.now - begin < .seconds(5))
    await reader.close()
    await broker.close()
  }
}

extension ConsumerEvent {
  fileprivate var offsets: [Int64] {
    if case .records(let records) = self { records.map(\.offset) } else { [] }
  }

  fileprivate var partitioned: [TopicPartition: [Int64]] {
    guard case .records(let records) = self else { return [:] }
    return Dictionary(grouping: records, by: \.topicPartition).mapValues { $0.map(\.offset) }
  }
}
