import Canonical
import Foundation
import Kafka
import Rig
import TestSupport
import Testing

/// Bad input of every kind becomes a dead letter with its reason, and its neighbours are stored: the failure table's poison row.
@Suite struct BadInputTests {
  private struct Poison {
    var reason: String
    var topic = "channel.chat"
    var headers: [String: String]
    var value: [UInt8]?
  }

  @Test func `every kind of bad input is a dead letter and its neighbours are stored`() async throws {
    let cluster = try await Cluster()
    let worker = try cluster.startWorker()
    let poisons = Self.poisons
    // Good and bad in turn, on one partition: what is bad must not hold up what is behind it.
    for (number, poison) in poisons.enumerated() {
      try await send(poison.topic, Self.headers(poison.headers), poison.value, cluster)
      try await send("channel.chat", Self.headers([:]), Array(Self.chat(id: "good-\(number)").utf8), cluster)
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
    #expect(kept.first?[0] == Self.invalidUTF8.map { String(format: "%02x", $0) }.joined())
    #expect(kept.first?[1]?.contains("ce_type") == true)
    #expect(try await cluster.number("SELECT count(*) FROM throughline.dead_letter WHERE detail ~ 'secret'") == 0)

    // Published, with where it came from; what is too long travels without its value, which is stored in pieces.
    try await cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1)
    var published: [KafkaRecord] = []
    for topic in Cluster.topics { published += try await cluster.consume("dlq." + topic) }
    let reasons = published.compactMap { record in record.headers.first { $0.name == "throughline_reason" }?.value }
    #expect(reasons.map { String(decoding: $0, as: UTF8.self) }.sorted() == letters)
    #expect(published.filter { $0.value?.elementsEqual(Self.invalidUTF8) == true }.count == 1)
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

  /// A good envelope with changes; an empty value takes the header out.
  private static func headers(_ changes: [String: String]) -> [KafkaHeader] {
    let good = [
      "ce_specversion": "1.0", "ce_id": "d", "ce_type": "chat.event", "ce_source": "/channels/chat/w_shop",
      "ce_time": "2026-05-12T09:14:07Z", "content-type": "application/json",
    ]
    return good.merging(changes) { $1 }.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }.map {
      KafkaHeader($0.key, Array($0.value.utf8))
    }
  }

  private static func chat(id: String, text: String = "a secret text") -> String {
    #"{"event":"message.created","event_id":"\#(id)","conversation_id":"c","visitor":{"id":"v"},"message":{"id":"\#(id)","text":"\#(text)"}}"#
  }

  private static let invalidUTF8: [UInt8] =
    Array(#"{"event":"message.created","text":""#.utf8) + [0xff, 0xfe] + Array(#""}"#.utf8)

  private static let poisons: [Poison] = [
    Poison(reason: "envelope_invalid", headers: ["ce_id": ""], value: Array(chat(id: "x1").utf8)),
    Poison(reason: "envelope_invalid", headers: ["ce_source": "", "ce_specversion": "2.0"], value: Array(chat(id: "x2").utf8)),
    Poison(reason: "unknown_type", headers: ["ce_type": "fax.page"], value: Array(chat(id: "x3").utf8)),
    Poison(reason: "topic_mismatch", headers: ["ce_type": "contact.upsert"], value: Array(chat(id: "x4").utf8)),
    Poison(
      reason: "topic_mismatch", headers: ["ce_source": "/channels/email/desk@shop.example"], value: Array(chat(id: "x5").utf8)),
    Poison(reason: "tenant_invalid", headers: ["ce_tenantid": "No Such Tenant!"], value: Array(chat(id: "x6").utf8)),
    Poison(reason: "malformed_json", headers: [:], value: Array(#"{"event":"#.utf8)),
    Poison(
      reason: "malformed_payload", headers: [:],
      value: Array(#"{"event":"message.created","event_id":"x7","message":"secret"}"#.utf8)),
    Poison(reason: "malformed_payload", headers: [:], value: nil),
    Poison(reason: "invalid_utf8", headers: [:], value: invalidUTF8),
    Poison(reason: "nul_in_text", headers: [:], value: Array(chat(id: "x8", text: #"a secret\u0000"#).utf8)),
    Poison(
      reason: "too_deep", headers: [:],
      value: Array((String(repeating: #"{"a":"#, count: 5_000) + "1" + String(repeating: "}", count: 5_000)).utf8)),
    Poison(
      reason: "too_large", headers: Dictionary(uniqueKeysWithValues: (0..<300).map { ("http_x\($0)", "secret") }),
      value: Array(chat(id: "x9").utf8)),
    // Above 1 MiB: kept in pieces.
    Poison(
      reason: "malformed_json", headers: [:],
      value: Array(#"{"event":"secret \#(String(repeating: "secret ", count: 220_000))"#.utf8)),
    // One bad element never costs its siblings.
    Poison(
      reason: "malformed_payload", topic: "channel.whatsapp",
      headers: ["ce_type": "whatsapp.cloud", "ce_source": "/channels/whatsapp/1065", "ce_attested": "signature"],
      value: Array(
        """
        {"object":"whatsapp_business_account","entry":[{"id":"1022","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"1065"},
        "messages":[{"from":"34600111222","timestamp":"1778577242","type":"text","text":{"body":"a secret without id"}},
        {"from":"34600111222","id":"wamid.good","timestamp":"1778577242","type":"text","text":{"body":"a secret"}}]}}]}]}
        """.utf8)),
  ]
}
