/// format=flowed (RFC 3676) to plain lines.
enum FlowedText {
  /// Joins what was broken softly; quoted lines begin with as many ">" as before. An empty line always stays one.
  static func unfolded(_ text: String, deletingSpaces: Bool) -> String {
    var output: [UInt8] = []
    var paragraph: [UInt8] = []
    var paragraphDepth: Int?

    func end() {
      guard let depth = paragraphDepth else { return }
      output.append(contentsOf: repeatElement(UInt8(ascii: ">"), count: depth))
      while paragraph.last == 0x20, paragraph != signature { paragraph.removeLast() }
      if depth > 0, !paragraph.isEmpty { output.append(0x20) }
      output.append(contentsOf: paragraph)
      output.append(0x0A)
      paragraph.removeAll(keepingCapacity: true)
      paragraphDepth = nil
    }

    let bytes = Array(text.utf8)
    var start = 0
    while start < bytes.count {
      let line = bytes[start...].prefix { $0 != 0x0A }
      start = line.endIndex + 1
      var rest = line.drop { $0 == UInt8(ascii: ">") }
      let depth = line.count - rest.count
      if rest.first == 0x20 { rest = rest.dropFirst() }
      let isSignature = rest.elementsEqual(signature)
      if depth != paragraphDepth || isSignature || rest.isEmpty { end() }
      paragraphDepth = depth
      let isFlowed = rest.last == 0x20 && !isSignature
      paragraph.append(contentsOf: isFlowed && deletingSpaces ? rest.dropLast() : rest)
      if !isFlowed { end() }
    }
    end()
    return String(decoding: output, as: UTF8.self)
  }

  private static let signature = Array("-- ".utf8)
}
