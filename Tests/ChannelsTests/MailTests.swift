import Canonical
import Foundation
import Testing

@testable import Channels

@Suite struct MailTests {
  private func normalise(
    _ mail: String, account: String = "support%40shop.example", policy: MailPolicy = MailPolicy(),
    attested: String = "dmarc"
  ) -> NormalisedRecord {
    let sample = Sample(
      type: "email.rfc822", name: "mail", payload: Array(mail.utf8),
      headers: ["ce_id": "1", "ce_type": "email.rfc822", "ce_source": "/channels/email/" + account, "ce_attested": attested],
      golden: Sample.folder)
    return Normaliser(mail: policy).normalise(sample.record())
  }

  private func mail(id: String? = "<1@example.org>", from: String = "a@example.org", body: String = "Hi", date: String = "")
    -> String
  {
    "From: \(from)\r\nTo: support@shop.example\r\n" + (id.map { "Message-ID: \($0)\r\n" } ?? "") + date + "\r\n" + body
  }

  @Test("One mail to two of our mailboxes is one message, whatever its transports did to it")
  func oneMailTwoAccounts() {
    let first = normalise(mail())
    let second = normalise("Delivered-To: sales@shop.example\r\n" + mail(body: "Hi\r\n"), account: "sales@shop.example")
    let unixLines = normalise(mail().replacing("\r\n", with: "\n"))
    #expect(first.events.first?.key == second.events.first?.key)
    #expect(first.events.first?.key == unixLines.events.first?.key)
    #expect(first.messages.first?.names == second.messages.first?.names)
  }

  @Test("A copied Message-ID does not make another mail the same")
  func forgedMessageID() {
    let real = normalise(mail())
    for forged in [mail(body: "Ho"), mail(from: "m@evil.example"), mail(date: "Date: Tue, 12 May 2026 11:14:02 +0200\r\n")] {
      let forged = normalise(forged)
      #expect(forged.events.first?.key != real.events.first?.key)
      #expect(forged.messages.first?.names == real.messages.first?.names)
    }
  }

  @Test("Mail without Message-ID is known by what it says")
  func noMessageID() {
    #expect(normalise(mail(id: nil)).events.first?.key == normalise(mail(id: nil)).events.first?.key)
    #expect(normalise(mail(id: nil)).events.first?.key != normalise(mail(id: nil, body: "Ho")).events.first?.key)
    #expect(normalise(mail(id: nil)).messages.first?.names.isEmpty == true)
  }

  @Test("References: In-Reply-To, then the newest first, none twice, at most fifty")
  func references() {
    let ids = (1...60).map { "<p\($0)@example.org>" }.joined(separator: " ")
    let mail =
      "From: a@example.org\r\nMessage-ID: <1@example.org>\r\nIn-Reply-To: <p60@example.org>\r\nReferences: \(ids)\r\n\r\nHi"
    let expected = (11...60).reversed().map { ReferenceKey.mail(messageID: "p\($0)@example.org") }
    #expect(normalise(mail).messages.first?.references == expected)
  }

  @Test("Who wrote by a contact form is in Reply-To, as their own word, whatever machine the form says it is")
  func relayed() throws {
    var policy = MailPolicy()
    for relay in ["@forms.example", "wordpress@shop.example", "rival:@elsewhere.example"] { policy.formRelays.insert(relay) }
    func message(from: String, _ headers: String = "Reply-To: Ann <Ann@example.org>\r\n") throws -> Message {
      let mail = "From: Shop <\(from)>\r\nTo: support@shop.example\r\nAuto-Submitted: auto-generated\r\n\(headers)\r\nHi"
      return try #require(normalise(mail, policy: policy).messages.first)
    }
    for relay in ["noreply@forms.example", "Wordpress@Shop.example"] {
      let message = try message(from: relay)
      #expect(message.customer == [StatedIdentifier(Identifier(.email, "ann@example.org"), .a0)])
      #expect(message.authorKind == .customer && message.customerName == "Ann" && message.flags == ["relayed", "auto_submitted"])
    }
    // Without a Reply-To that is somebody else's, nobody knows who writes; and of others Reply-To decides nothing.
    for headers in ["", "Reply-To: support@shop.example\r\n", "Reply-To: support+a1@shop.example\r\nCc: bob@example.org\r\n"] {
      let nobody = try message(from: "wordpress@shop.example", headers)
      #expect(nobody.customer == [] && nobody.direction == .inbound && nobody.authorKind == .system)
    }
    for other in ["forms@example.com", "x@elsewhere.example"] {
      let message = try message(from: other)
      #expect(message.customer.map(\.identifier.value) == [other] && message.flags.contains("reply_to_differs"))
    }
  }

  @Test("Mail of our people to a customer is ours; what one of us writes to us alone asks for somebody")
  func ownPeople() throws {
    var policy = MailPolicy()
    policy.ownMailboxes.insert("@shop.example")
    func message(to: String, from: String = "ana@shop.example", attested: String = "dmarc") throws -> Message {
      let mail = "From: \(from)\r\nTo: \(to)\r\nCc: support@shop.example\r\n\r\nHi"
      return try #require(normalise(mail, policy: policy, attested: attested).messages.first)
    }
    let answer = try message(to: "bob@shop.example, Ann <ann@example.org>")
    #expect(answer.direction == .outbound && answer.authorKind == .agent && answer.flags == [])
    #expect(answer.customer == [StatedIdentifier(Identifier(.email, "ann@example.org"), .a1)])
    #expect(try message(to: "ann@example.org", attested: "signature").direction == .inbound, "of From the domain has to speak")
    let between = try message(to: "bob@shop.example", from: "support@shop.example")
    #expect(between.direction == .outbound && between.customer.map(\.identifier.value) == ["bob@shop.example"])
    #expect(try message(to: "support+a1b2@shop.example").direction == .inbound, "an answer to us, whatever its address leads to")
    let forwarded = try message(to: "bob@shop.example")
    #expect(forwarded.direction == .inbound && forwarded.authorKind == .customer && forwarded.flags == ["own_address"])
    #expect(forwarded.customer == [StatedIdentifier(Identifier(.email, "ana@shop.example"), .a0)])
    #expect(try message(to: "ann@example.org", from: "ana@other.example").direction == .inbound)
  }

  @Test(
    "What a group put its own address on is its author's, as a claim", arguments: ["Ann <Ann@example.org>", "ann@example.org"])
  func group(original: String) throws {
    func message(_ headers: String, from: String = "'Ann' via Support <support@shop.example>") throws -> Message {
      try #require(normalise("From: \(from)\r\nReply-To: ann@example.org\r\n\(headers)\r\nHi").messages.first)
    }
    for header in ["X-Original-From", "X-Original-Sender"] {
      let message = try message("\(header): \(original)\r\n")
      #expect(message.customer == [StatedIdentifier(Identifier(.email, "ann@example.org"), .a0)])
      #expect(message.direction == .inbound && message.customerName == "Ann" && message.flags == ["sender_rewritten"])
    }
    // Every mail of a group states its sender; only where another address stands in its place is it the author.
    let sender = try message("X-Original-Sender: bounces@example.org\r\n", from: "Ann <ann@example.org>")
    #expect(sender.customer == [StatedIdentifier(Identifier(.email, "ann@example.org"), .a1)] && sender.flags == [])
    let same = try message("X-Original-From: \(original)\r\n", from: "Ann <ann@example.org>")
    #expect(same.customer == sender.customer && same.flags == [])
    let nonsense = try message("X-Original-From: <\r\n", from: "Ann <ann@example.org>")
    #expect(nonsense.customer == sender.customer)
  }

  @Test("What Outlook has wrapped up are the files inside, and one attachment where nobody can read them")
  func tnef() throws {
    let files = try #require(try Sample.normalise("email.rfc822", "winmail_files").messages.first)
    #expect(files.flags == ["tnef"])
    #expect(files.attachments.map(\.name) == ["foto caída.jpg", "reclamación.pdf", "Forwarded mail"])
    #expect(files.attachments.map(\.sizeBytes) == [516, 9, 56] && files.attachments.first?.type == "image/jpeg")
    let wrapped = "From: a@example.org\r\nContent-Type: application/ms-tnef; name=winmail.dat\r\n\r\nx"
    let message = normalise(wrapped).messages.first
    #expect(message?.flags == ["tnef"] && message?.attachments.map(\.name) == ["winmail.dat"])
  }

  @Test("A wrapping that is cut, or lies about its lengths, costs its files and nothing else")
  func hostileTNEF() throws {
    let mail = String(decoding: try Sample.named("email.rfc822", "winmail_files").payload, as: UTF8.self)
    let parts = mail.split(separator: "\n\n")
    let whole = try #require(parts.last.map { $0.replacing("--b1--", with: "").filter { !$0.isNewline } }?.base64Decoded)
    func names(_ bytes: [UInt8]) -> [String?]? {
      let text = "From: a@example.org\nContent-Type: application/ms-tnef\nContent-Transfer-Encoding: base64\n\n"
      return normalise(text + Data(bytes).base64EncodedString()).messages.first.map { $0.attachments.map(\.name) }
    }
    #expect(names(whole)?.count == 3)
    for end in whole.indices { #expect(names(Array(whole[..<end]))?.isEmpty == false) }
    for index in whole.indices {
      for byte in [UInt8(0), 0x7F, 0xFF] {
        var lying = whole
        lying[index] = byte
        #expect(names(lying) != nil)
      }
    }
  }

  @Test("A mail that is but a reaction is one, if it says to what")
  func reactions() throws {
    for (name, emoji) in [("reaction_gmail", "👍"), ("reaction_of_the_standard", "❤")] {
      let change = try #require(try Sample.normalise("email.rfc822", name).changes.first)
      #expect(change.kind == "reaction" && change.status == "add" && change.reaction == emoji)
      #expect(change.target == .mail(messageID: "conv.9f2.41@shop.example") && change.authorKind == .customer)
    }
    // Beside something else it is a part of that, also in an answer.
    for answers in ["", "In-Reply-To: <conv.9f2.41@shop.example>\n"] {
      let mail = try Sample.normalise(
        "email.rfc822", "reaction_to_nothing", replacing: "MIME-Version", with: answers + "MIME-Version")
      #expect(mail.messages.map(\.text) == ["Thank you\n❤"])
    }
  }

  @Test("Zero bytes hidden in a mail are replaced, not refused")
  func zeros() {
    let hidden = [
      "Subject: =?utf-8?q?a=00b?=\r\n\r\nHi", "Subject: a\0b\r\n\r\nHi", "\r\na\0b",
      "Content-Type: text/html; charset=utf-8\r\n\r\n<p>a&#0;b\0</p>",
      "Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\nYQAAAGIA",
      "Reply-To: \"a\0\" <r@example.org>\r\nList-Id: =?utf-8?b?AA==?=\r\n\r\nHi",
      "Content-Type: application/pdf; name*=utf-8''a%00b.pdf\r\nContent-ID: <a\0b>\r\n\r\nHi",
      "Message-ID: <a\0b@example.org>\r\nReferences: <\0@example.org>\r\n\r\nHi",
    ]
    for rest in hidden {
      #expect(normalise("From: =?utf-8?q?A=00?= <a@example.org>\r\n" + rest).outcomes == ["event"], "\(rest)")
    }
  }

  @Test("A text above the limit is cut at a character and flagged, the whole is kept")
  func longText() throws {
    var limits = Limits()
    limits.textBytes = 10
    let sample = try Sample.named("chat.event", "created")
    let message = try #require(Normaliser(limits: limits).normalise(sample.record()).messages.first)
    #expect(message.text == "¿Dónde e" && message.flags == ["text_truncated"])
    #expect(message.original?.bytes == Array("¿Dónde está mi pedido?".utf8))
    // A family is one character of 25 bytes; half of one is not shown.
    #expect("ab👨‍👩‍👧‍👦".prefix(utf8Bytes: 20) == "ab")
    #expect(String(repeating: "a\u{301}", count: 4).prefix(utf8Bytes: 4) == "a\u{301}")
    let pile = "a" + String(repeating: "\u{301}", count: 200)
    #expect(pile.prefix(utf8Bytes: 100).utf8.count == 99)
  }

  @Test("Limits on elements, bodies and headers give one dead letter each")
  func limits() throws {
    var limits = Limits()
    limits.elements = 2
    let sample = try Sample.named("whatsapp.cloud", "media")
    #expect(Normaliser(limits: limits).normalise(sample.record()).outcomes == ["event", "event", "too_large"])
    limits = Limits()
    limits.bodyBytes = 100
    #expect(Normaliser(limits: limits).normalise(sample.record()).outcomes == ["too_large"])
    limits = Limits()
    limits.headers = 2
    #expect(Normaliser(limits: limits).normalise(sample.record()).outcomes == ["too_large"])
    limits = Limits()
    limits.headerBytes = 20
    #expect(Normaliser(limits: limits).normalise(sample.record()).outcomes == ["too_large"])
    limits = Limits()
    limits.identifiers = 2
    #expect(Normaliser(limits: limits).normalise(try Sample.named("contact.upsert", "full").record()).outcomes == ["too_large"])
  }
}
