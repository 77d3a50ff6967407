import Parsing
import Testing

@Suite("Hostile mail")
struct HostileMailTests {
  private func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

  /// Multiparts inside one another, text at the bottom.
  private func nested(_ depth: Int) -> [UInt8] {
    let levels = (0..<depth).map { "Content-Type: multipart/mixed; boundary=b\($0)\n\n--b\($0)\n" }
    return Array("MIME-Version: 1.0\n".utf8) + levels.flatMap { Array($0.utf8) } + Array("\nbottom\n".utf8)
  }

  @Test("what has no header is unreadable", arguments: ["", "\n\n", "hello world", "\0\0\0"])
  func noHeader(text: String) {
    #expect(throws: MIMEFault.unreadable) { _ = try MIME.parse(Array(text.utf8)) }
  }

  @Test("nesting up to the limit is read, more is refused, absurd nesting at once")
  func nesting() throws {
    #expect(try MIME.parse(nested(32)).plainText == "bottom\n")
    for depth in [33, 256, 257, 20_000] {
      #expect(throws: MIMEFault.tooDeep) { _ = try MIME.parse(nested(depth)) }
    }
  }

  @Test(
    "address groups inside one another would end the stack",
    arguments: ["To: ", "tO\t: ", "Bcc: ", "Content-Type: message/rfc822\n\nFrom: "])
  func nestedGroups(start: String) {
    #expect(throws: MIMEFault.tooDeep) { _ = try MIME.parse(Array((start + repeated("a:", 100_000) + "\n\nx").utf8)) }
    #expect(throws: MIMEFault.tooDeep) { _ = try MIME.parse(Array((start + repeated("a:\n ", 100_000) + "\n\nx").utf8)) }
  }

  @Test("parts over the limit are left out and flagged")
  func manyParts() throws {
    let message = try mail("Content-Type: multipart/mixed; boundary=z", repeated("--z\nContent-Type: a/b\n\nx\n", 1_000))
    #expect(message.attachments.count == 256)
    #expect(message.flags == ["parts_capped"])
  }

  @Test("a mail that is nothing but structure is read in part", arguments: ["--z\n\n", "--z\n", "a:\n"])
  func structure(unit: String) throws {
    let message = try mail("Content-Type: multipart/mixed; boundary=z", repeated(unit, 100_000))
    #expect(message.flags.contains("structure_capped"))
  }

  @Test("a long list of recipients is cut and flagged")
  func manyRecipients() throws {
    let message = try mail("To: " + repeated("a@x.example, ", 5_000), "x")
    #expect(message.to.count == 1_024)
    #expect(message.flags == ["addresses_capped"])
  }

  @Test("any cut and any damage of a mail ends in a message or a fault")
  func damage() {
    let seed = UInt64.random(in: .min ... .max)
    var random = SplitMix64(state: seed)
    let original = Array(MIMETests.sample.utf8)
    let pieces = ["\0", "\n", "--m1\n", "\"", "<", ":", "=?utf-8?q?", "\u{1B}$B", "\r", ";", "boundary=", "multipart/mixed", "é"]
    for _ in 0..<500 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        let position = Int.random(in: 0...bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes.removeSubrange(position...)
        case 1: bytes.insert(contentsOf: Array((pieces.randomElement(using: &random) ?? "").utf8), at: position)
        case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: position)
        default: bytes.removeSubrange(position..<min(position + 20, bytes.count))
        }
      }
      guard let message = try? MIME.parse(bytes) else { continue }
      #expect(message.attachments.count <= 256 && message.plainText?.utf8.contains(0) != true, "seed \(seed)")
    }
  }
}

/// Steele, Lea, Flood: a generator whose whole state is the seed.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
