import Canonical
import Parsing

/// `email.rfc822`: one raw mail a record.
///
/// Source: `channels.md`, section 1; who the sender is and how mail is keyed: `identity-and-threading.md`.
enum EmailRFC822 {
  static func read(_ bytes: [UInt8], _ delivery: Delivery, _ elements: inout Elements) throws(Rejection) {
    let mail: MIMEMessage
    do {
      mail = try MIME.parse(bytes)
    } catch {
      switch error {
      case .tooLarge: throw Rejection(.tooLarge, "mail")
      case .tooDeep: throw Rejection(.tooDeep, "mail")
      case .unreadable: throw Rejection(.malformedPayload, "mail")
      }
    }
    elements.add { () throws(Rejection) in try element(mail, bytes, delivery) }
  }

  private static func element(
    _ mail: MIMEMessage, _ bytes: [UInt8], _ delivery: Delivery
  ) throws(Rejection) -> NormalisedElement {
    // A mail of ours that comes back by a copy or a list; it is stored since it was written.
    if let id = mail.messageID, delivery.tokenKey?.ids(ofMessageID: id, tenant: delivery.envelope.tenant) != nil {
      return .ignored(reason: "loop")
    }
    if let bounced = bounced(mail, bytes, delivery) {
      let result = SendResult(message: bounced, externalID: nil, names: [], status: "failed", error: "bounced")
      return delivery.event(key(mail, bytes, sender: nil), sentAt: mail.sentAt, .result(result))
    }
    let attested = delivery.envelope.attested
    let ownAddress = EmailAddress.normalise(delivery.account)
    var flags = mail.flags

    let sender = mail.from.first.flatMap { EmailAddress.normalise($0.address) }
    let isOwn = sender != nil && sender == ownAddress
    // DMARC speaks for one author; of several nobody knows which.
    let isAlone = mail.from.count == 1
    let isEcho = isOwn && isAlone && !attested.isDisjoint(with: [.dmarc, .signature])
    if isOwn && !isEcho { flags.append("own_address_unverified") }
    if mail.from.count > 1 { flags.append("several_senders") }
    if sender == nil { flags.append("sender_missing") }
    let repliesElsewhere = mail.replyTo.contains { EmailAddress.normalise($0.address) != sender }
    if repliesElsewhere { flags.append("reply_to_differs") }

    let customer = isEcho ? recipient(of: mail, otherThan: ownAddress) : mail.from.first
    let assurance: Assurance = isEcho || (isAlone && !isOwn && attested.contains(.dmarc)) ? .a1 : .a0
    var identifiers = StatedIdentifiers(delivery.limits)
    try identifiers.add(.email, customer?.address, assurance)

    let machine = Machine(mail)
    flags += machine.flags
    if mail.header("Date") != nil, mail.sentAt == nil { flags.append("sent_at_invalid") }

    let thread = thread(of: mail, limit: delivery.limits.references)
    let (text, isTruncated) = text(of: mail, limit: delivery.limits.textBytes)
    if isTruncated { flags.append("text_truncated") }
    var message = Message(
      direction: isEcho ? .outbound : .inbound,
      authorKind: machine.isAutomatic ? .system : isEcho ? .agent : .customer,
      customer: identifiers.list, customerName: customer?.name?.trimmed.nonEmpty,
      language: isEcho ? nil : text.flatMap(Language.detect), externalID: mail.messageID,
      names: mail.messageID.map { [.mail(messageID: $0)] } ?? [], references: thread.map { .mail(messageID: $0) },
      replyToExternalID: mail.inReplyTo.first, subject: mail.subject?.nonEmpty, text: text,
      attachments: mail.attachments.map {
        Attachment(
          kind: Attachment.kind(ofType: $0.type), name: $0.name, type: $0.type, sizeBytes: Int64($0.sizeBytes),
          providerID: $0.contentID)
      },
      original: Original(contentType: "message/rfc822", bytes: bytes), details: details(mail, delivery), flags: flags)
    message.continuation = continuation(of: mail, thread, delivery)
    return delivery.event(key(mail, bytes, sender: sender), sentAt: mail.sentAt, .message(message))
  }

  /// The message of ours that a report (RFC 3464) says was not delivered: it quotes the Message-ID that only we can have signed.
  private static func bounced(_ mail: MIMEMessage, _ bytes: [UInt8], _ delivery: Delivery) -> ID? {
    guard mail.isReport == "delivery-status", let tokens = delivery.tokenKey else { return nil }
    let text = String(decoding: bytes.prefix(256 << 10), as: UTF8.self)
    guard text.lowercased().contains("action: failed") else { return nil }
    // Headers may be folded anywhere but inside an id.
    for part in text.split(separator: "<", maxSplits: 500).dropFirst() {
      guard let id = part.split(separator: ">", maxSplits: 1).first else { continue }
      if let ids = tokens.ids(ofMessageID: String(id), tenant: delivery.envelope.tenant) { return ids.message }
    }
    return nil
  }

  /// What is kept for readers and adapters.
  private static func details(_ mail: MIMEMessage, _ delivery: Delivery) -> JSONText {
    func addresses(_ mailboxes: [Mailbox]) -> [String] { mailboxes.prefix(256).map(\.address) }
    var details = JSONObjectWriter()
    for (name, list) in [("to", mail.to), ("cc", mail.cc), ("reply_to", mail.replyTo)] where !list.isEmpty {
      details.member(name, addresses(list))
    }
    details.member("envelope_rcpt", delivery.envelope.headers["envelope_rcpt"])
    details.member("auto_submitted", mail.header("Auto-Submitted"))
    details.member("precedence", mail.header("Precedence"))
    details.member("list_id", mail.header("List-Id"))
    details.member("report", mail.isReport)
    return details.finished
  }

  private static func recipient(of mail: MIMEMessage, otherThan own: String?) -> Mailbox? {
    (mail.to + mail.cc).prefix(1_000).first {
      guard let address = EmailAddress.normalise($0.address) else { return false }
      return address != own
    }
  }

  /// The ids that the mail refers to, nearest first.
  private static func thread(of mail: MIMEMessage, limit: Int) -> [String] {
    var seen: Set<String> = mail.messageID.map { [$0] } ?? []
    var ids: [String] = []
    for id in mail.inReplyTo.prefix(limit) + mail.references.suffix(4 * limit).reversed()
    where ids.count < limit && seen.insert(id).inserted { ids.append(id) }
    return ids
  }

  /// The conversation of the nearest id that we signed, else of the first plus address that we did.
  private static func continuation(of mail: MIMEMessage, _ thread: [String], _ delivery: Delivery) -> ID? {
    guard let key = delivery.tokenKey else { return nil }
    let tenant = delivery.envelope.tenant
    for id in thread {
      if let ids = key.ids(ofMessageID: id, tenant: tenant) { return ids.conversation }
    }
    let delivered = [delivery.envelope.headers["envelope_rcpt"], mail.header("Delivered-To"), mail.header("X-Original-To")]
    for address in delivered.compactMap(\.self) + (mail.to + mail.cc).prefix(1_000).map(\.address) {
      if let conversation = key.conversation(ofAddress: address, tenant: tenant) { return conversation }
    }
    return nil
  }

  private static func text(of mail: MIMEMessage, limit: Int) -> (String?, isTruncated: Bool) {
    var whole = mail.plainText?.trimmed ?? ""
    // Before it is taken apart: a line costs a hundred times its line feed.
    var isTruncated = whole.utf8.count > limit
    whole = whole.prefix(utf8Bytes: limit)
    if whole.isEmpty, let html = mail.htmlText {
      (whole, isTruncated) = HTMLText.plainText(html, maximumOutputBytes: limit)
    }
    return (QuotedText.strip(whole, subject: mail.subject).nonEmpty, isTruncated)
  }

  /// One mail to two of our mailboxes is one message, so the account is no part of the key; with From, Date and body in it, a forged
  /// Message-ID cannot displace the real mail.
  private static func key(_ mail: MIMEMessage, _ bytes: [UInt8], sender: String?) -> MessageKey {
    let from = sender ?? mail.header("From") ?? ""
    var parts = ["email", "message-id", mail.messageID ?? "", from, mail.header("Date") ?? ""]
    if mail.messageID == nil { parts += [mail.header("To") ?? "", mail.subject ?? ""] }
    return MessageKey(Bytes16(Digest.bytes16(parts.map { Array($0.utf8) } + [body(of: bytes)])))
  }

  /// What follows the first empty line, without what transports change: carriage returns and line ends at the end.
  private static func body(of bytes: [UInt8]) -> [UInt8] {
    let lineFeed = UInt8(ascii: "\n")
    let carriageReturn = UInt8(ascii: "\r")
    var body: [UInt8] = []
    var isInBody = false
    var lineIsEmpty = true
    for byte in bytes where byte != carriageReturn {
      if isInBody {
        body.append(byte)
      } else if byte == lineFeed {
        isInBody = lineIsEmpty
        lineIsEmpty = true
      } else {
        lineIsEmpty = false
      }
    }
    while body.last == lineFeed { body.removeLast() }
    return body
  }

  /// Mail that no human wrote, or that was not written to us alone: never answered automatically.
  private struct Machine {
    var flags: [String] = []
    var isAutomatic = false

    init(_ mail: MIMEMessage) {
      let precedence = mail.header("Precedence")?.trimmed.lowercased()
      let autoSubmitted = mail.header("Auto-Submitted")?.mediaType.nonEmpty
      // RFC 3834 for the header; bounces and vacation notices have an empty return path.
      if autoSubmitted.map({ $0 != "no" }) ?? false || precedence == "auto_reply"
        || mail.header("Return-Path")?.trimmed == "<>"
      {
        flags.append("auto_submitted")
      }
      if ["bulk", "list", "junk"].contains(precedence) || mail.header("List-Id") != nil
        || mail.header("X-Auto-Response-Suppress") != nil
      {
        flags.append("bulk")
      }
      if mail.isReport != nil { flags.append("report") }
      isAutomatic = flags.contains("auto_submitted") || flags.contains("report")
    }
  }
}

extension MIMEMessage {
  /// The header `Date`, if a calendar can hold it.
  fileprivate var sentAt: Timestamp? {
    dateSeconds.map(Timestamp.init(seconds:)).flatMap { Timestamp.storable.contains($0) ? $0 : nil }
  }
}
