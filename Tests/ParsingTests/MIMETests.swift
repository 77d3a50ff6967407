import Parsing
import Testing

/// A mail of the given header lines and body, after the usual ones.
func mail(_ header: String, _ body: String) throws -> MIMEMessage { try mail(header, Array(body.utf8)) }
func mail(_ header: String, _ body: [UInt8]) throws -> MIMEMessage {
  try MIME.parse(Array("From: Ana <a@x.example>\nMIME-Version: 1.0\n\(header)\n\n".utf8) + body)
}

@Suite("Mail")
struct MIMETests {
  static let sample = #"""
    Return-Path: <ana.ruiz@example.org>
    Delivered-To: support+t9f2@shop.example
    Received: from mx.example.org (mx.example.org [192.0.2.7]) by in.shop.example; Tue, 12 May 2026 09:14:07 +0000
    Message-ID: <CAK7a1@mail.example.org>
    In-Reply-To: <conv.9f2.41@shop.example>
    References: <conv.9f2.40@shop.example> <conv.9f2.41@shop.example>
    Date: Tue, 12 May 2026 11:14:02 +0200
    From: =?UTF-8?Q?Ana_Ru=C3=ADz?= <ana.ruiz@example.org>
    To: Support <support+t9f2@shop.example>
    Subject: =?UTF-8?B?UmU6IHBlZGlkbyAjMTAwNA==?=
    MIME-Version: 1.0
    Content-Type: multipart/mixed; boundary="m1"

    --m1
    Content-Type: multipart/alternative; boundary="a1"

    --a1
    Content-Type: text/plain; charset=utf-8; format=flowed
    Content-Transfer-Encoding: quoted-printable

    Lleg=C3=B3 roto.=20

    > El lunes, Support escribi=C3=B3:
    --a1
    Content-Type: text/html; charset=utf-8

    <p>Lleg&oacute; roto.</p><img src="cid:logo1">
    --a1--
    --m1
    Content-Type: image/jpeg; name="foto.jpg"
    Content-Disposition: attachment; filename*=UTF-8''foto%20ca%C3%ADda.jpg
    Content-Transfer-Encoding: base64

    /9j/4AAQSkZJRg==
    --m1--

    """#

  @Test("a reply with two choices of text and a photo is read as a whole", arguments: ["\n", "\r\n"])
  func sampleMail(lineEnd: String) throws {
    let text = Self.sample.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: lineEnd)
    let message = try MIME.parse(Array(text.utf8))
    #expect(message.messageID == "CAK7a1@mail.example.org")
    #expect(message.inReplyTo == ["conv.9f2.41@shop.example"])
    #expect(message.references == ["conv.9f2.40@shop.example", "conv.9f2.41@shop.example"])
    #expect(message.from == [Mailbox(name: "Ana Ruíz", address: "ana.ruiz@example.org")])
    #expect(message.to == [Mailbox(name: "Support", address: "support+t9f2@shop.example")])
    #expect(message.cc.isEmpty && message.sender.isEmpty && message.replyTo.isEmpty)
    #expect(message.dateSeconds == 1_778_577_242)
    #expect(message.subject == "Re: pedido #1004")
    #expect(message.header("delivered-TO") == "support+t9f2@shop.example")
    #expect(message.header("X-None") == nil)
    #expect(message.plainText == "Llegó roto.\n\n> El lunes, Support escribió:\n")
    #expect(message.htmlText == #"<p>Lleg&oacute; roto.</p><img src="cid:logo1">"#)
    #expect(
      message.attachments == [
        MIMEAttachment(name: "foto caída.jpg", type: "image/jpeg", sizeBytes: 10, contentID: nil, isInline: false)
      ])
    #expect(message.report == nil)
    #expect(message.flags.isEmpty)
  }

  // MARK: Headers

  @Test("several authors, groups and comments are all mailboxes")
  func addresses() throws {
    let message = try MIME.parse(
      Array(
        #"""
        From: "Doe, John" <j@x.example>, Team: m@x.example, "N" <n@x.example>;, bare@x.example (By Comment)
        To: undisclosed-recipients:;

        """#.utf8))
    #expect(
      message.from == [
        Mailbox(name: "Doe, John", address: "j@x.example"), Mailbox(address: "m@x.example"),
        Mailbox(name: "N", address: "n@x.example"), Mailbox(name: "By Comment", address: "bare@x.example"),
      ])
    #expect(message.to.isEmpty)
  }

  @Test("ids are found in prose, side by side, and without brackets")
  func ids() throws {
    let message = try mail(
      "Message-ID: bare@x\nIn-Reply-To: Your mail of \"Mon, 3 Feb\" <a@x>\nReferences: <b@x><c@x>,\n\t<d@\n x> <unclosed", "")
    #expect(message.messageID == "bare@x")
    #expect(message.inReplyTo == ["a@x"])
    #expect(message.references == ["b@x", "c@x", "d@x"])
    #expect(try mail("In-Reply-To: bare@x", "").inReplyTo == ["bare@x"])
    #expect(try mail("In-Reply-To: Message from ana@x of Tuesday", "").inReplyTo.isEmpty)
  }

  @Test("of very many references the first and the last remain")
  func manyReferences() throws {
    let message = try mail("References:" + (0..<1_000).map { "\n <\($0)@x>" }.joined(), "")
    #expect(message.references.count == 256)
    #expect(message.references.first == "0@x" && message.references.last == "999@x")
    #expect(message.flags == ["references_capped"])
  }

  @Test(
    "dates are read leniently or not at all",
    arguments: [
      ("Tue, 12 May 2026 11:14:02 +0200", 1_778_577_242), ("12 May 2026 11:14:02 GMT", 1_778_584_442),
      ("Tue, 12 May 99 11:14:02 EST", 926_525_642), ("yesterday", nil), ("", nil), ("Tue, 32 May 2026 11:14:02 +0200", nil),
    ] as [(String, Int64?)])
  func dates(text: String, seconds: Int64?) throws {
    #expect(try mail("Date: \(text)", "").dateSeconds == seconds)
  }

  @Test("raw 8-bit headers are UTF-8 if they can be, else windows-1252")
  func rawHeaders() throws {
    #expect(try mail("Subject: Llegó roto", "").subject == "Llegó roto")
    let latin = try MIME.parse(Array("Subject: Lleg".utf8) + [0xF3, 0x85] + Array("\n\n".utf8))
    #expect(latin.subject == "Lleg\u{F3}…")
  }

  @Test(
    "encoded words of every kind are decoded",
    arguments: [
      ("=?utf-8?q?Caf=C3?= =?utf-8?q?=A9_hi?=", "Café hi"), ("=?ks_c_5601-1987?B?vsiz58fPvLy/5A==?=", "안녕하세요"),
      ("=?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?=", "こんにちは"),
    ])
  func encodedWords(header: String, text: String) throws {
    #expect(try mail("Subject: \(header)", "").subject == text)
  }

  @Test("a header never holds a line break or NUL, however it was encoded")
  func headerControls() throws {
    let subject = try #require(try mail("Subject: =?utf-8?q?a=0D=0ABcc:_x=00y?=", "").subject)
    #expect(!subject.contains(where: \.isNewline) && !subject.utf8.contains(0))
    let message = try MIME.parse(Array("From: v@bank.example\0@evil.example\nSubject: a\0b\n\nbody".utf8))
    #expect(message.subject == "a\u{FFFD}b")
    #expect(message.from.map(\.address) != ["v@bank.example"])
    #expect(message.flags == ["nul_replaced"])
  }

  @Test("the first of two subjects counts, as for any header")
  func repeatedHeaders() throws {
    let message = try mail("Subject: one\nSubject: two", "")
    #expect(message.subject == "one" && message.header("SUBJECT") == "one")
  }

  // MARK: Text

  @Test(
    "text is decoded from what its sender meant",
    arguments: [
      ("charset=iso-8859-1", [0x93, 0x61, 0xF3, 0x94, 0x80], "“aó”€", []),
      ("charset=us-ascii", Array("Llegó".utf8), "Llegó", []), ("x=y", [0x61, 0xF3], "aó", []),
      ("charset=\"utf8\"", Array("é".utf8), "é", []), ("charset=no-such", [0x61, 0xF3], "aó", ["charset_unknown"]),
      ("charset=\"utf-8//IGNORE\"", [0x61], "a", ["charset_unknown"]),
      ("charset=ks_c_5601-1987", [0xBE, 0xC8, 0xB3, 0xE7], "안녕", []), ("charset=gb2312", [0xC4, 0xE3], "你", []),
      ("charset=iso-2022-jp", Array("\u{1B}$B$3$s\u{1B}(B".utf8), "こん", []), ("charset=utf-7", Array("-+Jjo--".utf8), "-☺-", []),
      ("charset=windows-1251", [0xCF, 0xF0], "Пр", []), ("charset=koi8-r", [0xF0], "П", []),
      ("charset=utf-8", [0x61, 0xFF, 0xC3, 0x28], "a\u{FFFD}\u{FFFD}(", ["charset_lossy"]),
      ("charset=shift_jis", [0x82, 0xB1, 0xFF, 0x61], "こ\u{FFFD}a", ["charset_lossy"]),
      ("charset=utf-8", Array("before\0after".utf8), "before\u{FFFD}after", ["nul_replaced"]),
      ("charset=utf-8", Array("\u{FEFF}bom".utf8), "bom", []),
    ] as [(String, [UInt8], String, [String])])
  func charsets(parameter: String, bytes: [UInt8], text: String, flags: [String]) throws {
    let message = try mail("Content-Type: text/plain; \(parameter)", bytes)
    #expect(message.plainText == text)
    #expect(message.flags == flags)
  }

  @Test("broken transfer encodings give what can be read")
  func brokenEncodings() throws {
    let base64 = try mail("Content-Transfer-Encoding: base64", "SGVsb!!G8g*d29y=bGQ\n???")
    #expect(base64.plainText?.hasPrefix("Hello wor") == true)
    #expect(try mail("Content-Transfer-Encoding: quoted-printable", "a=ZZ b=\nc").plainText == "a=ZZ bc")
  }

  @Test("format=flowed is undone")
  func flowed() throws {
    let body = "a \nb\n\nc \n> d \n> e\n>> f\n >no quote\n-- \nsig \n"
    let message = try mail("Content-Type: text/plain; format=Flowed", body)
    #expect(message.plainText == "a b\n\nc\n> d e\n>> f\n>no quote\n-- \nsig\n")
    #expect(try mail("Content-Type: text/plain; format=flowed; delsp=yes", "wo \nrd \nx").plainText == "wordx\n")
  }

  @Test("a type that cannot be read is plain text", arguments: [";;;", "text", ""])
  func unreadableType(type: String) throws {
    #expect(try mail("Content-Type: \(type)", "hi").plainText == "hi")
  }

  // MARK: Structure

  @Test("text before and after a picture is one text, as Apple Mail sends it")
  func appleMail() throws {
    let message = try mail(
      "Content-Type: multipart/mixed; boundary=z",
      """
      --z

      before
      --z
      Content-Type: image/png; name="=?utf-8?q?caf=C3=A9.png?="
      Content-Disposition: inline; filename="=?utf-8?q?caf=C3=A9.png?="
      Content-Transfer-Encoding: base64

      iVBORw0KGgo=
      --z

      after
      --z--
      """)
    #expect(message.plainText == "before\nafter")
    #expect(
      message.attachments == [
        MIMEAttachment(name: "café.png", type: "image/png", sizeBytes: 8, contentID: nil, isInline: true)
      ])
  }

  @Test("a list's plain footer does not hide an HTML mail")
  func htmlWithPlainFooter() throws {
    let message = try mail(
      "Content-Type: multipart/mixed; boundary=z",
      "--z\nContent-Type: text/html\n\n<p>Hi &amp; bye</p>\n--z\n\nlist <footer>\n--z--\n")
    #expect(message.plainText == "Hi & bye\nlist <footer>")
    #expect(message.htmlText == "<p>Hi &amp; bye</p>\n<pre>list &lt;footer></pre>")
  }

  @Test("an empty plain choice counts as none")
  func emptyPlainChoice() throws {
    let message = try mail(
      "Content-Type: multipart/alternative; boundary=z", "--z\n\n \n--z\nContent-Type: text/html\n\n<b>x</b>\n--z--\n")
    #expect(message.plainText == nil)
    #expect(message.htmlText == "<b>x</b>")
  }

  @Test("a related picture is inline and has its Content-ID")
  func related() throws {
    let message = try mail(
      "Content-Type: multipart/related; boundary=z",
      "--z\nContent-Type: text/html\n\n<img src=cid:l@x>\n--z\nContent-Type: image/gif\nContent-ID: <l@x>\n\nGIF\n--z--\n")
    #expect(message.htmlText == "<img src=cid:l@x>")
    #expect(
      message.attachments == [MIMEAttachment(name: nil, type: "image/gif", sizeBytes: 3, contentID: "l@x", isInline: true)])
  }

  @Test("a forwarded mail, a calendar and named text are attachments, not text")
  func attachments() throws {
    let message = try mail(
      "Content-Type: multipart/mixed; boundary=z",
      """
      --z

      see below
      --z
      Content-Type: message/rfc822

      Subject: inner
      From: i@x.example

      inner text
      --z
      Content-Type: text/calendar; method=REQUEST

      BEGIN:VCALENDAR
      --z
      Content-Type: text/plain; name=log.txt
      Content-Disposition: inline

      log
      --z
      Content-Disposition: attachment; filename*0="a long"; filename*1=" name.txt"

      text
      --z--
      """)
    #expect(message.plainText == "see below")
    #expect(message.attachments.map(\.type) == ["message/rfc822", "text/calendar", "text/plain", "text/plain"])
    #expect(message.attachments.map(\.name) == ["inner", nil, "log.txt", "a long name.txt"])
  }

  @Test(
    "a report names the mail that it is about, whole or by its header",
    arguments: [
      "message/rfc822\n\nMessage-ID: <o@x.example>\nSubject: Hi\n\nHi",
      "text/rfc822-headers\n\nsubject: Hi\nmessage-id:\n <o@x.example>",
      "message/global-headers\n\nMessage-ID: <o@x.example>\nMessage-ID: <other@x.example>",
    ])
  func original(part: String) throws {
    let message = try mail(
      "Content-Type: multipart/report; report-type=delivery-status; boundary=z",
      "--z\n\nfailed\n--z\nContent-Type: message/delivery-status\n\nA: 1\n 2\nA: 3\n 4\n--z\nContent-Type: \(part)\n--z--\n")
    #expect(message.report?.originalID == "o@x.example" && message.report?.groups == [["a": "1 2"]])
    let inner = try mail("Content-Type: multipart/mixed; boundary=z", "--z\nContent-Type: \(part)\n--z--\n")
    #expect(inner.report == nil)
  }

  @Test("a bounce says what it reports")
  func report() throws {
    let message = try mail(
      "Content-Type: multipart/report; report-type=Delivery-Status; boundary=z",
      "--z\n\nfailed\n--z\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nStatus: 5.1.1\n--z--\n")
    #expect(message.report?.type == "delivery-status")
    #expect(message.report?.groups == [["reporting-mta": "dns; x"], ["status": "5.1.1"]] && message.report?.originalID == nil)
    #expect(message.plainText == "failed")
    #expect(message.attachments.map(\.type) == ["message/delivery-status"])
  }

  @Test("text is kept where the boundary is missing, never comes, or never ends")
  func brokenBoundaries() throws {
    let missing = try mail("Content-Type: multipart/mixed", "hello")
    #expect(missing.plainText == "hello" && missing.flags == ["boundary_missing"])
    let never = try mail("Content-Type: multipart/mixed; boundary=z", "hello")
    #expect(never.plainText == "hello" && never.flags == ["boundary_missing"])
    #expect(try mail("Content-Type: multipart/mixed; boundary=z", "--z\n\nhello").plainText == "hello")
  }
}
