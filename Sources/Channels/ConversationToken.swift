import Canonical
import Parsing

/// The secret that our own names of conversations are signed with: continuation links, Message-IDs and plus addresses.
///
/// A token is base32 (RFC 4648, lower case, without padding) of ids and an HMAC-SHA256 over its purpose, the tenant and the ids, so
/// none passes for one of another purpose or tenant. Letter case aside each has one spelling. Source: `identity-and-threading.md`.
public struct TokenKey: Sendable, CustomStringConvertible {
  private let secret: [UInt8]

  /// - Parameter secret: at least 32 random bytes, the same for all workers.
  public init(secret: [UInt8]) { self.secret = secret }

  /// Never the secret.
  public var description: String { "TokenKey" }

  // MARK: Continuation links

  /// What a link carries that leads back into a conversation: 77 characters that need no escape in a URL.
  public func continuation(of conversation: ID, tenant: String) -> String {
    Base32.encode(conversation.bytes + mac("continuation", tenant, [conversation]))
  }

  /// The conversation of a token that `continuation(of:tenant:)` made; nil for anything else.
  public func conversation(ofContinuation token: String, tenant: String) -> ID? {
    conversation(token.utf8, "continuation", tenant, macBytes: Self.macBytes)
  }

  // MARK: Message-IDs

  /// The Message-ID of a mail of ours, without `<>`: `MESSAGE.CONVERSATION.MAC@host`.
  public func messageID(of message: ID, in conversation: ID, tenant: String, host: String) -> String {
    let parts = [message.bytes, conversation.bytes, mac("message-id", tenant, [conversation, message])]
    return parts.map(Base32.encode).joined(separator: ".") + "@" + host
  }

  /// The ids in a Message-ID (without `<>`) that `messageID(of:in:tenant:host:)` made, whatever its host; nil for anything else.
  public func ids(ofMessageID messageID: String, tenant: String) -> (message: ID, conversation: ID)? {
    let length = 2 * Base32.length(Self.idBytes) + Base32.length(Self.macBytes) + 2
    let local = messageID.utf8.prefix(length + 1)
    guard local.count == length + 1, local.last == UInt8(ascii: "@") else { return nil }
    let parts = local.dropLast().split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, let message = Base32.decode(parts[0], count: Self.idBytes).flatMap(Bytes16.init).map(ID.init),
      let conversation = Base32.decode(parts[1], count: Self.idBytes).flatMap(Bytes16.init).map(ID.init),
      let stated = Base32.decode(parts[2], count: Self.macBytes),
      Digest.areEqual(stated, mac("message-id", tenant, [conversation, message]))
    else { return nil }
    return (message, conversation)
  }

  // MARK: Plus addresses

  /// The address of a mailbox that leads into a conversation: `local+TOKEN@domain`; nil when the local part would be longer than 64
  /// octets (RFC 5321), that is for names of more than 11, and when the mailbox is no plain address.
  public func plusAddress(of conversation: ID, tenant: String, mailbox: String) -> String? {
    guard let mailbox = EmailAddress.normalise(mailbox), let at = mailbox.lastIndex(of: "@"), !mailbox.hasPrefix("\"") else {
      return nil
    }
    let mac = mac("plus-address", tenant, [conversation]).prefix(Self.shortMACBytes)
    let local = mailbox[..<at] + "+" + Base32.encode(conversation.bytes + mac)
    return local.utf8.count <= 64 ? EmailAddress.normalise(local + mailbox[at...]) : nil
  }

  /// The conversation of an address that `plusAddress(of:tenant:mailbox:)` made, in `<>` or not, whatever its mailbox; nil for
  /// anything else.
  public func conversation(ofAddress address: String, tenant: String) -> ID? {
    // RFC 5321: the longest path.
    guard address.utf8.count <= 256, let at = address.utf8.lastIndex(of: UInt8(ascii: "@")),
      let plus = address.utf8[..<at].lastIndex(of: UInt8(ascii: "+"))
    else { return nil }
    return conversation(address.utf8[plus..<at].dropFirst(), "plus-address", tenant, macBytes: Self.shortMACBytes)
  }

  // MARK: Signatures

  private static let idBytes = 16
  private static let macBytes = 32
  /// 64 octets are all there is.
  private static let shortMACBytes = 16

  private func mac(_ purpose: String, _ tenant: String, _ ids: [ID]) -> [UInt8] {
    Digest.authentication(of: [Array(purpose.utf8), Array(tenant.utf8)] + ids.map(\.bytes), key: secret)
  }

  /// Reads a conversation's id with the beginning of its HMAC behind it.
  private func conversation(_ text: some Collection<UInt8>, _ purpose: String, _ tenant: String, macBytes: Int) -> ID? {
    guard let bytes = Base32.decode(text, count: Self.idBytes + macBytes), let raw = Bytes16(bytes) else { return nil }
    let expected = mac(purpose, tenant, [ID(raw)]).prefix(macBytes)
    return Digest.areEqual(Array(bytes.dropFirst(Self.idBytes)), Array(expected)) ? ID(raw) : nil
  }
}

extension ID {
  fileprivate var bytes: [UInt8] {
    [raw.high, raw.low].flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } }
  }
}

/// RFC 4648 base32, without padding.
private enum Base32 {
  private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

  /// The characters that so many bytes take.
  static func length(_ bytes: Int) -> Int { (bytes * 8 + 4) / 5 }

  static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    var (rest, bits): (UInt32, Int) = (0, 0)
    for byte in bytes {
      (rest, bits) = (rest << 8 | UInt32(byte), bits + 8)
      while bits >= 5 {
        bits -= 5
        text.append(alphabet[Int(rest >> UInt32(bits) & 31)])
      }
    }
    if bits > 0 { text.append(alphabet[Int(rest << UInt32(5 - bits) & 31)]) }
    return String(decoding: text, as: UTF8.self)
  }

  /// Exactly so many bytes; nil for another length, a foreign character, or bits that stand for nothing.
  static func decode(_ text: some Collection<UInt8>, count: Int) -> [UInt8]? {
    guard text.count == length(count) else { return nil }
    var bytes: [UInt8] = []
    var (rest, bits): (UInt32, Int) = (0, 0)
    for character in text {
      let value: UInt8
      switch character {
      case UInt8(ascii: "a")...UInt8(ascii: "z"): value = character - UInt8(ascii: "a")
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = character - UInt8(ascii: "A")
      case UInt8(ascii: "2")...UInt8(ascii: "7"): value = character - UInt8(ascii: "2") + 26
      default: return nil
      }
      (rest, bits) = (rest << 5 | UInt32(value), bits + 5)
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: rest >> UInt32(bits)))
      }
    }
    return rest & (1 << UInt32(bits) - 1) == 0 ? bytes : nil
  }
}
