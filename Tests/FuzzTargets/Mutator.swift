import Canonical

/// Changes inputs the way that hurts parsers, the same for the same seed.
public struct Mutator {
  private var random: SplitMix64

  public init(seed: UInt64) { random = SplitMix64(seed: seed) }

  /// One of the seeds with a few things done to it.
  public mutating func next(_ seeds: [[UInt8]]) -> [UInt8] {
    var input = seeds.randomElement(using: &random) ?? []
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let start = Int.random(in: 0...input.count, using: &random)
      let range = start..<min(input.count, start + Int.random(in: 0...64, using: &random))
      switch Int.random(in: 0..<10, using: &random) {
      case 0 where start < input.count: input[start] = UInt8.random(in: 0...255, using: &random)
      case 1 where start < input.count: input[start] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2: input.removeSubrange(range)
      case 3: input.insert(contentsOf: input[range], at: start)
      case 4:
        let count = 1 << Int.random(in: 0...10, using: &random)
        input.insert(contentsOf: repeatElement(input[range], count: count).joined().prefix(1 << 14), at: start)
      case 5:
        let other = seeds.randomElement(using: &random) ?? []
        input = input[..<start] + other.suffix(Int.random(in: 0...other.count, using: &random))
      case 6: input.insert(contentsOf: word(), at: start)
      default:
        let tokens = Self.tokens(of: input)
        guard let token = tokens.randomElement(using: &random) else { continue }
        // With something that looks like a value, or with another value or key of the same input.
        let other = Int.random(in: 0..<3, using: &random) == 0 ? tokens.randomElement(using: &random) : nil
        input.replaceSubrange(token, with: other.map { Array(input[$0]) } ?? word())
      }
    }
    return input
  }

  private mutating func word() -> [UInt8] { Self.words.randomElement(using: &random) ?? [] }

  /// What has broken parsers somewhere; also libFuzzer's dictionary.
  public static let words: [[UInt8]] =
    [
      "null", "true", "0", "-1", "-0.0", "1e400", "-1e-400", "9223372036854775807", "9223372036854775808", "18446744073709551616",
      "-9223372036854775809", "123456789012345678901234567890", "253402300800", "-62135596801000", "1.7976931348623157e308",
      #""""#, #"" ""#, #""\u0000""#, #""\ud800""#, #""\udfff x""#, #""\\u0000""#, #""\u005cu0000""#, #""+""#, #""ES.""#, "[]",
      "{}",
      "[null]", #"{"a":[{}]}"#, #""99999999999999999999""#, "\"\(Promises.secret)\"", Promises.secret, #""id""#, #""type""#, "}",
      "\"",
      ",", ":", "\\", "\"\u{301}\u{301}\"", "\"\u{202e}\u{feff}\"", "%00", "%", "%ff", "&", "=", "+", "\r\n", "\n\n", "\0", "\t",
      "--", "<", ">", "<!--", "]]>", "&#0;", "&nbsp;", "<pre>", "=?utf-8?b?AA==?=", "=?utf-7?q?+AAA-?=", "=00", "a:", ";",
      "\u{1b}$B",
      "Content-Type: multipart/mixed; boundary=z\n\n--z\n", "charset=utf-16", "/channels/", "2026-02-30T25:61:61Z", "\u{fffd}",
      "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999-23:59",
    ].map { Array($0.utf8) }
    + [
      [0xff, 0xfe], [0xc0, 0x80], [0xed, 0xa0, 0x80], Array(repeating: 0x5b, count: 80), Array(repeating: 0x78, count: 5_000),
    ]

  /// Strings (keys too), numbers and words, wherever they stand.
  private static func tokens(of input: [UInt8]) -> [Range<Int>] {
    var tokens: [Range<Int>] = []
    var position = 0
    while position < input.count {
      let start = position
      if input[position] == UInt8(ascii: "\"") {
        position += 1
        while position < input.count, input[position] != UInt8(ascii: "\"") {
          position += input[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        position = min(position + 1, input.count)
      } else {
        while position < input.count, input[position] > 0x20, !"\"{}[]:,;&=<>".utf8.contains(input[position]) { position += 1 }
      }
      if position > start { tokens.append(start..<position) } else { position += 1 }
    }
    return tokens
  }
}
