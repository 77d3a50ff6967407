import Canonical
import Kafka

/// The seeded load: what providers send on behalf of 20,000 customers, few of whom write most.
///
/// 40 % chat, 20 % WhatsApp, 15 % Messenger, 10 % mail, 10 % SMS, 5 % calls; one record in a hundred is delivered twice. Customers who
/// chat and write mails are known by their visitor id, customer number and address, those who use WhatsApp, Messenger, SMS and phone by
/// their number; some visitors are anonymous and some mails unverified. In any order of arrival they are the same customers, each with
/// one live conversation.
struct Load {
  static let customers = 20_000
  /// When the first record was sent, in milliseconds; all are of the day that follows.
  static let start: Int64 = 1_778_577_242_000
  static let mailbox = "support@shop.example"
  static let business = "102290129340398"
  static let phoneNumberID = "106540352242922"
  static let page = "682498302938465"
  static let number = "+34911222333"

  /// What a customer is known by; the twentieth that they are.
  enum Kind {
    case signedIn, anonymous, unverifiedMail, number

    init(customer: Int) {
      switch customer % 20 {
      case 0..<6: self = .signedIn
      case 6..<9: self = .anonymous
      case 9: self = .unverifiedMail
      default: self = .number
      }
    }
  }

  /// Of this run: message ids are its own.
  private let tag: String
  private let total: Int
  private var random: SplitMix64
  private var count = 0
  private var sent: [Int32] = Array(repeating: 0, count: Load.customers)
  private var lastID: [Int: String] = [:]
  private var recent: [ProducerRecord] = []
  private var time = Load.start
  /// The id of the message in the last record; nil where that was delivered before.
  private(set) var newMessageID: String?

  /// - Parameter total: over how many records the day is spread.
  init(seed: UInt64, total: Int, tag: String = "b") {
    random = SplitMix64(seed: seed)
    (self.total, self.tag) = (total, tag)
  }

  /// The next record; its partition is left to the key.
  mutating func next() -> ProducerRecord {
    count += 1
    time = Self.start + Int64(Double(count) / Double(total) * 86_400_000)
    if count > 1_000, Int.random(in: 0..<100, using: &random) == 0 {
      newMessageID = nil
      // Providers deliver again what they think is lost: another delivery of the same.
      var record = recent[Int.random(in: 0..<recent.count, using: &random)]
      if let id = record.headers.firstIndex(where: { $0.name == "ce_id" }) {
        record.headers[id] = KafkaHeader("ce_id", Array("d\(tag)\(count)".utf8))
      }
      return record
    }
    let record: ProducerRecord
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<40: record = chat(customer(0..<9))
    case 40..<60: record = whatsapp(customer(10..<20))
    case 60..<75: record = messenger(customer(10..<20))
    case 75..<85:
      // Anonymous visitors write no mails; one mail in ten is unverified.
      let customer = customer(0..<10)
      record = mail(Kind(customer: customer) == .anonymous ? customer - 6 : customer)
    case 85..<95: record = sms(customer(10..<20))
    default: record = call(customer(10..<20))
    }
    if recent.count < 2_000 { recent.append(record) } else { recent[count % 2_000] = record }
    return record
  }

  /// Somebody of these kinds: the tenth who write most write nearly half.
  private mutating func customer(_ kinds: Range<Int>) -> Int {
    let uniform = Double.random(in: 0..<1, using: &random)
    let block = Int(uniform * uniform * uniform * Double(Self.customers / 20))
    return block * 20 + Int.random(in: kinds, using: &random)
  }

  static func email(_ customer: Int) -> String { "person\(customer)@mail.example" }
  static func phone(_ customer: Int) -> String { "346\(String(100_000_000 + customer).dropFirst())" }
  static func messengerID(_ customer: Int) -> String { "7488\(1_000_000 + customer)" }
  static func whatsAppID(_ customer: Int) -> String { "ES.13491\(1_000_000 + customer)" }
  private static func name(_ customer: Int) -> String {
    let first = ["Ana", "Ben", "Chloé", "Dávid", "Elif", "Farid", "Greta", "Hugo", "Inés", "Jürgen"]
    let last = ["Ruiz", "Novak", "Laurent", "Schmidt", "Okafor", "Rossi", "Silva", "Jansen"]
    return first[customer % 10] + " " + last[customer / 10 % 8] + " \(customer)"
  }

  private mutating func messageID(_ prefix: String, _ customer: Int) -> String {
    sent[customer] += 1
    let id = "\(prefix)\(tag)-\(customer)-\(sent[customer])"
    newMessageID = id
    return id
  }

  /// One to four sentences in the customer's language.
  private mutating func text(_ customer: Int) -> String {
    let sentences = Self.sentences[customer % Self.sentences.count]
    return (0..<Int.random(in: 1...4, using: &random))
      .map { _ in sentences[Int.random(in: 0..<sentences.count, using: &random)] }
      .joined(separator: " ") + " \(Int.random(in: 1_000...99_999, using: &random))"
  }

  private func record(
    _ channel: String, _ type: String, account: String, attested: String, contentType: String = "application/json", key: String,
    _ value: [UInt8]
  ) -> ProducerRecord {
    let headers: KeyValuePairs = [
      "ce_specversion": "1.0", "ce_id": "d\(tag)\(count)", "ce_type": type, "ce_source": "/channels/\(channel)/\(account)",
      "ce_time": Timestamp(milliseconds: time + 500).iso8601, "ce_attested": attested, "content-type": contentType,
    ]
    return ProducerRecord(
      topic: "channel." + channel, key: Array(key.utf8), value: value,
      headers: headers.map { KafkaHeader($0.key, Array($0.value.utf8)) })
  }

  // MARK: - Payloads, in the providers' shapes

  private mutating func chat(_ customer: Int) -> ProducerRecord {
    let id = messageID("c", customer)
    let isSignedIn = Kind(customer: customer) == .signedIn
    let visitor = object {
      $0.member("id", "v_\(customer)")
      $0.member("verified", isSignedIn)
      $0.member("name", Self.name(customer))
      if isSignedIn {
        $0.member("external_id", "C-\(customer)")
        $0.member("email", Self.email(customer))
      }
      $0.member("locale", ["es-ES", "en-GB", "de-DE", "fr-FR"][customer % 4])
      $0.member("tz", "Europe/Madrid")
    }
    let text = text(customer)
    let event = object { event in
      event.member("event", "message.created")
      event.member("event_id", "e" + id)
      event.member("widget_id", "w_shop")
      event.member("conversation_id", "s_\(customer)")
      event.member("seq", Int64(sent[customer]))
      event.member("visitor", visitor)
      event.member("sent_at", time)
      event.member(
        "message",
        object {
          $0.member("id", id)
          $0.member("type", "text")
          $0.member("text", text)
        })
      event.member(
        "page",
        object {
          $0.member("url", "https://shop.example/orders/\(customer)")
          $0.member("referrer", "https://www.google.com/")
        })
      if isSignedIn { event.member("identity_token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJDLSJ9.c2lnbmF0dXJl") }
    }
    return record("chat", "chat.event", account: "w_shop", attested: isSignedIn ? "token" : "", key: "v_\(customer)", event.utf8)
  }

  private mutating func whatsapp(_ customer: Int) -> ProducerRecord {
    let replyTo = lastID[2 * customer]
    let id = messageID("wamid.HBgLMzQ2MDA", customer)
    lastID[2 * customer] = id
    let isReply = Int.random(in: 0..<5, using: &random) == 0
    let (isPicture, text) = (Int.random(in: 0..<10, using: &random) == 0, text(customer))
    let message = object { message in
      if isReply, let replyTo {
        message.member(
          "context",
          object {
            $0.member("from", "34911222333")
            $0.member("id", replyTo)
          })
      }
      message.member("from", Self.phone(customer))
      message.member("from_user_id", Self.whatsAppID(customer))
      message.member("id", id)
      message.member("timestamp", "\(time / 1_000)")
      message.member("type", isPicture ? "image" : "text")
      if isPicture {
        message.member(
          "image",
          object {
            $0.member("caption", text)
            $0.member("mime_type", "image/jpeg")
            $0.member("sha256", "29ed500fa64eb55fc19dc4124acb300e5dcca0f822a301ae99944db3b0a1b2c3")
            $0.member("id", "10\(customer)7\(sent[customer])")
          })
      } else {
        message.member("text", object { $0.member("body", text) })
      }
    }
    let value = object { value in
      value.member("messaging_product", "whatsapp")
      value.member(
        "metadata",
        object {
          $0.member("display_phone_number", "34911222333")
          $0.member("phone_number_id", Self.phoneNumberID)
        })
      let contact = object { contact in
        contact.member("profile", object { $0.member("name", Self.name(customer)) })
        contact.member("wa_id", Self.phone(customer))
        contact.member("user_id", Self.whatsAppID(customer))
      }
      value.member("contacts", list(contact))
      value.member("messages", list(message))
    }
    let change = object {
      $0.member("value", value)
      $0.member("field", "messages")
    }
    let entry = object {
      $0.member("id", Self.business)
      $0.member("changes", list(change))
    }
    let body = object {
      $0.member("object", "whatsapp_business_account")
      $0.member("entry", list(entry))
    }
    return record(
      "whatsapp", "whatsapp.cloud", account: Self.phoneNumberID, attested: "signature", key: Self.phone(customer), body.utf8)
  }

  /// The first message shares the number by Messenger's own quick reply.
  private mutating func messenger(_ customer: Int) -> ProducerRecord {
    let replyTo = lastID[2 * customer + 1]
    let id = messageID("m_AbCdEfGhIjKlMnOpQrStUvWxYz", customer)
    lastID[2 * customer + 1] = id
    let isReply = Int.random(in: 0..<5, using: &random) == 0
    let text = replyTo == nil ? "+" + Self.phone(customer) : text(customer)
    let message = object { message in
      message.member("mid", id)
      message.member("text", text)
      if replyTo == nil { message.member("quick_reply", object { $0.member("payload", text) }) }
      if isReply, let replyTo { message.member("reply_to", object { $0.member("mid", replyTo) }) }
    }
    let item = object { item in
      item.member("sender", object { $0.member("id", Self.messengerID(customer)) })
      item.member("recipient", object { $0.member("id", Self.page) })
      item.member("timestamp", time)
      item.member("message", message)
    }
    let entry = object {
      $0.member("id", Self.page)
      $0.member("time", time + 240)
      $0.member("messaging", list(item))
    }
    let body = object {
      $0.member("object", "page")
      $0.member("entry", list(entry))
    }
    return record(
      "messenger", "meta.messenger", account: Self.page, attested: "signature", key: Self.messengerID(customer), body.utf8)
  }

  private mutating func sms(_ customer: Int) -> ProducerRecord {
    let id = messageID("SM5ef8732a3c49700934481addd5ce", customer)
    return twilio(
      "sms", customer,
      [
        ("ToCountry", "ES"), ("SmsMessageSid", id), ("NumMedia", "0"), ("SmsSid", id), ("FromCountry", "ES"),
        ("SmsStatus", "received"), ("Body", text(customer)), ("To", Self.number), ("NumSegments", "1"), ("MessageSid", id),
        ("AccountSid", "AC5ef8732a3c49700934481addd5ce1659"), ("From", "+" + Self.phone(customer)), ("ApiVersion", "2010-04-01"),
      ])
  }

  private mutating func call(_ customer: Int) -> ProducerRecord {
    let id = messageID("CA5ef8732a3c49700934481addd5ce", customer)
    let seconds = Int.random(in: 20...900, using: &random)
    let from = "+" + Self.phone(customer)
    return twilio(
      "voice", customer,
      [
        ("Called", Self.number), ("Direction", "inbound"), ("Timestamp", Self.date(time)),
        ("CallbackSource", "call-progress-events"), ("SequenceNumber", "3"), ("To", Self.number), ("CallSid", id),
        ("ApiVersion", "2010-04-01"), ("CallStatus", "completed"), ("Duration", "\(seconds / 60 + 1)"), ("From", from),
        ("CallDuration", "\(seconds)"), ("AccountSid", "AC5ef8732a3c49700934481addd5ce1659"), ("Caller", from),
        ("StirVerstat", "TN-Validation-Passed-A"),
      ])
  }

  private func twilio(_ channel: String, _ customer: Int, _ parameters: [(String, String)]) -> ProducerRecord {
    var body: [UInt8] = []
    for (name, value) in parameters {
      if !body.isEmpty { body.append(UInt8(ascii: "&")) }
      body += Array(name.utf8) + [UInt8(ascii: "=")]
      for byte in value.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
          UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
          body.append(byte)
        case UInt8(ascii: " "): body.append(UInt8(ascii: "+"))
        default:
          let digits = String(byte, radix: 16, uppercase: true)
          body += Array(("%" + (digits.count == 1 ? "0" : "") + digits).utf8)
        }
      }
    }
    return record(
      channel, "twilio." + channel, account: Self.number, attested: "signature",
      contentType: "application/x-www-form-urlencoded", key: "+" + Self.phone(customer), body)
  }

  private mutating func mail(_ customer: Int) -> ProducerRecord {
    let previous = lastID[2 * customer]
    let id = messageID("CAK7a1b2c3", customer) + "@mail.example"
    newMessageID = id
    lastID[2 * customer] = id
    let text = text(customer)
    let history =
      previous == nil
      ? ""
      : "\r\n\r\nOn Mon, 11 May 2026, Support <\(Self.mailbox)> wrote:\r\n> We have looked at it and will answer soon.\r\n> Your team at the shop"
    let plain = "Hello,\r\n\r\n\(text)\r\n\r\n-- \r\n\(Self.name(customer))\r\nSent from my telephone\(history)\r\n"
    let html = """
      <html><head><style>p { margin: 0 0 8px; font-family: sans-serif }</style></head><body><p>Hello,</p><p>\(text)</p>\
      <div class="signature">-- <br>\(Self.name(customer))<br>Sent from my telephone</div>\
      \(previous == nil ? "" : "<blockquote><p>We have looked at it and will answer soon.</p></blockquote>")</body></html>\r\n
      """
    let reference = previous.map { "In-Reply-To: <\($0)>\r\nReferences: <\($0)>\r\n" } ?? ""
    let head = """
      Return-Path: <\(Self.email(customer))>\r
      Received: from mx.mail.example (mx.mail.example [192.0.2.7]) by in.shop.example with ESMTPS; \(Self.date(time))\r
      DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=mail.example; s=s1; h=from:to:subject:date:message-id;\r
       bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=dGhpcyBpcyBhIHNpZ25hdHVyZSB0aGF0IG5vYm9keSBjaGVja3M=\r
      Message-ID: <\(id)>\r
      \(reference)Date: \(Self.date(time))\r
      From: =?utf-8?q?\(Self.encodedWord(Self.name(customer)))?= <\(Self.email(customer))>\r
      To: Support <\(Self.mailbox)>\r
      Subject: \(previous == nil ? "" : "Re: ")Order \(customer)\r
      MIME-Version: 1.0\r\n
      """
    func part(_ type: String, _ text: String) -> String {
      "Content-Type: \(type); charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + Self.quotedPrintable(text)
    }
    let alternative =
      "--alt\r\n" + part("text/plain", plain) + "--alt\r\n" + part("text/html", html) + "--alt--\r\n"
    let body: String
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<2: body = part("text/plain", plain)
    case 2..<8: body = "Content-Type: multipart/alternative; boundary=\"alt\"\r\n\r\n" + alternative
    default:
      let line = String(repeating: "JVBERi0xLjcKJeLjz9MKNSAwIG9iago8PC9GaWx0ZXIv", count: 2).prefix(76) + "\r\n"
      let attachment = String(repeating: String(line), count: 40)
      body = """
        Content-Type: multipart/mixed; boundary="mix"\r
        \r
        --mix\r
        Content-Type: multipart/alternative; boundary="alt"\r
        \r
        \(alternative)--mix\r
        Content-Type: application/pdf; name="invoice.pdf"\r
        Content-Disposition: attachment; filename="invoice.pdf"\r
        Content-Transfer-Encoding: base64\r
        \r
        \(attachment)--mix--\r\n
        """
    }
    let isVerified = Kind(customer: customer) == .signedIn
    return record(
      "email", "email.rfc822", account: Self.mailbox, attested: isVerified ? "dmarc" : "", contentType: "message/rfc822",
      key: Self.email(customer), Array((head + body).utf8))
  }

  private static func quotedPrintable(_ text: String) -> String {
    var out: [UInt8] = []
    var column = 0
    for byte in text.utf8 {
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
        out.append(byte)
        column = 0
        continue
      }
      if column >= 72 {
        out += Array("=\r\n".utf8)
        column = 0
      }
      if byte >= 0x80 || byte == UInt8(ascii: "=") {
        out += Array(("=" + String(byte, radix: 16, uppercase: true).padded(2)).utf8)
        column += 3
      } else {
        out.append(byte)
        column += 1
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// RFC 2047, the text between the question marks.
  private static func encodedWord(_ text: String) -> String {
    text.utf8.map { byte in
      byte == UInt8(ascii: " ") ? "_" : byte < 0x80 ? String(UnicodeScalar(byte)) : "=" + String(byte, radix: 16, uppercase: true)
    }.joined()
  }

  /// RFC 5322, in UTC.
  private static func date(_ milliseconds: Int64) -> String {
    let iso = Timestamp(milliseconds: milliseconds).iso8601
    return "\(iso.dropFirst(8).prefix(2)) May \(iso.prefix(4)) \(iso.dropFirst(11).prefix(8)) +0000"
  }

  private static let sentences = [
    [
      "¿Dónde está mi pedido?", "Lo espero desde el lunes y nadie me contesta.", "El paquete llegó roto y falta una pieza.",
      "Quisiera devolver los zapatos, me quedan pequeños.", "Por favor, díganme cuándo llega.",
    ],
    [
      "Where is my order?", "I have been waiting since Monday and nobody answers me.",
      "The parcel arrived broken, one part is missing.",
      "I would like to return the shoes, they are too small.", "Please tell me when it will arrive.",
    ],
    [
      "Wo ist meine Bestellung?", "Ich warte seit Montag und niemand antwortet mir.",
      "Das Paket kam beschädigt an, ein Teil fehlt.",
      "Ich möchte die Schuhe zurückgeben, sie sind zu klein.", "Bitte sagen Sie mir, wann es ankommt.",
    ],
    [
      "Où est ma commande ?", "J'attends depuis lundi et personne ne me répond.",
      "Le colis est arrivé cassé, il manque une pièce.",
      "Je voudrais rendre les chaussures, elles sont trop petites.", "Dites-moi quand il arrivera, s'il vous plaît.",
    ],
  ]
}

private func object(_ members: (inout JSONObjectWriter) -> Void) -> JSONText {
  var writer = JSONObjectWriter()
  members(&writer)
  return writer.finish()
}

private func list(_ item: JSONText) -> JSONText { JSONText(utf8: [UInt8(ascii: "[")] + item.utf8 + [UInt8(ascii: "]")]) }

extension String {
  fileprivate func padded(_ count: Int) -> String { String(repeating: "0", count: max(0, count - self.count)) + self }
}
