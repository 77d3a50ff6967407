import Canonical
import Kafka
import Synchronization

/// A record as an adapter or a desktop publishes it: CloudEvents in binary content mode.
struct Delivery: Sendable {
  var type: String
  /// Without the prefix.
  var topic: String
  var channel: Channel
  var account: String
  /// The sender: records of one key keep their order.
  var key: String
  var at: Timestamp
  /// What the adapter verified.
  var attested = ""
  var contentType = "application/json"
  /// Beside those of the envelope.
  var extraHeaders: [(name: String, value: String)] = []
  var value: [UInt8]
  /// The provider's id of the message in it.
  var externalID: String?

  /// - Parameter id: the adapter's id of the delivery; a retry has another one.
  func headers(id: String) -> [Record.Header] {
    var headers = [
      ("ce_specversion", "1.0"), ("ce_id", id), ("ce_type", type), ("ce_time", at.iso8601),
      ("ce_source", "/channels/\(channel.rawValue)/\(account.percentEncoded)"), ("content-type", contentType),
    ]
    if !attested.isEmpty { headers.append(("ce_attested", attested)) }
    return (headers + extraHeaders.map { ($0.name, $0.value) }).map { Record.Header($0.0, Array($0.1.utf8)) }
  }
}

/// Publishes deliveries, and waits until the broker has them.
final class Publisher: Sendable {
  private let producer: KafkaProducer
  private let topicPrefix: String
  /// Keeps the ids of one run apart from another's.
  private let run = String(UInt64.random(in: 0 ... .max), radix: 36)
  private let count = Mutex(0)

  init(kafka: KafkaConfiguration, topicPrefix: String) throws(KafkaFault) {
    producer = try KafkaProducer(configuration: kafka)
    self.topicPrefix = topicPrefix
  }

  func publish(_ deliveries: Delivery...) async throws(KafkaFault) { try await publish(deliveries) }

  func publish(_ deliveries: [Delivery]) async throws(KafkaFault) {
    guard !deliveries.isEmpty else { return }
    let records = deliveries.map { delivery in
      let number = count.withLock { count in
        count += 1
        return count
      }
      return ProducerRecord(
        topic: topicPrefix + delivery.topic, key: Array(delivery.key.utf8), value: delivery.value,
        headers: delivery.headers(id: "\(run)-\(number)").map { KafkaHeader($0.name, $0.value) })
    }
    for result in try await producer.send(records) { _ = try result.get() }
  }

  func close() async { await producer.close() }
}

// MARK: - Text as the formats want it

/// A JSON object.
func object(_ build: (inout JSONObjectWriter) -> Void) -> JSONText {
  var writer = JSONObjectWriter()
  build(&writer)
  return writer.finish()
}

/// A JSON array.
func list(_ items: [JSONText]) -> JSONText {
  JSONText(utf8: [UInt8(ascii: "[")] + items.map(\.utf8).joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")])
}

/// `application/x-www-form-urlencoded`.
func formEncoded(_ parameters: [(String, String)]) -> [UInt8] {
  Array(parameters.map { "\($0.0.percentEncoded)=\($0.1.percentEncoded)" }.joined(separator: "&").utf8)
}

extension String {
  /// RFC 3986, everything but the unreserved characters and `@`.
  var percentEncoded: String { escaped(with: "%") { ["-", ".", "_", "~", "@"].contains($0) } }

  /// RFC 2047, where it is needed.
  var encodedWord: String {
    utf8.allSatisfy { $0 < 0x80 } ? self : "=?UTF-8?Q?\(escaped(with: "=") { _ in false })?="
  }

  private func escaped(with mark: String, keeping isKept: (Character) -> Bool) -> String {
    utf8.reduce(into: "") { text, byte in
      let character = Character(UnicodeScalar(byte))
      if byte < 0x80, character.isLetter || character.isNumber || isKept(character) {
        text.append(character)
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        text += mark + (digits.count < 2 ? "0" : "") + digits
      }
    }
  }
}
