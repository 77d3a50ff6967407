import Kafka
import Testing

@Suite struct ClosingTests {
  /// In which state of a rebalance a consumer is closed.
  enum Moment: CaseIterable { case idle, joining, assignedUnanswered, reading, revokedUnanswered, lostUnanswered }

  @Test(arguments: Moment.allCases)
  func `closing returns in time whatever the group waits for`(_ moment: Moment) async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 4)
    for partition in Int32(0)..<4 {
      let payloads = (0..<2_000).map { _ in
        ProducerRecord(topic: "events", partition: partition, key: nil, value: Array(repeating: 1, count: 500))
      }
      _ = try await send(payloads, to: broker)
    }
    let reader = try consumer(broker, group: "ingest")
    let other = try consumer(broker, group: "ingest")
    switch moment {
    case .idle: break
    case .joining:
      try await reader.subscribe(topics: ["events"])
      #expect(try await reader.next() == .records([]))
    case .assignedUnanswered: _ = try await reader.join("events")
    case .reading, .revokedUnanswered, .lostUnanswered:
      try await reader.assign(try await reader.join("events").map { PartitionStart($0, .beginning) })
      // The queue is full of records that nobody will take.
      #expect(try await reader.records(100).count >= 100)
    }
    if moment == .revokedUnanswered { try await other.subscribe(topics: ["events"]) }
    if moment == .lostUnanswered { try await broker.takeDown(1) }
    if moment == .revokedUnanswered || moment == .lostUnanswered {
      let isLost = try await reader.until("a revocation") { if case .revoked(_, let isLost) = $0 { isLost } else { nil } }
      #expect(isLost == (moment == .lostUnanswered))
    }
    let begin = ContinuousClock.now
    await reader.close()
    #expect(.now - begin < .seconds(8))
    await #expect(throws: KafkaFault.self) { try await reader.next() }
    await reader.close()
    await other.close()
    await broker.close()
  }

  @Test func `a rebalance that is still in the queue does not hold closing up`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 1)
    let reader = try consumer(broker, group: "ingest")
    try await reader.assign(try await reader.join("events").map { PartitionStart($0, .committed) })
    let other = try consumer(broker, group: "ingest")
    try await other.subscribe(topics: ["events"])
    // The other one cannot be given anything before this one has let go, so waiting for it in vain leaves the event unread.
    let deadline = ContinuousClock.now + .seconds(1)
    while .now < deadline { #expect(try await other.next() == .records([])) }
    let begin = ContinuousClock.now
    await reader.close()
    #expect(.now - begin < .seconds(8))
    let inherited = try await other.until("the partition") { if case .assigned(let partitions) = $0 { partitions } else { nil } }
    #expect(inherited == [TopicPartition("events", 0)])
    await other.close()
    await broker.close()
  }
}
