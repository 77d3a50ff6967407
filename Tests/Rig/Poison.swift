import Foundation
import Kafka

/// A record of which one element can not be taken: it is exactly one dead letter, and costs nobody else anything.
public struct Poison: Sendable {
  /// Of its dead letter.
  public var reason: String
  public var topic = "channel.chat"
  /// Changes to a good envelope; an empty value takes the header out.
  var headers: [String: String]
  public var value: [UInt8]?
  /// The external id of a good element in the same record.
  public var sibling: String?

  public var recordHeaders: [KafkaHeader] {
    Self.good.merging(headers) { $1 }.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }.map {
      KafkaHeader($0.key, Array($0.value.utf8))
    }
  }

  private static let good = [
    "ce_specversion": "1.0", "ce_id": "d", "ce_type": "chat.event", "ce_source": "/channels/chat/w_shop",
    "ce_time": "2026-05-12T09:14:07Z", "content-type": "application/json",
  ]

  /// The headers of a record with which nothing is wrong.
  public static let envelope = Poison(reason: "", headers: [:]).recordHeaders

  private static func chat(id: String, text: String = "a secret text") -> String {
    #"{"event":"message.created","event_id":"\#(id)","conversation_id":"c","visitor":{"id":"v"},"message":{"id":"\#(id)","text":"\#(text)"}}"#
  }

  public static let invalidUTF8: [UInt8] =
    Array(#"{"event":"message.created","text":""#.utf8) + [0xff, 0xfe] + Array(#""}"#.utf8)

  /// One of each kind, with ids that end in `tag`.
  public static func kinds(_ tag: String) -> [Poison] {
    [
      Poison(reason: "envelope_invalid", headers: ["ce_id": ""], value: Array(chat(id: "x1\(tag)").utf8)),
      Poison(
        reason: "envelope_invalid", headers: ["ce_source": "", "ce_specversion": "2.0"], value: Array(chat(id: "x2\(tag)").utf8)),
      Poison(reason: "unknown_type", headers: ["ce_type": "fax.page"], value: Array(chat(id: "x3\(tag)").utf8)),
      Poison(reason: "topic_mismatch", headers: ["ce_type": "contact.upsert"], value: Array(chat(id: "x4\(tag)").utf8)),
      Poison(
        reason: "topic_mismatch", headers: ["ce_source": "/channels/email/desk@shop.example"],
        value: Array(chat(id: "x5\(tag)").utf8)),
      Poison(reason: "tenant_invalid", headers: ["ce_tenantid": "No Such Tenant!"], value: Array(chat(id: "x6\(tag)").utf8)),
      Poison(reason: "malformed_json", headers: [:], value: Array(#"{"event":"#.utf8)),
      Poison(
        reason: "malformed_payload", headers: [:],
        value: Array(#"{"event":"message.created","event_id":"x7\#(tag)","message":"secret"}"#.utf8)),
      Poison(reason: "malformed_payload", headers: [:], value: nil),
      Poison(reason: "invalid_utf8", headers: [:], value: invalidUTF8),
      Poison(reason: "nul_in_text", headers: [:], value: Array(chat(id: "x8\(tag)", text: #"a secret\u0000"#).utf8)),
      Poison(
        reason: "too_deep", headers: [:],
        value: Array((String(repeating: #"{"a":"#, count: 5_000) + "1" + String(repeating: "}", count: 5_000)).utf8)),
      Poison(
        reason: "too_large", headers: Dictionary(uniqueKeysWithValues: (0..<300).map { ("http_x\($0)", "secret") }),
        value: Array(chat(id: "x9\(tag)").utf8)),
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
          {"from":"34600111222","id":"wamid.good\(tag)","timestamp":"1778577242","type":"text","text":{"body":"a secret"}}]}}]}]}
          """.utf8), sibling: "wamid.good\(tag)"),
    ]
  }
}
