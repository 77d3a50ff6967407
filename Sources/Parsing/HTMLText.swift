import CXML

/// HTML as the text that a reader sees.
public enum HTMLText {
  private static let ready: Void = xmlInitParser()
  private static let chunkBytes = 2_048
  private static let maximumSeparators = 10_000
  /// An element that holds the document and that no stray end tag closes: with nothing open libxml2 takes the rest for an epilogue.
  private static let root = "<throughline>"

  /// Visible text by libxml2's SAX parser, in linear time. `script`, `style` and `head` are dropped, block elements break lines,
  /// white space is collapsed outside `pre`, links keep their text.
  ///
  /// The text is cut at `maximumOutputBytes` of UTF-8 or where more than 512 elements are open (`isTruncated`).
  /// `droppingQuotes` leaves out what mail programs mark as quoted history.
  public static func plainText(
    _ html: String, maximumOutputBytes: Int, droppingQuotes: Bool = false
  ) -> (text: String, isTruncated: Bool) {
    _ = ready
    let writer = HTMLTextWriter(maximumBytes: max(0, maximumOutputBytes), isDroppingQuotes: droppingQuotes)
    // The parser takes NUL for the end.
    let bytes = root.utf8 + html.utf8.lazy.map { $0 == 0 ? 0x20 : $0 }
    bytes.withUnsafeBytes { parse($0.bindMemory(to: CChar.self), into: writer) }
    return (writer.text, writer.isTruncated)
  }

  private static func parse(_ bytes: UnsafeBufferPointer<CChar>, into writer: HTMLTextWriter) {
    // libxml2 calls back on this thread and only inside `htmlParseChunk`; the writer outlives both.
    var handler = htmlSAXHandler()
    handler.startElement = { context, name, attributes in HTMLTextWriter.of(context)?.open(name, attributes) }
    handler.endElement = { context, _ in HTMLTextWriter.of(context)?.close() }
    handler.characters = { context, text, length in HTMLTextWriter.of(context)?.append(text, length) }
    handler.ignorableWhitespace = handler.characters
    let context = Unmanaged.passUnretained(writer).toOpaque()
    guard let parser = htmlCreatePushParserCtxt(&handler, context, nil, 0, nil, XML_CHAR_ENCODING_UTF8) else { return }
    defer {
      xmlFreeDoc(parser.pointee.myDoc)
      htmlFreeParserCtxt(parser)
    }
    let options = [
      HTML_PARSE_RECOVER, HTML_PARSE_NOERROR, HTML_PARSE_NOWARNING, HTML_PARSE_NONET, HTML_PARSE_NOIMPLIED, HTML_PARSE_IGNORE_ENC,
    ]
    htmlCtxtUseOptions(parser, Int32(options.reduce(0) { $0 | $1.rawValue }))
    var position = 0
    var separators = 0
    while position < bytes.count, !writer.isStopped {
      let chunk = UnsafeBufferPointer(rebasing: bytes[position...].prefix(chunkBytes))
      htmlParseChunk(parser, chunk.baseAddress, Int32(chunk.count), 0)
      position += chunk.count
      // libxml2 compares each attribute of a tag with all before it. A tag that outgrows a chunk is parsed only when it ends.
      if isInsideTag(parser) { separators += chunk.count { $0 == 0x3D || (0x09...0x0D).contains($0) || $0 == 0x20 } }
      if separators > maximumSeparators { return writer.truncate() }
    }
    if !writer.isStopped { htmlParseChunk(parser, nil, 0, 1) }
  }

  /// Whether the parser waits for the end of a start tag.
  private static func isInsideTag(_ parser: htmlParserCtxtPtr) -> Bool {
    guard let input = parser.pointee.input?.pointee, let start = input.cur, let end = input.end else { return false }
    return end - start > 1 && start[0] == UInt8(ascii: "<") && (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(start[1] | 0x20)
  }
}

/// Receives the parser's events and writes the text.
private final class HTMLTextWriter {
  private static let maximumOpenElements = 512
  private static let dropped: Set<String> = ["script", "style", "head", "title", "noscript", "template", "xml"]
  private static let blocks: Set<String> = [
    "p", "div", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "hr", "dt", "dd",
    "section", "article", "header", "footer",
  ]

  private struct Element {
    var isDropped = false, isBlock = false, isCell = false, isPreformatted = false
  }

  private let maximumBytes: Int
  private let isDroppingQuotes: Bool
  private var open: [Element] = []
  private var droppedCount = 0
  private var preformattedCount = 0
  private var output: [UInt8] = []
  private var newlines = 0
  private var hasPendingSpace = false
  private(set) var isTruncated = false
  /// Nothing that follows matters.
  private(set) var isStopped = false

  init(maximumBytes: Int, isDroppingQuotes: Bool) {
    self.maximumBytes = maximumBytes
    self.isDroppingQuotes = isDroppingQuotes
  }

  static func of(_ context: UnsafeMutableRawPointer?) -> HTMLTextWriter? {
    guard let context else { return nil }
    let writer = Unmanaged<HTMLTextWriter>.fromOpaque(context).takeUnretainedValue()
    return writer.isStopped ? nil : writer
  }

  var text: String { String(decoding: output, as: UTF8.self) }

  func open(_ name: UnsafePointer<UInt8>?, _ attributes: UnsafeMutablePointer<UnsafePointer<UInt8>?>?) {
    // Beyond this libxml2's closing of open elements would take quadratic time.
    guard open.count < Self.maximumOpenElements, let name else { return truncate() }
    let tag = String(cString: name)
    var element = Element()
    if isDroppingQuotes, let attributes {
      let quote = HTMLQuote(tag, attributes)
      if quote == .rest { return isStopped = true }
      element.isDropped = quote == .element
    }
    if Self.dropped.contains(tag) { element.isDropped = true }
    element.isBlock = Self.blocks.contains(tag)
    element.isCell = tag == "td" || tag == "th"
    element.isPreformatted = tag == "pre"
    open.append(element)
    if element.isDropped { droppedCount += 1 }
    if element.isPreformatted { preformattedCount += 1 }
    guard droppedCount == 0 else { return }
    if element.isBlock { startLine() }
    if tag == "br" { breakLine() }
  }

  func close() {
    guard let element = open.popLast() else { return }
    if element.isDropped { droppedCount -= 1 }
    if element.isPreformatted { preformattedCount -= 1 }
    guard droppedCount == 0 else { return }
    if element.isBlock { startLine() }
    if element.isCell { hasPendingSpace = true }
  }

  func append(_ text: UnsafePointer<UInt8>?, _ length: Int32) {
    guard droppedCount == 0, let text else { return }
    let bytes = UnsafeBufferPointer(start: text, count: max(0, Int(length)))
    var position = 0
    while position < bytes.count {
      let byte = bytes[position]
      let isNoBreakSpace = byte == 0xC2 && position + 1 < bytes.count && bytes[position + 1] == 0xA0
      if byte == 0x0A, preformattedCount > 0 {
        breakLine()
      } else if byte == 0x20 || (0x09...0x0D).contains(byte) || isNoBreakSpace {
        hasPendingSpace = true
      } else {
        var end = position + 1
        while end < bytes.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
        guard write(bytes[position..<end]) else { return truncate() }
        position = end
        continue
      }
      position += isNoBreakSpace ? 2 : 1
    }
  }

  /// Line breaks are written with the character that follows them, so none trail; one blank line at most.
  private func startLine() {
    newlines = max(newlines, output.isEmpty ? 0 : 1)
    hasPendingSpace = false
  }
  private func breakLine() {
    newlines = min(newlines + 1, 2)
    hasPendingSpace = false
  }

  private func write(_ character: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
    let gap = output.isEmpty ? 0 : newlines > 0 ? newlines : hasPendingSpace ? 1 : 0
    guard output.count + gap + character.count <= maximumBytes else { return false }
    output.append(contentsOf: repeatElement(newlines > 0 ? 0x0A : 0x20, count: gap))
    output.append(contentsOf: character)
    newlines = 0
    hasPendingSpace = false
    return true
  }

  func truncate() {
    isTruncated = true
    isStopped = true
  }
}

/// What an element says about quoted history.
private enum HTMLQuote {
  case none
  /// It holds nothing else.
  case element
  /// It and all that follows does: Outlook marks only the beginning.
  case rest

  private static let classes: Set<Substring> = ["gmail_quote", "gmail_quote_container", "yahoo_quoted", "moz-cite-prefix"]
  private static let ids: Set<Substring> = ["yahoo_quoted", "moz-cite-prefix"]

  /// `attributes`: names and values by turns, ended by NULL.
  init(_ tag: String, _ attributes: UnsafeMutablePointer<UnsafePointer<UInt8>?>) {
    self = .none
    var position = 0
    while let name = attributes[position] {
      defer { position += 2 }
      guard let bytes = attributes[position + 1] else { continue }
      let value = String(cString: bytes)
      switch String(cString: name) {
      case "class" where value.split(separator: " ").contains(where: Self.classes.contains): self = .element
      case "id" where Self.ids.contains(value[...]): self = .element
      case "id" where value == "divRplyFwdMsg": self = .rest
      case "type" where tag == "blockquote" && value.lowercased() == "cite": self = .element
      default: break
      }
    }
  }
}
