/// One linear pass over a raw mail that finds, before GMime sees it, what would cost GMime memory, time or its stack.
///
/// GMime 3.2 calls itself for each "a:" of nested address groups until the stack ends, keeps about half a kilobyte for each header
/// and more for each part, parameter, address and word of a date, and compares each line that begins with "--" with all open boundaries.
struct MIMEGuard {
  /// Parts, headers, addresses, parameters and words of dates that may cost memory.
  private static let maximumUnits = 20_000
  private static let maximumGroupDepth = 128
  private static let maximumNameBytes = 76

  private enum Header { case address, contentType, disposition, date, other }

  private let maximumContainers: Int
  private var units = 0
  private var containers = 0
  private var header = Header.other
  private var colons = 0
  private var isContainer = false

  private init(maximumContainers: Int) { self.maximumContainers = maximumContainers }

  /// The count of leading bytes that are safe to parse: all, or those before the line where the units run out.
  static func safePrefix(of mail: UnsafeBufferPointer<UInt8>, maximumContainers: Int) throws(MIMEFault) -> Int {
    var state = MIMEGuard(maximumContainers: maximumContainers)
    var start = 0
    while start < mail.count {
      let end = mail[start...].firstIndex(of: UInt8(ascii: "\n")) ?? mail.count
      try state.read(UnsafeBufferPointer(rebasing: mail[start..<end]))
      if state.units > maximumUnits { return start }
      start = end + 1
    }
    return mail.count
  }

  private mutating func read(_ line: UnsafeBufferPointer<UInt8>) throws(MIMEFault) {
    guard let first = line.first else { return header = .other }
    if first != 0x20, first != 0x09 { begin(line, first) }
    switch header {
    case .address:
      for byte in line {
        if byte == UInt8(ascii: ":") { colons += 1 }
        if byte == UInt8(ascii: ",") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ";") { units += 1 }
      }
      if colons > Self.maximumGroupDepth { throw .tooDeep }
    case .disposition: units += line.count { $0 == UInt8(ascii: ";") }
    case .date: units += line.count { " \t,-/".utf8.contains($0) }
    case .contentType:
      units += line.count { $0 == UInt8(ascii: ";") }
      guard !isContainer, line.containsIgnoringCase("multipart") || line.containsIgnoringCase("message") else { return }
      isContainer = true
      containers += 1
      if containers > maximumContainers { throw .tooDeep }
    case .other: break
    }
  }

  /// A line that continues nothing.
  private mutating func begin(_ line: UnsafeBufferPointer<UInt8>, _ first: UInt8) {
    header = .other
    if first == UInt8(ascii: "-"), line.count > 1, line[1] == first {
      units += 1
    } else if let colon = line.prefix(Self.maximumNameBytes).firstIndex(of: UInt8(ascii: ":")) {
      units += 1
      colons = 0
      isContainer = false
      switch String(decoding: line[..<colon], as: UTF8.self).trimmingSpaces.lowercased() {
      case "from", "sender", "reply-to", "to", "cc", "bcc": header = .address
      case "content-type": header = .contentType
      case "content-disposition": header = .disposition
      case "date": header = .date
      default: break
      }
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// `word`: lower-case ASCII letters.
  fileprivate func containsIgnoringCase(_ word: StaticString) -> Bool {
    let word = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    guard count >= word.count else { return false }
    return (0...count - word.count).contains { start in
      zip(self[start...], word).allSatisfy { $0 | 0x20 == $1 }
    }
  }
}
