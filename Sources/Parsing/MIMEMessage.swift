/// One address of a mail header; `address` as it stands there.
public struct Mailbox: Sendable, Equatable {
  public var name: String?
  public var address: String
  public init(name: String? = nil, address: String) {
    self.name = name
    self.address = address
  }
}

/// What is known of a part that is no body text.
public struct MIMEAttachment: Sendable, Equatable {
  /// RFC 2231 and RFC 2047 decoded; a forwarded mail without a name has its subject.
  public var name: String?
  /// `type/subtype`, lower case.
  public var type: String
  /// Decoded.
  public var sizeBytes: Int
  /// Without `<>`.
  public var contentID: String?
  /// Shown inside the text: disposition `inline`, or a Content-ID without disposition.
  public var isInline: Bool

  public init(name: String?, type: String, sizeBytes: Int, contentID: String?, isInline: Bool) {
    self.name = name
    self.type = type
    self.sizeBytes = sizeBytes
    self.contentID = contentID
    self.isInline = isInline
  }
}

/// One mail, decoded to Unicode; invalid bytes and NUL became U+FFFD.
public struct MIMEMessage: Sendable, Equatable {
  /// Without `<>`.
  public var messageID: String?
  /// Ids without `<>`, in the order of the header.
  public var inReplyTo: [String] = []
  public var references: [String] = []
  /// Members of groups stand in line with the others.
  public var from: [Mailbox] = []
  public var sender: [Mailbox] = []
  public var replyTo: [Mailbox] = []
  public var to: [Mailbox] = []
  public var cc: [Mailbox] = []
  /// Unix seconds; nil when missing or unreadable.
  public var dateSeconds: Int64?
  public var subject: String?
  /// The plain choice of an alternative, later inline text parts too, format=flowed undone; nil when there is only HTML or nothing.
  public var plainText: String?
  /// The HTML choice as it was written; nil when there is none.
  public var htmlText: String?
  public var attachments: [MIMEAttachment] = []
  /// What it reports, when it is a multipart/report.
  public var report: MIMEReport?
  /// Gmail's JSON object with an emoji, or the part that is an emoji (RFC 9078), which is in `plainText` as well. At most 1 KiB.
  public var reaction: String?
  /// What was done to the text, each once: `charset_unknown`, `charset_lossy`, `nul_replaced`, `boundary_missing`, `parts_capped`,
  /// `addresses_capped`, `references_capped`, `structure_capped` (the rest of the mail was not read),
  /// `signed` (S/MIME around a part, read without a check of the signature), `encrypted` (S/MIME that nobody here can read),
  /// `tnef` (files that Outlook has wrapped: they are named by the wrapping, and in the mail as winmail.dat).
  public var flags: [String] = []

  /// First values by lower-case name.
  var headers: [String: String] = [:]

  /// First decoded value of a header, case-insensitive; nil when absent.
  public func header(_ name: String) -> String? { headers[name.lowercased()] }

  mutating func flag(_ name: String) {
    if !flags.contains(name) { flags.append(name) }
  }
}

/// Why a mail cannot be read: a dead letter, never worth a retry.
public enum MIMEFault: Error, Equatable {
  case tooLarge
  case tooDeep
  /// No header at all.
  case unreadable
}
