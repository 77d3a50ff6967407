import CGMime

/// Mail by GMime 3.2.
public enum MIME {
  private static let maximumBytes = 1 << 30
  private static let ready: Void = g_mime_init()

  /// Parses one RFC 5322 message; safe from any thread. How many bytes are too many is the caller's to say (up to 1 GiB).
  ///
  /// `maximumDepth` counts multiparts inside one another (`tooDeep`); what comes after `maximumParts` parts is left out and flagged.
  /// Mails with more than `maximumParts` multiparts or absurdly nested address groups are refused before GMime sees them.
  public static func parse(
    _ bytes: [UInt8], maximumDepth: Int = 32, maximumParts: Int = 256
  ) throws(MIMEFault) -> MIMEMessage {
    _ = ready
    guard bytes.count <= maximumBytes else { throw .tooLarge }
    let clean = withoutHeaderNULs(bytes)
    let result: Result<MIMEMessage, MIMEFault> = (clean ?? bytes).withUnsafeBufferPointer { mail in
      Result { () throws(MIMEFault) in
        let safeCount = try MIMEGuard.safePrefix(of: mail, maximumContainers: maximumParts)
        guard let parsed = GMimeParsed(UnsafeBufferPointer(rebasing: mail.prefix(safeCount))) else { throw .unreadable }
        var reader = MIMEReader(maximumDepth: maximumDepth, maximumParts: maximumParts)
        if clean != nil { reader.message.flag("nul_replaced") }
        if safeCount < mail.count { reader.message.flag("structure_capped") }
        return try reader.read(parsed)
      }
    }
    return try result.get()
  }

  /// A copy with U+FFFD for each NUL of the header, or nil when there is none: GMime would cut an address there and pass the rest by.
  private static func withoutHeaderNULs(_ bytes: [UInt8]) -> [UInt8]? {
    var isAtLineStart = true
    let end = bytes.firstIndex { byte in
      defer { isAtLineStart = byte == 0x0A || isAtLineStart && byte == 0x0D }
      return byte == 0x0A && isAtLineStart
    }
    let header = bytes[..<(end ?? bytes.count)]
    guard header.contains(0) else { return nil }
    var clean: [UInt8] = []
    clean.reserveCapacity(bytes.count + 2 * header.count { $0 == 0 })
    for byte in header {
      if byte == 0 { clean.append(contentsOf: "\u{FFFD}".utf8) } else { clean.append(byte) }
    }
    return clean + bytes[header.endIndex...]
  }
}

/// Owns one parsed message and the parser options.
private struct GMimeParsed: ~Copyable {
  let message: UnsafeMutablePointer<GMimeMessage>
  let options: OpaquePointer

  init?(_ mail: UnsafeBufferPointer<UInt8>) {
    let stream = mail.withMemoryRebound(to: CChar.self) { g_mime_stream_mem_new_with_buffer($0.baseAddress, $0.count) }
    guard let stream else { return nil }
    defer { g_object_unref(stream) }
    guard let parser = g_mime_parser_new_with_stream(stream) else { return nil }
    defer { g_object_unref(parser) }
    guard let options = g_mime_parser_options_new() else { return nil }
    // Raw 8-bit headers: UTF-8 if they are, else what most such senders mean.
    "utf-8".withCString { utf8 in
      "windows-1252".withCString { windows in
        var charsets = [utf8, windows, nil]
        g_mime_parser_options_set_fallback_charsets(options, &charsets)
      }
    }
    guard let message = g_mime_parser_construct_message(parser, options) else {
      g_mime_parser_options_free(options)
      return nil
    }
    self.message = message
    self.options = options
  }

  deinit {
    g_object_unref(message)
    g_mime_parser_options_free(options)
  }
}

/// Takes what is wanted out of GMime's tree.
private struct MIMEReader {
  private static let maximumMailboxes = 1_024
  private static let maximumReferences = 256
  private static let maximumIDBytes = 998  // RFC 5322, 2.1.1
  private static let maximumHeaders = 512
  private static let maximumConvertedBytes = 1 << 20

  /// The text of one part or of all parts of a container.
  private struct Body {
    var plain: String?
    var html: String?
    var isEmpty: Bool { plain == nil && html == nil }
  }

  let maximumDepth: Int
  let maximumParts: Int
  var message = MIMEMessage()
  private var partCount = 0

  init(maximumDepth: Int, maximumParts: Int) {
    self.maximumDepth = maximumDepth
    self.maximumParts = maximumParts
  }

  mutating func read(_ parsed: borrowing GMimeParsed) throws(MIMEFault) -> MIMEMessage {
    let mail = parsed.message
    readHeaders(of: mail)
    let root = g_mime_message_get_mime_part(mail)
    if let root { readHeaders(of: root) }
    guard !message.headers.isEmpty else { throw .unreadable }

    message.messageID = id(string(g_mime_message_get_message_id(mail)))
    message.inReplyTo = ids(message.header("In-Reply-To"))
    message.references = ids(message.header("References"))
    message.from = mailboxes(g_mime_message_get_from(mail))
    message.sender = mailboxes(g_mime_message_get_sender(mail))
    message.replyTo = mailboxes(g_mime_message_get_reply_to(mail))
    message.to = mailboxes(g_mime_message_get_to(mail))
    message.cc = mailboxes(g_mime_message_get_cc(mail))
    message.dateSeconds = g_mime_message_get_date(mail).map { Int64(g_date_time_to_unix($0)) }
    message.subject = message.header("Subject")
    guard let root else { return message }
    if isType(root, "multipart", "report") {
      message.report = string(g_mime_object_get_content_type_parameter(root, "report-type")).map {
        MIMEReport(type: oneLine($0).lowercased())
      }
    }
    let body = try read(root, depth: 0)
    message.plainText = body.plain
    message.htmlText = body.html
    return message
  }

  // MARK: Headers

  private mutating func readHeaders(of object: UnsafeMutableRawPointer) {
    guard let list = g_mime_object_get_header_list(object.assumingMemoryBound(to: GMimeObject.self)) else { return }
    for index in 0..<g_mime_header_list_get_count(list) where message.headers.count < Self.maximumHeaders {
      guard let header = g_mime_header_list_get_header_at(list, index),
        let name = string(g_mime_header_get_name(header))?.lowercased(), message.headers[name] == nil,
        let value = string(g_mime_header_get_value(header))
      else { continue }
      message.headers[name] = oneLine(value).trimmingSpaces
    }
  }

  private func id(_ text: String?) -> String? {
    guard let text, !text.isEmpty, text.utf8.count <= Self.maximumIDBytes else { return nil }
    return oneLine(text)
  }

  /// Ids in `<>`, whatever prose stands around them; a lone word with "@" also counts. GMime's parser loses ids behind a comma.
  private mutating func ids(_ header: String?) -> [String] {
    guard let header else { return [] }
    let isOneWord = header.utf8.contains(UInt8(ascii: "@")) && !header.utf8.contains(where: { " <>\"".utf8.contains($0) })
    if isOneWord, let word = id(header) { return [word] }
    var found: [String] = []
    var rest = header.utf8[...]
    while let start = rest.firstIndex(of: UInt8(ascii: "<")) {
      rest = rest[start...].dropFirst()
      // The next id may begin before this one has ended.
      guard let end = rest.firstIndex(where: { $0 == UInt8(ascii: ">") || $0 == UInt8(ascii: "<") }) else { break }
      guard rest[end] == UInt8(ascii: ">"), let id = id(String(Substring(rest[..<end])).filter({ $0 != " " })) else { continue }
      found.append(id)
      if found.count <= Self.maximumReferences { continue }
      message.flag("references_capped")
      // Threads hang on the first and on the last.
      found.remove(at: 1)
    }
    return found
  }

  private mutating func mailboxes(_ list: UnsafeMutablePointer<InternetAddressList>?) -> [Mailbox] {
    var found: [Mailbox] = []
    appendMailboxes(list, depth: 0, to: &found)
    return found
  }

  private mutating func appendMailboxes(
    _ list: UnsafeMutablePointer<InternetAddressList>?, depth: Int, to found: inout [Mailbox]
  ) {
    guard let list, depth < 4 else { return }
    for index in 0..<internet_address_list_length(list) {
      guard found.count < Self.maximumMailboxes else { return message.flag("addresses_capped") }
      guard let entry = internet_address_list_get_address(list, index) else { continue }
      let raw = UnsafeMutableRawPointer(entry)
      if isInstance(raw, internet_address_group_get_type()) {
        let group = raw.assumingMemoryBound(to: InternetAddressGroup.self)
        appendMailboxes(internet_address_group_get_members(group), depth: depth + 1, to: &found)
      } else if let address = string(
        internet_address_mailbox_get_addr(raw.assumingMemoryBound(to: InternetAddressMailbox.self))), !address.isEmpty
      {
        let name = string(internet_address_get_name(entry)).map { oneLine($0).trimmingSpaces }
        found.append(Mailbox(name: name == "" ? nil : name, address: oneLine(address)))
      }
    }
  }

  // MARK: Parts

  private mutating func read(_ object: UnsafeMutablePointer<GMimeObject>, depth: Int) throws(MIMEFault) -> Body {
    guard depth <= maximumDepth else { throw .tooDeep }
    let raw = UnsafeMutableRawPointer(object)
    if isInstance(raw, g_mime_multipart_get_type()) {
      return try readChildren(raw.assumingMemoryBound(to: GMimeMultipart.self), depth: depth)
    }
    if isInstance(raw, g_mime_message_part_get_type()) {
      let part = raw.assumingMemoryBound(to: GMimeMessagePart.self)
      readMessage(part)
      if depth == 1, message.report?.originalID == nil, let inner = g_mime_message_part_get_message(part) {
        let originalID = id(string(g_mime_message_get_message_id(inner)))
        message.report?.originalID = originalID
      }
    } else if isInstance(raw, g_mime_part_get_type()) {
      let part = raw.assumingMemoryBound(to: GMimePart.self)
      if isType(object, "text", "vnd.google.email-reaction+json") {
        message.reaction = message.reaction ?? shortText(of: part)
        return Body()
      }
      if disposition(object) == "reaction" { message.reaction = message.reaction ?? shortText(of: part) }
      if isType(object, "application", "ms-tnef") || isType(object, "application", "vnd.ms-tnef") {
        message.flag("tnef")
        if addWrapped(part) { return Body() }
      }
      if isType(object, "application", "pkcs7-mime") || isType(object, "application", "x-pkcs7-mime") {
        switch SMIME.content(of: content(of: part)) {
        case .signed(let inner):
          message.flag("signed")
          return try readSigned(inner, depth: depth + 1)
        case .encrypted: message.flag("encrypted")
        case nil: break
        }
      }
      if isBodyText(part, isRoot: depth == 0) { return readText(part) }
      if depth == 1, message.report != nil { readReport(part) }
      addAttachment(object, name: string(g_mime_part_get_filename(part)), sizeBytes: size(of: part))
    }
    return Body()
  }

  private mutating func readChildren(_ multipart: UnsafeMutablePointer<GMimeMultipart>, depth: Int) throws(MIMEFault) -> Body {
    let count = g_mime_multipart_get_count(multipart)
    var bodies: [Body] = []
    for index in 0..<count {
      guard partCount < maximumParts else {
        message.flag("parts_capped")
        break
      }
      partCount += 1
      guard let part = g_mime_multipart_get_part(multipart, index) else { continue }
      let body = try read(part, depth: depth + 1)
      if !body.isEmpty { bodies.append(body) }
    }
    if count == 0, let text = string(g_mime_multipart_get_prologue(multipart)) {
      // The boundary is missing or never comes: all of it went into what should precede the parts.
      message.flag("boundary_missing")
      return Body(plain: nonBlank(text))
    }
    let object = UnsafeMutableRawPointer(multipart).assumingMemoryBound(to: GMimeObject.self)
    guard isType(object, "multipart", "alternative") else { return join(bodies) }
    // The richest comes last; plain text inside a later choice is only its footer.
    return Body(plain: bodies.lazy.compactMap(\.plain).first, html: bodies.lazy.compactMap(\.html).last)
  }

  /// One text after the other. Where one side lacks a piece that the other has, the piece is converted: a footer in plain text
  /// behind an HTML body must not pass for the whole plain text.
  private func join(_ bodies: [Body]) -> Body {
    guard bodies.count > 1 else { return bodies.first ?? Body() }
    var joined = Body()
    if bodies.contains(where: { $0.plain != nil }) {
      joined.plain = bodies.map { body in
        body.plain ?? HTMLText.plainText(body.html ?? "", maximumOutputBytes: Self.maximumConvertedBytes).text
      }.joined(separator: "\n")
    }
    if bodies.contains(where: { $0.html != nil }) {
      joined.html = bodies.map { $0.html ?? "<pre>" + escaped($0.plain ?? "") + "</pre>" }.joined(separator: "\n")
    }
    return joined
  }

  private func isBodyText(_ part: UnsafeMutablePointer<GMimePart>, isRoot: Bool) -> Bool {
    let object = UnsafeMutableRawPointer(part).assumingMemoryBound(to: GMimeObject.self)
    let isText = isType(object, "text", "plain") || isType(object, "text", "html") || isUnreadableType(object)
    return isText && disposition(object) != "attachment" && (isRoot || g_mime_part_get_filename(part) == nil)
  }

  private mutating func readText(_ part: UnsafeMutablePointer<GMimePart>) -> Body {
    let object = UnsafeMutableRawPointer(part).assumingMemoryBound(to: GMimeObject.self)
    let declared = string(g_mime_object_get_content_type_parameter(object, "charset"))
    let decoded = Charset.decode(content(of: part), declared: declared)
    if decoded.isUnknown { message.flag("charset_unknown") }
    if decoded.isLossy { message.flag("charset_lossy") }
    if decoded.hasNUL { message.flag("nul_replaced") }
    var text = lineFeedsOnly(decoded.text)
    if isType(object, "text", "html") { return Body(html: nonBlank(text)) }
    if string(g_mime_object_get_content_type_parameter(object, "format"))?.lowercased() == "flowed" {
      let deletingSpaces = string(g_mime_object_get_content_type_parameter(object, "delsp"))?.lowercased() == "yes"
      text = FlowedText.unfolded(text, deletingSpaces: deletingSpaces)
    }
    return Body(plain: nonBlank(text))
  }

  /// A forwarded mail is one attachment; what is inside stays there.
  private mutating func readMessage(_ part: UnsafeMutablePointer<GMimeMessagePart>) {
    let inner = g_mime_message_part_get_message(part)
    let object = UnsafeMutableRawPointer(part).assumingMemoryBound(to: GMimeObject.self)
    let name =
      string(g_mime_object_get_content_disposition_parameter(object, "filename"))
      ?? string(g_mime_object_get_content_type_parameter(object, "name"))
      ?? inner.flatMap { string(g_mime_message_get_subject($0)) }
    let mail = inner.map { UnsafeMutableRawPointer($0).assumingMemoryBound(to: GMimeObject.self) }
    let sizeBytes = mail.map { mail in counted { g_mime_object_write_to_stream(mail, nil, $0) } } ?? 0
    addAttachment(object, name: name, sizeBytes: sizeBytes)
  }

  /// The part for programs, and the header of the mail that it is about.
  private mutating func readReport(_ part: UnsafeMutablePointer<GMimePart>) {
    let object = UnsafeMutableRawPointer(part).assumingMemoryBound(to: GMimeObject.self)
    let reports = ["delivery-status", "disposition-notification", "feedback-report"]
    if message.report?.groups.isEmpty == true,
      reports.contains(where: { isType(object, "message", $0) || isType(object, "message", "global-" + $0) })
    {
      let groups = MIMEReport.groups(content(of: part)).map { $0.mapValues { oneLine($0) } }
      message.report?.groups = groups
    } else if message.report?.originalID == nil,
      isType(object, "text", "rfc822-headers") || isType(object, "message", "global-headers")
    {
      let originalID = ids(MIMEReport.groups(content(of: part)).first?["message-id"]).first
      message.report?.originalID = originalID
    }
  }

  private mutating func addAttachment(_ object: UnsafeMutablePointer<GMimeObject>, name: String?, sizeBytes: Int) {
    let type = g_mime_object_get_content_type(object).flatMap { owned(g_mime_content_type_get_mime_type($0)) }
    let contentID = id(string(g_mime_object_get_content_id(object)))
    let name = name.map { oneLine($0).trimmingSpaces }
    let disposition = disposition(object)
    message.attachments.append(
      MIMEAttachment(
        name: name == "" ? nil : name, type: oneLine(type ?? "application/octet-stream").lowercased(), sizeBytes: sizeBytes,
        contentID: contentID, isInline: disposition == "inline" || disposition == nil && contentID != nil))
  }

  private func shortText(of part: UnsafeMutablePointer<GMimePart>) -> String? {
    size(of: part) <= 1_024 ? nonBlank(Charset.decode(content(of: part), declared: "utf-8").text) : nil
  }

  /// What a signature wraps is read in its place.
  private mutating func readSigned(_ bytes: [UInt8], depth: Int) throws(MIMEFault) -> Body {
    let result: Result<Body, MIMEFault> = bytes.withUnsafeBufferPointer { inner in
      Result { () throws(MIMEFault) in
        let safeCount = try MIMEGuard.safePrefix(of: inner, maximumContainers: maximumParts)
        if safeCount < inner.count { message.flag("structure_capped") }
        guard let parsed = GMimeParsed(UnsafeBufferPointer(rebasing: inner.prefix(safeCount))),
          let root = g_mime_message_get_mime_part(parsed.message)
        else { return Body() }
        return try read(root, depth: depth)
      }
    }
    return try result.get()
  }

  /// The files that Outlook has wrapped; false when there are none.
  private mutating func addWrapped(_ part: UnsafeMutablePointer<GMimePart>) -> Bool {
    let files = TNEF.files(in: content(of: part), limit: maximumParts)
    if files.count == maximumParts { message.flag("parts_capped") }
    for var file in files {
      file.name = file.name.map { oneLine($0).trimmingSpaces }.flatMap { $0.isEmpty ? nil : $0 }
      (file.type, file.contentID) = (oneLine(file.type), id(file.contentID))
      message.attachments.append(file)
    }
    return !files.isEmpty
  }

  private func disposition(_ object: UnsafeMutablePointer<GMimeObject>) -> String? {
    string(g_mime_object_get_disposition(object))?.lowercased()
  }

  private func isType(_ object: UnsafeMutablePointer<GMimeObject>, _ type: String, _ subtype: String) -> Bool {
    guard let contentType = g_mime_object_get_content_type(object) else { return false }
    return g_mime_content_type_is_type(contentType, type, subtype) != 0
  }

  /// GMime takes a type without "/" for binary; RFC 2045, 5.2, suggests plain text, and old programs did write "text".
  private func isUnreadableType(_ object: UnsafeMutablePointer<GMimeObject>) -> Bool {
    string(g_mime_object_get_header(object, "Content-Type")).map { !$0.contains("/") } ?? false
  }

  private func size(of part: UnsafeMutablePointer<GMimePart>) -> Int {
    guard let content = g_mime_part_get_content(part) else { return 0 }
    return counted { g_mime_data_wrapper_write_to_stream(content, $0) }
  }

  private func counted(_ write: (UnsafeMutablePointer<GMimeStream>) -> Int) -> Int {
    guard let sink = g_mime_stream_null_new() else { return 0 }
    defer { g_object_unref(sink) }
    return max(0, write(sink))
  }

  /// Decoded bytes. GMime's own `g_mime_text_part_get_text` cuts at NUL and drops what it cannot convert.
  private func content(of part: UnsafeMutablePointer<GMimePart>) -> [UInt8] {
    guard let content = g_mime_part_get_content(part), let sink = g_mime_stream_mem_new() else { return [] }
    defer { g_object_unref(sink) }
    guard g_mime_data_wrapper_write_to_stream(content, sink) >= 0,
      let array = g_mime_stream_mem_get_byte_array(UnsafeMutableRawPointer(sink).assumingMemoryBound(to: GMimeStreamMem.self))
    else { return [] }
    return Array(UnsafeBufferPointer(start: array.pointee.data, count: Int(array.pointee.len)))
  }

  // MARK: Text

  private func nonBlank(_ text: String) -> String? { text.utf8.allSatisfy { $0 <= 0x20 } ? nil : text }

  private func lineFeedsOnly(_ text: String) -> String {
    var text = text
    guard text.withUTF8({ $0.contains(0x0D) }) else { return text }
    var output: [UInt8] = []
    output.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
      if byte == 0x0A, output.last == 0x0D { output.removeLast() }
      output.append(byte)
    }
    return String(decoding: output, as: UTF8.self)
  }

  private func escaped(_ text: String) -> String {
    var output: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "&"): output.append(contentsOf: "&amp;".utf8)
      case UInt8(ascii: "<"): output.append(contentsOf: "&lt;".utf8)
      default: output.append(byte)
      }
    }
    return String(decoding: output, as: UTF8.self)
  }

  /// An encoded word may hide control characters; no header value keeps them.
  private func oneLine(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return text }
    return String(decoding: text.utf8.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }, as: UTF8.self)
  }
}

private func isInstance(_ object: UnsafeMutableRawPointer, _ type: GType) -> Bool {
  g_type_check_instance_is_a(object.assumingMemoryBound(to: GTypeInstance.self), type) != 0
}

private func string(_ text: UnsafePointer<CChar>?) -> String? { text.map { String(cString: $0) } }

private func owned(_ text: UnsafeMutablePointer<CChar>?) -> String? {
  guard let text else { return nil }
  defer { g_free(text) }
  return String(cString: text)
}
