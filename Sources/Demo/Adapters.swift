import Canonical
import Synchronization

/// The adapters of the channels: they deliver what agents send, say how the provider calls it, and pass on the provider's echo.
final class Adapters: Sendable {
  private let publisher: Publisher
  private let ids: Mutex<ProviderIDs>
  /// The provider's ids by ours.
  private let sent = Mutex<[String: String]>([:])

  init(publisher: Publisher, seed: UInt64) {
    self.publisher = publisher
    ids = Mutex(ProviderIDs(seed: seed))
  }

  /// What the provider calls a message of ours.
  func externalID(of message: String) -> String? { sent.withLock { $0[message] } }

  func hear(_ events: [OwnEvent]) async throws {
    var deliveries: [Delivery] = []
    for event in events where event.type == "outbound.message" { deliveries += deliver(event) }
    try await publisher.publish(deliveries)
  }

  private func deliver(_ event: OwnEvent) -> [Delivery] {
    guard let channel = Channel(rawValue: String(event.topic.dropFirst("outbound.".count))),
      let message = event.text("message_id"), let account = event.text("account"), let to = event.text("to"),
      let at = Timestamp(iso8601: event.at)?.advanced(by: .seconds(1))
    else { return [] }
    let text = event.text("text") ?? ""
    let id = ids.withLock { ids in
      switch channel {
      case .email: event.text("mail_message_id") ?? ids.mail(host: "shop.example")
      case .x: ids.x(isDirect: event.text("visibility") == "private")
      default: ids.next(channel)
      }
    }
    sent.withLock { $0[message] = id }
    func result(_ status: String, _ at: Timestamp) -> Delivery {
      .result(of: message, on: channel, account: account, externalID: id, status: status, at: at)
    }
    var deliveries = [result("sent", at)]
    switch channel {
    case .messenger: deliveries.append(.messengerEcho(id, to: to, page: account, text, at: at))
    case .whatsapp: deliveries.append(.whatsappStatus("delivered", of: id, to: to.filter(\.isNumber), at: at))
    case .sms: deliveries.append(.smsStatus("delivered", of: id, to: to, at: at))
    case .x where ProviderIDs.isDirect(id):
      deliveries.append(.direct(id, with: XUser(id: to, username: "", name: ""), text, isSent: true, at: at))
    case .chat: deliveries.append(result("delivered", at.advanced(by: .seconds(1))))
    default: break
    }
    return deliveries
  }
}

/// Ids in the forms of the providers, seeded.
struct ProviderIDs: Sendable {
  private var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  mutating func next(_ channel: Channel) -> String {
    switch channel {
    case .messenger: "m_" + text(32, Self.base64)
    case .instagram: "aWdfZAG1faXRlbTo" + text(40, Self.base64)
    case .whatsapp: "wamid.HBgM" + text(32, Self.base64) + "A="
    case .sms: "SM" + text(32, Self.hex)
    case .voice: "CA" + text(32, Self.hex)
    case .x: x(isDirect: true)
    case .email: mail(host: "mail.example")
    case .form: [8, 4, 4, 4, 12].map { text($0, Self.hex) }.joined(separator: "-")
    default: "01" + text(24, Self.crockford)
    }
  }

  /// Of a post or of a direct message; X numbers them alike, the sample day tells them apart by the first digits.
  mutating func x(isDirect: Bool) -> String { (isDirect ? "2054" : "2053") + text(15, "0123456789") }

  static func isDirect(_ id: String) -> Bool { id.hasPrefix("2054") }

  mutating func mail(host: String) -> String { text(20, Self.crockford) + "@" + host }

  private static let hex = "0123456789abcdef"
  private static let crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
  private static let base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

  private mutating func text(_ count: Int, _ alphabet: String) -> String {
    let alphabet = Array(alphabet)
    return String((0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &random)] })
  }
}
