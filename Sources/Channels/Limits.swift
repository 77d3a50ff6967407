/// What one record and one element may hold at most; everything above is a dead letter or is cut, as each limit says.
///
/// Bytes, headers and attributes are counted before anything is parsed, depth and keys before anything is taken out. Multiparts, parts
/// and headers of a mail have theirs in `MIME`, form parameters in `FormURLEncoded`.
public struct Limits: Sendable {
  /// Body of a record in bytes; above: `tooLarge`.
  public var bodyBytes = 8 << 20
  /// Headers of a record; above: `tooLarge`.
  public var headers = 256
  /// Names and values of all headers of a record in bytes; above: `tooLarge`.
  public var headerBytes = 256 << 10
  /// Key of a record in bytes; above: `tooLarge`.
  public var recordKeyBytes = 64 << 10
  /// An attribute of the envelope in UTF-8 bytes; above: `tooLarge`.
  public var attributeBytes = 4096
  /// Nesting of JSON; above: `tooDeep`.
  public var depth = 64
  /// Keys of a JSON object; above: `tooLarge`.
  public var keys = 1024
  /// UTF-8 bytes of a JSON key; above: `tooLarge`.
  public var keyBytes = 1024
  /// Elements of a record; the rest becomes one `tooLarge`.
  public var elements = 10_000
  /// Rejected elements of a record, which each have a letter with the record's headers; the rest becomes one `tooLarge`.
  public var rejections = 100
  /// Identifiers that an element states, repeated ones too; above: `tooLarge`.
  public var identifiers = 32
  /// UTF-8 bytes of a message's text; longer texts are cut and flagged `text_truncated`.
  public var textBytes = 1 << 20
  /// UTF-8 bytes of what an agent writes; above: `tooLarge`, since with its envelope it has to pass a broker's usual limit of 1 MB.
  public var replyBytes = 64 << 10
  /// Attachments of what an agent writes; above: `tooLarge`, for the same reason.
  public var replyAttachments = 32
  /// UTF-8 bytes of a subject, name, file name or URL; longer ones are cut, longer ids and URLs left out.
  public var lineBytes = 4096
  /// Attachments of a message; the rest is left out, flagged `attachments_capped`.
  public var attachments = 256
  /// References of a message; the oldest of the thread are left out.
  public var references = 50
  /// Traits or domains of a contact; above: `tooLarge`.
  public var traits = 256

  public init() {}
}
