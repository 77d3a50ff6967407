import Kafka
import Testing

/// Compression makes a long record of a short one: what is read of it is bounded, and what is left out is told.
@Suite struct LongRecordTests {
  private static let compressed = [
    "compression.codec": "gzip", "message.max.bytes": "1000000000", "queue.buffering.max.kbytes": "1000000",
  ]

  /// Sends the records compressed and reads them back.
  private func roundTrip(_ records: [ProducerRecord]) async throws -> [KafkaRecord] {
    let broker = try EmbeddedBroker(logger: quiet)
    try await broker.createTopic("t", partitions: 1)
    let producer = try KafkaProducer(configuration: configuration(broker, Self.compressed))
    for result in try await producer.send(records) { _ = try result.get() }
    await producer.close()
    let reader = try consumer(broker, group: "g")
    try await reader.read(TopicPartition("t", 0), from: .beginning)
    let read = try await reader.records(records.count)
    await reader.close()
    await broker.close()
    return read
  }

  @Test func `a body of fifty megabytes is read whole`() async throws {
    let value = [UInt8](repeating: 7, count: 50_000_000)
    let read = try await roundTrip([ProducerRecord(topic: "t", partition: 0, key: nil, value: value)])
    #expect(read.first?.value == value)
    #expect(read.first?.omittedBytes == 0)
  }

  @Test func `of a longer value the beginning is read, and its neighbours are whole`() async throws {
    let count = KafkaRecord.maximumValueBytes + 1
    let values = [Array("before".utf8), [UInt8](repeating: 0, count: count), Array("after".utf8)]
    let read = try await roundTrip(values.map { ProducerRecord(topic: "t", partition: 0, key: nil, value: $0) })
    #expect(read.map { $0.value?.count } == [6, KafkaRecord.keptBytes, 5])
    #expect(read.map(\.omittedBytes) == [0, count - KafkaRecord.keptBytes, 0])
  }

  @Test func `keys and headers are bounded as well`() async throws {
    let long = [UInt8](repeating: 0, count: KafkaRecord.keptBytes)
    let headers = [KafkaHeader("a", Array("1".utf8)), KafkaHeader("b", long), KafkaHeader("c", nil)]
    let many = (0..<5_000).map { KafkaHeader("h\($0 % 10)", nil) }
    let read = try await roundTrip([
      ProducerRecord(topic: "t", partition: 0, key: long + [0], value: [1], headers: headers),
      ProducerRecord(topic: "t", partition: 0, key: nil, value: [2], headers: many),
    ])
    #expect(read[0].key == long)
    #expect(read[0].headers == [headers[0]])
    #expect(read[0].omittedBytes == 1 + (1 + long.count) + 1)
    #expect(read[1].headers == Array(many.prefix(4_096)))
    #expect(read[1].omittedBytes == 2 * (5_000 - 4_096))
  }
}
