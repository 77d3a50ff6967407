import Canonical
import Parsing

extension Bytes16 {
  init(_ digest: (high: UInt64, low: UInt64)) { self.init(high: digest.high, low: digest.low) }
}

extension ReferenceKey {
  /// A message by the provider's id; the account keeps ids apart that are unique only inside it, which X's are not.
  public static func message(_ channel: Channel, account: String, id: String) -> ReferenceKey {
    ReferenceKey(Bytes16(Digest.bytes16([channel.rawValue, channel == .x ? "" : account, "message", id])))
  }

  /// A message of ours by the id that the provider gave it: what its echo and the replies call it, whatever the channel.
  static func sent(_ channel: Channel, account: String, id: String) -> ReferenceKey {
    channel == .email ? .mail(messageID: id) : .message(channel, account: account, id: id)
  }

  /// A provider's session or call.
  public static func session(_ channel: Channel, account: String, id: String) -> ReferenceKey {
    ReferenceKey(Bytes16(Digest.bytes16([channel.rawValue, account, "session", id])))
  }

  /// What came in several pieces, by what the provider says of all of them.
  static func whole(_ channel: Channel, account: String, _ parts: [String]) -> ReferenceKey {
    ReferenceKey(Bytes16(Digest.bytes16([channel.rawValue, account, "whole"] + parts)))
  }

  /// A mail by its Message-ID without `<>`; one mail to two of our mailboxes has one name.
  public static func mail(messageID: String) -> ReferenceKey {
    ReferenceKey(Bytes16(Digest.bytes16(["email", "message-id", messageID])))
  }
}
