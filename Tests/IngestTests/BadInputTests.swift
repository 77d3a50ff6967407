import Canonical
import Foundation
import Kafka
import Rig
import TestSupport
import Testing

/// Bad input of every kind becomes a dead letter with its reason, and its neighbours are stored: the failure table's poison row.
@Suite struct BadInputTests {
  @Test func `every kind of bad input is a dead letter and its neighbours are stored`() async throws {
    let cluster = try await Cluster()
    let worker = try cluster.startWorker()
    let poisons = Poison.kinds("")
    // Good and bad in turn, on one partition: what is bad must not hold up what is behind it.
    for (number, poison) in poisons.enumerated() {
      try await send(poison.topic, poison.recordHeaders, poison.value, cluster)
      try await send("channel.chat", Poison.envelope, Array(Self.chat(id: "good-\(number)").utf8), cluster)
    }
    try await cluster.drain()
    let letters = try await cluster.rows("SELECT reason FROM throughline.dead_letter ORDER BY reason").map { $0[0] ?? "" }
    #expect(letters == poisons.map(\.reason).sorted())
    #expect(try await cluster.number("SELECT count(*) FROM throughline.message WHERE external_id LIKE 'good-%'") == poisons.count)
    // Nothing else came of them, but for the good sibling in one of the bodies.
    #expect(try await cluster.number("SELECT count(*) FROM throughline.message") == poisons.count + 1)
    #expect(try await cluster.number("SELECT count(*) FROM throughline.message WHERE external_id = 'wamid.good'") == 1)

    // Bytes and headers are kept as they came, whatever they are.
    let kept = try await cluster.rows(
      "SELECT encode(value, 'hex'), headers::text FROM throughline.dead_letter WHERE reason = 'invalid_utf8'")
    #expect(kept.first?[0] == Poison.invalidUTF8.map { String(format: "%02x", $0) }.joined())
    #expect(kept.first?[1]?.contains("ce_type") == true)
    #expect(try await cluster.number("SELECT count(*) FROM throughline.dead_letter WHERE detail ~ 'secret'") == 0)

    // Published, with where it came from; what is too long travels without its value, which is stored in pieces.
    try await cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1)
    var published: [KafkaRecord] = []
    for topic in Cluster.topics { published += try await cluster.consume("dlq." + topic) }
    let reasons = published.compactMap { record in record.headers.first { $0.name == "throughline_reason" }?.value }
    #expect(reasons.map { String(decoding: $0, as: UTF8.self) }.sorted() == letters)
    #expect(published.filter { $0.value?.elementsEqual(Poison.invalidUTF8) == true }.count == 1)
    #expect(
      try await cluster.number(
        """
        SELECT count(*) FROM throughline.dead_letter d WHERE d.value_bytes > 1048576 AND d.value IS NULL
        AND d.value_bytes = (SELECT sum(length(bytes)) FROM throughline.dead_letter_piece p
          WHERE p.topic = d.topic AND p.partition = d.partition AND p.record_offset = d.record_offset)
        """) == 1)
    #expect(!worker.log.contains("secret"))
    #expect(worker.stop() == 0)
    await cluster.close()
  }

  private func send(_ topic: String, _ headers: [KafkaHeader], _ value: [UInt8]?, _ cluster: Cluster) async throws {
    let record = ProducerRecord(topic: topic, partition: 0, key: Array("k".utf8), value: value, headers: headers)
    _ = try await cluster.producer.send([record])[0].get()
  }

  private static func chat(id: String) -> String {
    #"{"event":"message.created","event_id":"\#(id)","conversation_id":"c","visitor":{"id":"v"},"message":{"id":"\#(id)","text":"a secret text"}}"#
  }
}
