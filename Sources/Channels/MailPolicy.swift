import Canonical
import Parsing

/// What an operator says about addresses of mail.
public struct MailPolicy: Sendable, Equatable {
  /// What people of ours write from: mail from there to somebody else is ours, and none of it is a customer's.
  public var ownMailboxes = MailAddresses()
  /// What contact forms send from: who wrote is in `Reply-To`.
  public var formRelays = MailAddresses()

  public init() {}
}

extension MailAddresses {
  /// - Parameter entry: an address or `@domain`, behind `tenant:` of one tenant alone; anything else is passed over.
  public mutating func insert(_ entry: String) {
    let parts = entry.split(separator: ":", maxSplits: 1)
    guard let written = parts.last.map(String.init) else { return }
    let isDomain = written.hasPrefix("@")
    guard let address = EmailAddress.normalise(isDomain ? "a" + written : written) else { return }
    insert(isDomain ? String(address.dropFirst()) : address, of: parts.count == 2 ? String(parts[0]) : nil)
  }
}
