import Kafka
import Testing

@Suite struct ProducerTests {
  @Test func `a record comes back with its headers and binary key, and nil is not empty`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 1)
    let sent = [
      ProducerRecord(
        topic: "events", timestampMilliseconds: 1_700_000_000_123, key: [0, 255, 0], value: Array("payload".utf8),
        headers: [KafkaHeader("a", [0, 1]), KafkaHeader("b", nil), KafkaHeader("a", [])]),
      ProducerRecord(topic: "events", key: nil, value: nil),
      ProducerRecord(topic: "events", key: [], value: []),
    ]
    #expect(try await send(sent, to: broker) == [0, 1, 2])

    let reader = try consumer(broker, group: "readers")
    try await reader.read(TopicPartition("events", 0), from: .beginning)
    let records = try await reader.records(3)
    #expect(records.map(\.key) == sent.map(\.key))
    #expect(records.map(\.value) == sent.map(\.value))
    #expect(records.map(\.headers) == sent.map(\.headers))
    #expect(records.map(\.offset) == [0, 1, 2])
    #expect(records[0].timestampMilliseconds == 1_700_000_000_123)
    #expect(records.allSatisfy { ($0.value?.capacity ?? 64) >= ($0.value?.count ?? 0) + 64 })
    await reader.close()
    await broker.close()
  }

  @Test func `a batch larger than the queue arrives whole and in order`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 1)
    let producer = try KafkaProducer(configuration: configuration(broker, ["queue.buffering.max.messages": "10"]))
    let results = try await producer.send(numbered(0..<200, topic: "events"))
    #expect(try results.map { try $0.get() } == Array(0..<200))
    await producer.close()

    let reader = try consumer(broker, group: "readers")
    try await reader.read(TopicPartition("events", 0), from: .beginning)
    #expect(try await reader.records(200).map(number) == Array(0..<200))
    await reader.close()
    await broker.close()
  }

  @Test func `a record that is too large is a dead letter and its neighbours are stored`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 1)
    let producer = try KafkaProducer(configuration: configuration(broker))
    var records = numbered(0..<3, topic: "events")
    records[1].value = Array(repeating: 0, count: 2_000_000)
    let results = try await producer.send(records)
    #expect(results[0] == .success(0) && results[2] == .success(1))
    #expect(results[1].fault?.name == "MSG_SIZE_TOO_LARGE")
    #expect(results[1].fault?.disposition == .deadLetter)
    await producer.close()
    await broker.close()
  }

  @Test func `a record that the queue can never hold fails at once, and how many partitions there are is known`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 7)
    let producer = try KafkaProducer(
      configuration: configuration(broker, ["message.max.bytes": "4000000", "queue.buffering.max.kbytes": "1024"]))
    var records = numbered(0..<3, topic: "events")
    records[1].value = Array(repeating: 0, count: 2_000_000)
    let results = try await producer.send(records)
    #expect(results.map { $0.fault?.name } == [nil, "MSG_SIZE_TOO_LARGE", nil])
    #expect(try await producer.partitionCount(of: "events") == 7)
    await producer.close()
    await broker.close()
  }

  @Test func `errors that pass do not reach the sender`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 1)
    // Produce (0): request timed out, not the leader, not enough replicas, connection lost.
    try await broker.pushErrors(0, [7, 6, 19, -195])
    #expect(try await send(numbered(0..<5, topic: "events"), to: broker) == Array(0..<5))
    await broker.close()
  }

  @Test func `what only the answer to a later record vouches for has failed`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 1)
    let producer = try KafkaProducer(configuration: configuration(broker, ["batch.num.messages": "1", "linger.ms": "0"]))
    #expect(try await producer.send(numbered(0..<1, topic: "events")) == [.success(0)])
    // Both are under way when the first is refused. A broker that looks at sequences would refuse the second, too; this one does not.
    try await broker.delay(-1, milliseconds: 300)
    try await broker.pushErrors(0, [6])
    let results = try await producer.send(numbered(1..<3, topic: "events"))
    #expect(results.map { $0.fault?.disposition } == [.retry, nil])
    #expect(results[1] == .success(1), "the first is not there")
    await producer.close()
    await broker.close()
  }

  @Test func `a producer that nobody would ever answer is refused`() {
    for name in ["acks", "request.required.acks"] {
      let properties = ["enable.idempotence": "false", name: "0"]
      let fault = #expect(throws: KafkaFault.self) {
        try KafkaProducer(
          configuration: KafkaConfiguration(bootstrapServers: "127.0.0.1:1", properties: properties, logger: quiet))
      }
      #expect(fault?.property == name)
    }
  }

  @Test func `a leader that moves does not reach the sender`() async throws {
    let broker = try EmbeddedBroker(brokers: 2, logger: quiet)
    try await broker.createTopic("events", partitions: 1)
    let producer = try KafkaProducer(configuration: configuration(broker))
    for turn in 0..<4 {
      try await broker.moveLeader(TopicPartition("events", 0), to: Int32(turn % 2 + 1))
      #expect(try await producer.send(numbered(turn..<(turn + 1), topic: "events")) == [.success(Int64(turn))])
    }
    await producer.close()
    await broker.close()
  }

  @Test func `a send waits for a broker that is down and succeeds once it is up`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 1)
    // On a busy machine the reconnection may take longer than the usual limit.
    let producer = try KafkaProducer(configuration: configuration(broker, ["delivery.timeout.ms": "120000"]))
    #expect(try await producer.send(numbered(0..<1, topic: "events")) == [.success(0)])
    try await broker.takeDown(1)
    async let results = producer.send(numbered(1..<3, topic: "events"))
    // Serves as the proof that the broker is unreachable: this one, with a short limit, fails.
    let hasty = try KafkaProducer(configuration: configuration(broker, ["delivery.timeout.ms": "300"]))
    let failed = try await hasty.send(numbered(9..<10, topic: "events"))
    #expect(failed.map { $0.fault?.disposition } == [.retry])
    await hasty.close(within: .zero)
    try await broker.bringUp(1)
    #expect(try await results == [.success(1), .success(2)])
    await producer.close()
    await broker.close()
  }

  @Test func `closing gives up what cannot be delivered, in time, and tells its sender`() async throws {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("events", partitions: 1)
    let producer = try KafkaProducer(configuration: configuration(broker, ["queue.buffering.max.messages": "10"]))
    #expect(try await producer.send(numbered(0..<1, topic: "events")) == [.success(0)])
    try await broker.takeDown(1)
    // More than the queue holds: the sender is still enqueuing when the producer closes.
    let sending = Task.immediate { try await producer.send(numbered(1..<100, topic: "events")) }
    let begin = ContinuousClock.now
    await producer.close(within: .milliseconds(100))
    #expect(.now - begin < .seconds(5))
    #expect(try await sending.value.filter { $0.fault != nil }.count == 99)
    await #expect(throws: KafkaFault.self) { try await producer.send([]) }
    await broker.close()
  }
}

extension Result where Failure == KafkaFault {
  fileprivate var fault: KafkaFault? {
    if case .failure(let fault) = self { fault } else { nil }
  }
}
