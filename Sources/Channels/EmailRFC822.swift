import Canonical
import Parsing

/// `email.rfc822`: one raw mail a record.
///
/// Source: `channels.md`, section 1; who the sender is and how mail is keyed: `identity-and-threading.md`. Reports of what became of
/// a mail are changes of that mail; those that nobody vouches for, and those that say nothing final, are messages of a machine.
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
    if let report = mail.report, let body = try reported(report, mail, delivery) {
      return delivery.event(key(mail, bytes, sender: nil), sentAt: mail.sentAt, body)
    }
    let attested = delivery.envelope.attested
    let ownAddress = EmailAddress.normalise(delivery.account)
    var flags = mail.flags

    let tenant = delivery.envelope.tenant
    let sender = mail.from.first.flatMap { EmailAddress.normalise($0.address) }
    func isOurs(_ address: String) -> Bool {
      [address, address.withoutTag].contains { $0 == ownAddress || delivery.mail.ownMailboxes.contains($0, of: tenant) }
    }
    func first(of mailboxes: [Mailbox], where isEligible: (String) -> Bool) -> Mailbox? {
      mailboxes.prefix(1_000).first { EmailAddress.normalise($0.address).map(isEligible) ?? false }
    }
    let isRelay = sender.map { delivery.mail.formRelays.contains($0, of: tenant) } ?? false
    let relayed = isRelay ? first(of: mail.replyTo) { !isOurs($0) } : nil
    // DMARC speaks for one author; of several nobody knows which.
    let isAlone = mail.from.count == 1
    let original = relayed ?? original(of: mail)
    let isOwn = original == nil && !isRelay && sender.map(isOurs) ?? false
    let recipients = mail.to + mail.cc
    let stranger = first(of: recipients) { !isOurs($0) }
    // What one of us writes to us alone asks for somebody, as what a customer writes.
    let isAmongUs = isOwn && sender != ownAddress && stranger == nil
    // Its receiver knows the mailbox's own mail; of the others the domain has to say so.
    let isProven = isOwn && isAlone && (attested.contains(.dmarc) || sender == ownAddress && attested.contains(.signature))
    let isEcho = isProven && !isAmongUs
    if isRelay {
      flags.append("relayed")
    } else if original != nil {
      flags.append("sender_rewritten")
    } else if isOwn && !isEcho {
      flags.append(isProven ? "own_address" : "own_address_unverified")
    }
    if mail.from.count > 1 { flags.append("several_senders") }
    if sender == nil { flags.append("sender_missing") }
    let author = original.flatMap { EmailAddress.normalise($0.address) } ?? sender
    let repliesElsewhere = relayed == nil && mail.replyTo.contains { EmailAddress.normalise($0.address) != author }
    if repliesElsewhere { flags.append("reply_to_differs") }

    let customer =
      isEcho ? stranger ?? first(of: recipients) { $0.withoutTag != ownAddress } : original ?? (isRelay ? nil : mail.from.first)
    let isAligned = isAlone && !isOwn && !isRelay && original == nil && attested.contains(.dmarc)
    let assurance: Assurance = isEcho || isAligned ? .a1 : .a0
    var identifiers = StatedIdentifiers(delivery.limits)
    try identifiers.add(.email, customer?.address, assurance)

    if let target = mail.inReplyTo.first, let emoji = reaction(in: mail, delivery) {
      var change = Change(
        kind: "reaction", target: .mail(messageID: target), targetExternalID: target, customer: isEcho ? [] : identifiers.list,
        status: "add", reaction: emoji, details: details(mail, delivery))
      change.authorKind = isEcho ? .agent : .customer
      return delivery.event(key(mail, bytes, sender: sender), sentAt: mail.sentAt, .change(change))
    }

    let machine = Machine(mail)
    flags += machine.flags
    if mail.header("Date") != nil, mail.sentAt == nil { flags.append("sent_at_invalid") }

    let thread = thread(of: mail, limit: delivery.limits.references)
    let (text, isTruncated) = text(of: mail, limit: delivery.limits.textBytes)
    if isTruncated { flags.append("text_truncated") }
    var message = Message(
      direction: isEcho ? .outbound : .inbound,
      // A form says of itself that it is a machine.
      authorKind: machine.isAutomatic && relayed == nil ? .system : isEcho ? .agent : .customer,
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

  /// What a report says of a mail of ours; nil where it has to be a message.
  private static func reported(
    _ report: MIMEReport, _ mail: MIMEMessage, _ delivery: Delivery
  ) throws(Rejection) -> Event.Body? {
    let attested = delivery.envelope.attested
    switch report.type {
    case "delivery-status":
      // Of a mail to several, the failure is what somebody has to hear of.
      guard let id = report.originalID,
        let status = (["failed", "delivered"] as [String]).first(where: { word in report.groups.contains { $0.action == word } }),
        let group = report.groups.first(where: { $0.action == status })
      else { return nil }
      let reason = [group["status"], group["diagnostic-code"]].compactMap(\.self).joined(separator: " ")
      let error = status == "failed" ? reason.nonEmpty ?? "bounced" : nil
      // An id that we signed is known to who had the mail alone, so nobody has to vouch: servers on its way seldom have DMARC.
      if let ids = delivery.tokenKey?.ids(ofMessageID: id, tenant: delivery.envelope.tenant) {
        return .result(SendResult(message: ids.message, externalID: nil, names: [], status: status, error: error))
      }
      // Others can be guessed: the report's domain must vouch for it, or our own receiver for a return path of servers alone.
      let isFromServer = attested.contains(.signature) && mail.header("Return-Path")?.trimmed == "<>"
      guard attested.contains(.dmarc) || isFromServer else { return nil }
      let change = Change(
        kind: "receipt", target: .mail(messageID: id), targetExternalID: id, status: status, error: error,
        details: details(mail, delivery, recipient: group["final-recipient"]))
      return .change(change)
    case "disposition-notification":
      let fields = report.groups.first ?? [:]
      guard let id = fields["original-message-id"]?.withoutBrackets.nonEmpty ?? report.originalID else { return nil }
      // Deleted, forwarded, refused: whether it was read, nobody knows.
      let disposition = fields["disposition"]?.split(separator: ";").last?.split(separator: "/").first?.trimmed.lowercased()
      let sender = mail.from.first.flatMap { EmailAddress.normalise($0.address) }
      let isOwn =
        sender == EmailAddress.normalise(delivery.account)
        || sender.map { delivery.mail.ownMailboxes.contains($0, of: delivery.envelope.tenant) } ?? false
      let assurance: Assurance = mail.from.count == 1 && attested.contains(.dmarc) ? .a1 : .a0
      let customer = try isOwn ? [] : delivery.identifiers(.email, sender, assurance)
      let change = Change(
        kind: "receipt", target: .mail(messageID: id), targetExternalID: id, customer: customer,
        status: disposition == "displayed" ? "read" : nil,
        details: details(mail, delivery, recipient: fields["final-recipient"], disposition: fields["disposition"]))
      return .change(change)
    case "feedback-report":
      // A complaint: whoever can write a mail can write one about anybody, so it takes nobody's consent back.
      var details = JSONObjectWriter()
      for (name, value) in (report.groups.first ?? [:]).sorted(by: { $0.key < $1.key }) { details.member(name, value) }
      details.member("message_id", report.originalID)
      return .unknown(Unknown(what: report.type, details: details.finished))
    default: return nil
    }
  }

  /// An emoji, if that is all that the mail says.
  private static func reaction(in mail: MIMEMessage, _ delivery: Delivery) -> String? {
    guard let said = mail.reaction?.trimmed, mail.attachments.isEmpty else { return nil }
    let emoji =
      said.hasPrefix("{")
      ? try? delivery.nestedParser.document(Array(said.utf8))["emoji"].string?.trimmed
      : mail.plainText?.trimmed == said ? said : nil
    return emoji.flatMap { $0.count <= 8 ? $0.nonEmpty : nil }
  }

  /// Who wrote what a group put its own address on ("Ann via Support"), as the group says: a claim. Nil for every other mail.
  private static func original(of mail: MIMEMessage) -> Mailbox? {
    guard mail.from.count == 1, let from = mail.from.first else { return nil }
    let (author, sender) = (mail.header("X-Original-From"), mail.header("X-Original-Sender"))
    guard author != nil || sender != nil else { return nil }
    let shown = from.name?.prefix(utf8Bytes: JSONValue.longestID) ?? ""
    let via = shown.utf8.firstRange(of: " via ".utf8)
    // Groups state the sender of every mail, and the author where they took the place of it.
    let stated = author ?? (via == nil ? nil : sender)
    guard let parts = stated?.prefix(utf8Bytes: JSONValue.longestID).split(separator: "<", maxSplits: 1),
      let address = parts.last.map({ String($0.prefix { $0 != ">" }) }), let normalised = EmailAddress.normalise(address),
      normalised != EmailAddress.normalise(from.address)
    else { return nil }
    var name = parts.count > 1 ? parts[0] : via.map { Substring(shown.utf8[..<$0.lowerBound]) } ?? ""
    while let mark = name.first, " \"'".contains(mark) { name.removeFirst() }
    while let mark = name.last, " \"'".contains(mark) { name.removeLast() }
    return Mailbox(name: String(name), address: address)
  }

  /// What is kept for readers and adapters.
  private static func details(
    _ mail: MIMEMessage, _ delivery: Delivery, recipient: String? = nil, disposition: String? = nil
  ) -> JSONText {
    func addresses(_ mailboxes: [Mailbox]) -> [String] { mailboxes.prefix(256).map(\.address) }
    var details = JSONObjectWriter()
    for (name, list) in [("to", mail.to), ("cc", mail.cc), ("reply_to", mail.replyTo)] where !list.isEmpty {
      details.member(name, addresses(list))
    }
    details.member("envelope_rcpt", delivery.envelope.headers["envelope_rcpt"])
    details.member("auto_submitted", mail.header("Auto-Submitted"))
    details.member("precedence", mail.header("Precedence"))
    details.member("list_id", mail.header("List-Id"))
    details.member("report", mail.report?.type)
    details.member("final_recipient", recipient)
    details.member("disposition", disposition)
    return details.finished
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
    let delivered = [
      delivery.envelope.headers["envelope_rcpt"], mail.header("Delivered-To"), mail.header("X-Original-To"),
      mail.header("Envelope-To"),
    ]
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
    let (lineFeed, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
    var body: [UInt8] = []
    var rest = bytes[...]
    while true {
      guard let end = rest.firstIndex(of: lineFeed) else { return [] }
      let isEmpty = rest[..<end].allSatisfy { $0 == carriageReturn }
      rest = rest[(end + 1)...]
      if isEmpty { break }
    }
    body.reserveCapacity(rest.count)
    while let end = rest.firstIndex(of: carriageReturn) {
      body.append(contentsOf: rest[..<end])
      rest = rest[end...].dropFirst()
    }
    body.append(contentsOf: rest)
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
        || mail.header("List-Unsubscribe") != nil || mail.header("X-Auto-Response-Suppress") != nil
      {
        flags.append("bulk")
      }
      if mail.report != nil { flags.append("report") }
      // One sign alone has many a mail of a person by now, and so has what a group passes on; an answer is nobody's mass mail.
      let signs = [
        ["bulk", "junk"].contains(precedence), mail.header("List-Unsubscribe") != nil, mail.header("List-Id") != nil,
        mail.header("Feedback-ID") != nil,
      ]
      let isOfAGroup = precedence == "list" || mail.header("X-Google-Group-Id") != nil
      let isMass = signs.count { $0 } >= 2 && !isOfAGroup && mail.inReplyTo.isEmpty
      isAutomatic = flags.contains("auto_submitted") || flags.contains("report") || isMass
    }
  }
}

extension MIMEMessage {
  /// The header `Date`, if a calendar can hold it.
  fileprivate var sentAt: Timestamp? {
    dateSeconds.map(Timestamp.init(seconds:)).flatMap { Timestamp.storable.contains($0) ? $0 : nil }
  }
}

extension [String: String] {
  /// Of a group of a delivery report: what became of the mail.
  fileprivate var action: String? { self["action"]?.mediaType }
}

extension String {
  /// Of `support+a1b2@shop.example`: what stands before the first `+` is the mailbox.
  fileprivate var withoutTag: String {
    // Most have none, which their bytes tell at once.
    guard utf8.contains(UInt8(ascii: "+")), let at = lastIndex(of: "@"), let plus = self[..<at].firstIndex(of: "+") else {
      return self
    }
    return String(self[..<plus] + self[at...])
  }
}
