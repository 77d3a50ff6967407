import Canonical
import Testing

@testable import Channels

/// Our own signed names of conversations: what was signed is found again, and nothing else is.
@Suite struct ConversationTokenTests {
  private static let key = Sample.tokenKey
  private static let conversation = ID("01a205c3-931a-7002-87e1-15aaf866b8e9") ?? ID(Bytes16(high: 0, low: 0))
  private static let message = ID("01a205c3-9a00-7001-b05d-ae79519d992e") ?? ID(Bytes16(high: 0, low: 0))

  /// The three kinds of tokens: how one is made and what it says.
  enum Kind: CaseIterable {
    case continuation, messageID, plusAddress

    func token(_ key: TokenKey = ConversationTokenTests.key, tenant: String = "acme") -> String {
      switch self {
      case .continuation: key.continuation(of: ConversationTokenTests.conversation, tenant: tenant)
      case .messageID: key.messageID(of: message, in: ConversationTokenTests.conversation, tenant: tenant, host: "shop.example")
      case .plusAddress:
        key.plusAddress(of: ConversationTokenTests.conversation, tenant: tenant, mailbox: "support@shop.example") ?? ""
      }
    }

    func conversation(of token: String, _ key: TokenKey = ConversationTokenTests.key, tenant: String = "acme") -> ID? {
      switch self {
      case .continuation: key.conversation(ofContinuation: token, tenant: tenant)
      case .messageID: key.ids(ofMessageID: token, tenant: tenant)?.conversation
      case .plusAddress: key.conversation(ofAddress: token, tenant: tenant)
      }
    }

    /// Where the signed characters of a token are.
    var signed: Range<Int> {
      switch self {
      case .continuation: 0..<77
      case .messageID: 0..<106
      case .plusAddress: 8..<60
      }
    }
  }

  @Test("A token leads to its conversation, letter case aside", arguments: Kind.allCases)
  func roundTrip(_ kind: Kind) {
    #expect(kind.conversation(of: kind.token()) == Self.conversation)
    #expect(kind.conversation(of: kind.token().uppercased()) == Self.conversation)
    for seed in 0..<200 as Range<UInt64> {
      var random = SplitMix64(seed: seed)
      let (a, b) = (ID(Bytes16(high: random.next(), low: random.next())), ID(Bytes16(high: random.next(), low: random.next())))
      #expect(Self.key.conversation(ofContinuation: Self.key.continuation(of: a, tenant: "t"), tenant: "t") == a, "seed \(seed)")
      let ids = Self.key.ids(ofMessageID: Self.key.messageID(of: a, in: b, tenant: "t", host: "h"), tenant: "t")
      #expect(ids?.message == a && ids?.conversation == b, "seed \(seed)")
      let address = Self.key.plusAddress(of: a, tenant: "t", mailbox: "a@b.example") ?? ""
      #expect(Self.key.conversation(ofAddress: address, tenant: "t") == a, "seed \(seed)")
    }
  }

  @Test("The text of a token is the one that other programs were told of")
  func knownValues() {
    let texts = Kind.allCases.map { $0.token(tenant: "default") }
    #expect(
      texts == [
        "agralq4tdjyafb7bcwvpqzvy5ghu656irwbm7idd26yr2bday2hvv5kx6ofz32ubjff5ohswrih2c",
        "agralq42abyadmc5vz4vdhmzfy.agralq4tdjyafb7bcwvpqzvy5e.khaeapgzf5sslcycvb3i5inxlht34y7cgpqmibfvzezxcck4dboq@shop.example",
        "support+agralq4tdjyafb7bcwvpqzvy5fa7waq2w76voxzxhk4c32kig5lq@shop.example",
      ])
  }

  @Test("One changed, missing or additional character makes a token nobody's", arguments: Kind.allCases)
  func tampered(_ kind: Kind) {
    let token = Array(kind.token().utf8)
    for position in kind.signed {
      // All other characters of the alphabet, and some that are in none.
      for character in "abcdefghijklmnopqrstuvwxyz234567.0189+@=".utf8 where character != token[position] {
        var changed = token
        changed[position] = character
        #expect(kind.conversation(of: String(decoding: changed, as: UTF8.self)) == nil, "\(position): \(character)")
      }
      var shorter = token
      shorter.remove(at: position)
      #expect(kind.conversation(of: String(decoding: shorter, as: UTF8.self)) == nil, "without \(position)")
      var longer = token
      longer.insert(UInt8(ascii: "a"), at: position)
      // In front of the plus address there is the end of its mailbox.
      #expect(kind.conversation(of: String(decoding: longer, as: UTF8.self)) == nil, "more at \(position)")
    }
  }

  @Test("A token of another tenant or another key is nobody's", arguments: Kind.allCases)
  func otherTenantAndKey(_ kind: Kind) {
    let other = TokenKey(secret: Array("the secret of the samples, not of a shoq".utf8))
    #expect(kind.conversation(of: kind.token(), tenant: "acmf") == nil)
    #expect(kind.conversation(of: kind.token(tenant: "")) == nil)
    #expect(kind.conversation(of: kind.token(), other) == nil)
    #expect(kind.conversation(of: kind.token(other), other) == Self.conversation)
  }

  @Test("A token of one purpose is none of another, even with the other's form")
  func otherPurpose() {
    for made in Kind.allCases {
      for read in Kind.allCases where read != made { #expect(read.conversation(of: made.token()) == nil, "\(made) as \(read)") }
    }
    let link = Kind.continuation.token()
    // Ids and the beginning of the HMAC stand in the same places of both.
    let short = Kind.plusAddress.token().dropFirst("support+".count).prefix(51)
    #expect(link.prefix(25) == short.prefix(25) && link.prefix(51) != short)
    for last in "abcdefghijklmnopqrstuvwxyz234567" {
      #expect(Kind.plusAddress.conversation(of: "support+\(link.prefix(51))\(last)@shop.example") == nil)
    }
    let parts = Kind.messageID.token().prefix(106).split(separator: ".")
    // The conversation does not pass for the message, nor one conversation's message for another's.
    #expect(Kind.messageID.conversation(of: "\(parts[1]).\(parts[0]).\(parts[2])@shop.example") == nil)
    #expect(Kind.messageID.conversation(of: "\(parts[0]).\(parts[0]).\(parts[2])@shop.example") == nil)
  }

  @Test("A plus address keeps to 64 octets, or there is none")
  func plusAddressLimit() {
    func address(_ mailbox: String) -> String? { Self.key.plusAddress(of: Self.conversation, tenant: "acme", mailbox: mailbox) }
    let longest = address("elevenchars@shop.example")
    #expect(longest?.prefix { $0 != "@" }.utf8.count == 64)
    #expect(longest.flatMap { Kind.plusAddress.conversation(of: $0) } == Self.conversation)
    #expect(address("twelve.chars@shop.example") == nil)
    #expect(address("support") == nil && address("\"a b\"@shop.example") == nil && address("@shop.example") == nil)
    let tagged = address("Support+de@Shop.Example")
    #expect(tagged?.hasPrefix("support+de+") == true)
    #expect(tagged.flatMap { Kind.plusAddress.conversation(of: $0) } == Self.conversation)
    // 254 octets are the longest address of all.
    let domain = [63, 63, 63].map { String(repeating: "a", count: $0) }.joined(separator: ".")
    #expect(address("a@\(domain).example")?.utf8.count == 254 && address("a@\(domain).examples") == nil)
  }

  @Test("A host and a mailbox may be any, a bracket may stay")
  func surroundings() {
    let id = Kind.messageID.token()
    #expect(Kind.messageID.conversation(of: id.prefix(106) + "@other.example") == Self.conversation)
    #expect(Kind.messageID.conversation(of: String(id.prefix(106))) == nil)
    #expect(Kind.messageID.conversation(of: "<" + id) == nil)
    let address = Kind.plusAddress.token()
    #expect(Kind.plusAddress.conversation(of: "<" + address + ">") == Self.conversation)
    #expect(Kind.plusAddress.conversation(of: "x" + address) == Self.conversation)
  }

  @Test("Whatever else is said is no token, at once", arguments: Kind.allCases)
  func hostile(_ kind: Kind) {
    let long = String(repeating: "a", count: 5_000_000)
    for text in [
      "", "@", "+@", "a+@b", "..@", "...", "\0", "\u{301}", "tl1.abc.def", long, long + "@", "+" + long + "@b",
      long + "." + kind.token(),
      String(repeating: "a+", count: 200) + kind.token(), String(repeating: "ａ", count: 77),
      String(repeating: "é", count: 38) + "a",
    ] {
      #expect(kind.conversation(of: text) == nil)
    }
  }

  @Test("A key shows nothing of its secret")
  func description() {
    #expect("\(Self.key) \(String(reflecting: Self.key)) \([Self.key])".contains("secret of the samples") == false)
    #expect("\([Self.key])" == "[TokenKey]")
  }
}

/// Where a token may stand, and what it does there.
@Suite struct ContinuationTests {
  private static let conversation = ID("01a205c3-931a-7002-87e1-15aaf866b8e9")

  private func normalise(_ type: String, _ name: String, key: TokenKey? = Sample.tokenKey, tenant: String? = nil) throws
    -> NormalisedRecord
  {
    var sample = try Sample.named(type, name)
    sample.headers["ce_tenantid"] = tenant
    return Normaliser(tokenKey: key).normalise(sample.record())
  }

  @Test(
    "A message with a valid token names its conversation; the token itself is kept nowhere",
    arguments: [
      ("chat.event", "continued"), ("twilio.voice", "agent_calls_back"), ("email.rfc822", "reply_to_signed"),
      ("email.rfc822", "to_plus_address"), ("email.rfc822", "delivered_to_plus_address"),
    ])
  func valid(_ type: String, _ name: String) throws {
    let record = try normalise(type, name)
    #expect(record.messages.map(\.continuation) == [Self.conversation])
    #expect(record.messages.first?.flags == [])
    // A mail is kept whole, with the addresses it went to.
    if type != "email.rfc822" { #expect(!record.golden.contains("agralq4tdjyafb7bcwvpqzvy5g")) }
  }

  @Test(
    "The same token is worth nothing for another tenant, and to a worker without the key",
    arguments: [
      ("chat.event", "continued", ["continuation_invalid"]), ("twilio.voice", "agent_calls_back", ["continuation_invalid"]),
      ("email.rfc822", "reply_to_signed", []), ("email.rfc822", "to_plus_address", []),
      ("email.rfc822", "delivered_to_plus_address", []),
    ])
  func otherTenant(_ type: String, _ name: String, flags: [String]) throws {
    for record in [try normalise(type, name, tenant: "acme"), try normalise(type, name, key: nil)] {
      #expect(record.messages.map(\.continuation) == [nil] && record.messages.first?.flags == flags)
    }
  }

  @Test("An invalid token is flagged, and kept nowhere either")
  func invalid() throws {
    for (type, name) in [("chat.event", "continued_badly"), ("twilio.voice", "agent_calls_back_badly")] {
      let record = try normalise(type, name)
      #expect(record.messages.map(\.continuation) == [nil] && record.messages.first?.flags == ["continuation_invalid"])
      #expect(!record.golden.contains("agralq") && !record.golden.contains("tl1.abc"))
    }
  }

  @Test("The start of a chat says whether it came by a link of ours")
  func started() throws {
    func change(_ name: String, key: TokenKey? = Sample.tokenKey) throws -> Change {
      try #require(try normalise("chat.event", name, key: key).changes.first)
    }
    let named = try change("started_by_link")
    #expect(named.continuation?.description == "01a205c3-931a-7002-87e1-15aaf866b8e9")
    #expect(!named.details.string.contains("continuation") && named.details.string.contains("c_90"))
    for change in [try change("started_by_link", key: nil), try change("started")] {
      #expect(change.continuation == nil && change.details.string.contains(#""flags":["continuation_invalid"]"#))
    }
    #expect(try change("identified").continuation == nil && !change("identified").details.string.contains("continuation"))
  }

  @Test("A mail with a Message-ID of ours is our own; one that only looks so is a customer's")
  func loops() throws {
    #expect(try normalise("email.rfc822", "own_mail_back").outcomes == ["ignored loop"])
    #expect(try normalise("email.rfc822", "own_mail_back", tenant: "acme").outcomes == ["event"])
    let forged = try normalise("email.rfc822", "own_mail_forged")
    #expect(forged.messages.map(\.direction) == [.inbound] && forged.messages.map(\.continuation) == [nil])
  }

  @Test("The nearest signed id goes before older ones, and before every address")
  func nearest() throws {
    let key = Sample.tokenKey
    func id(_ number: UInt64) -> ID { ID(Bytes16(high: 7, low: number)) }
    func name(_ number: UInt64) -> String {
      "<" + key.messageID(of: id(0), in: id(number), tenant: "default", host: "shop.example") + ">"
    }
    func plus(_ number: UInt64) -> String {
      key.plusAddress(of: id(number), tenant: "default", mailbox: "support@shop.example") ?? ""
    }
    func continuation(_ headers: String, recipient: String? = nil) throws -> ID? {
      var sample = try Sample.named("email.rfc822", "plain")
      sample.payload = Array(("From: a@example.org\r\n" + headers + "\r\nHi").utf8)
      sample.headers["envelope_rcpt"] = recipient
      return try #require(Normaliser(tokenKey: key).normalise(sample.record()).messages.first).continuation
    }
    let addresses =
      "To: b@example.org, <\(plus(4))>\r\nCc: \(plus(5))\r\nX-Original-To: \(plus(6))\r\nDelivered-To: \(plus(7))\r\n"
    let references = "References: \(name(1)) <x@example.org> \(name(2)) <y@example.org>\r\n"
    #expect(try continuation("In-Reply-To: \(name(3))\r\n" + references + addresses, recipient: plus(8)) == id(3))
    #expect(try continuation("In-Reply-To: <z@example.org>\r\n" + references + addresses, recipient: plus(8)) == id(2))
    #expect(try continuation(addresses, recipient: plus(8)) == id(8))
    #expect(try continuation(addresses) == id(7))
    #expect(try continuation("Cc: \(plus(5))\r\nTo: \(plus(4))\r\n") == id(4))
    #expect(try continuation("Cc: Us <\(plus(5))>\r\n") == id(5))
    #expect(try continuation("Reply-To: \(plus(5))\r\nSubject: \(plus(4))\r\n") == nil)
  }

  @Test("A report that a mail of ours was not delivered is that mail's result; one that forges or only delays is none")
  func bounces() throws {
    let (message, conversation) = (ID(Bytes16(high: 7, low: 1)), ID(Bytes16(high: 7, low: 2)))
    func outcome(key: TokenKey = Sample.tokenKey, action: String = "failed") throws -> SendResult? {
      let id = key.messageID(of: message, in: conversation, tenant: "default", host: "shop.example")
      var sample = try Sample.named("email.rfc822", "plain")
      sample.payload = Array(
        """
        From: MAILER-DAEMON@mx.example\r
        To: support@shop.example\r
        Subject: Undelivered Mail Returned to Sender\r
        Auto-Submitted: auto-replied\r
        MIME-Version: 1.0\r
        Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r
        \r
        --b\r
        Content-Type: text/plain\r
        \r
        It could not be delivered.\r
        --b\r
        Content-Type: message/delivery-status\r
        \r
        Reporting-MTA: dns; mx.example\r
        \r
        Final-Recipient: rfc822; ana@example.org\r
        Action: \(action)\r
        Status: 5.1.1\r
        \r
        --b\r
        Content-Type: text/rfc822-headers\r
        \r
        From: support@shop.example\r
        Message-ID:\r
         <\(id)>\r
        \r
        --b--\r

        """.utf8)
      let event = try #require(Normaliser(tokenKey: Sample.tokenKey).normalise(sample.record()).events.first)
      guard case .result(let result) = event.body else { return nil }
      return result
    }
    let result = try #require(try outcome())
    #expect(result.message == message && result.status == "failed" && result.error == "5.1.1" && result.names.isEmpty)
    #expect(try outcome(action: "delayed") == nil)
    #expect(try outcome(key: TokenKey(secret: Array("somebody else's secret, also long enough".utf8))) == nil)
  }
}
