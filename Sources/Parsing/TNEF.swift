/// The files inside a `winmail.dat`, which is how Outlook wraps them (MS-OXTNEF).
///
/// Debian's reader of it is not maintained, and a worker must not end by a mail. What names and measures the files is read, and no more; a
/// length that leads beyond the end is where the reading ends.
enum TNEF {
  /// - Parameter limit: of files; what is behind them is left out.
  static func files(in bytes: [UInt8], limit: Int) -> [MIMEAttachment] {
    var cursor = Cursor(rest: bytes[...])
    guard cursor.number(4) == 0x223E_9F78, cursor.take(2) != nil else { return [] }
    var (codePage, files): (Int?, [MIMEAttachment]) = (nil, [])
    while let level = cursor.number(1), let attribute = cursor.number(2), cursor.take(2) != nil, let length = cursor.number(4),
      let data = cursor.take(length), cursor.take(2) != nil
    {
      switch (level, attribute) {
      case (1, 0x9007): codePage = Cursor(rest: data).peek(4)
      case (2, 0x9002):
        guard files.count < limit else { return files }
        files.append(MIMEAttachment(name: nil, type: "application/octet-stream", sizeBytes: 0, contentID: nil, isInline: false))
      case (2, _) where files.isEmpty: break
      case (2, 0x8010): files[files.count - 1].name = text(data, codePage)
      case (2, 0x800F): files[files.count - 1].sizeBytes = data.count
      case (2, 0x9005): read(properties: data, codePage, into: &files[files.count - 1])
      default: break
      }
    }
    return files
  }

  private static func read(properties data: ArraySlice<UInt8>, _ codePage: Int?, into file: inout MIMEAttachment) {
    var cursor = Cursor(rest: data)
    for _ in 0..<min(cursor.number(4) ?? 0, data.count) {
      guard let type = cursor.number(2), let id = cursor.number(2), id < 0x8000 || cursor.skipName(),
        let value = cursor.value(ofType: type)
      else { return }
      let string = { type & 0xFFF == 0x1F ? unicode(value) : text(value, codePage) }
      switch id {
      case 0x3707: file.name = string() ?? file.name
      // Of a message inside there is no other name.
      case 0x3001: file.name = file.name ?? string()
      case 0x370E: file.type = string()?.lowercased() ?? file.type
      case 0x3712: file.contentID = string() ?? file.contentID
      case 0x3701: file.sizeBytes = max(file.sizeBytes, value.count)
      default: break
      }
    }
  }

  private static func text(_ bytes: ArraySlice<UInt8>, _ codePage: Int?) -> String? {
    let text = Charset.decode(Array(bytes.prefix { $0 != 0 }), declared: codePage.map { "cp\($0)" }).text
    return text.isEmpty ? nil : text
  }

  private static func unicode(_ bytes: ArraySlice<UInt8>) -> String? {
    var cursor = Cursor(rest: bytes)
    var units: [UInt16] = []
    while let unit = cursor.number(2), unit != 0 { units.append(UInt16(unit)) }
    return units.isEmpty ? nil : String(decoding: units, as: UTF16.self)
  }

  private struct Cursor {
    var rest: ArraySlice<UInt8>

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
      guard count >= 0, count <= rest.count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }

    /// Of at most four bytes, the lowest first.
    mutating func number(_ count: Int) -> Int? { take(count)?.reversed().reduce(0) { $0 << 8 | Int($1) } }

    func peek(_ count: Int) -> Int? {
      var copy = self
      return copy.number(count)
    }

    /// Of a property whose id means nothing by itself.
    mutating func skipName() -> Bool {
      guard take(16) != nil, let kind = number(4) else { return false }
      return kind == 0 ? take(4) != nil : padded() != nil
    }

    /// The value, or the first of several.
    mutating func value(ofType type: Int) -> ArraySlice<UInt8>? {
      let sizes = [2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16]
      let size = sizes[type & 0xFFF]
      // Of texts and bytes, there always is a count.
      guard size == nil || type & 0x1000 != 0 else { return size.flatMap { take($0) } }
      guard let count = number(4), count <= rest.count else { return nil }
      var first: ArraySlice<UInt8>?
      for _ in 0..<count {
        guard let next = size.map({ take($0) }) ?? padded() else { return nil }
        first = first ?? next
      }
      return first ?? []
    }

    /// Its length, then as much, up to a multiple of four.
    private mutating func padded() -> ArraySlice<UInt8>? {
      guard let count = number(4), let value = take(count) else { return nil }
      _ = take((4 - count % 4) % 4)
      return value
    }
  }
}
