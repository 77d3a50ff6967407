import Canonical
import Parsing
import Testing

/// What is written eight bytes at a time, wherever the special ones stand.
@Suite struct CanonicalTextTests {
  @Test func `every character parses back, at every place of a short and of a long text`() throws {
    let parser = JSONParser(maximumBytes: 1_000)
    let scalars = (0...0xff).compactMap(UnicodeScalar.init) + ["\u{2028}", "😀"]
    for length in [1, 7, 8, 9, 16, 21] {
      for position in 0..<length {
        for scalar in scalars {
          let text =
            String(repeating: "a", count: position) + String(scalar) + String(repeating: "~", count: length - 1 - position)
          var writer = JSONObjectWriter()
          writer.member("k", text)
          let json = writer.finish().utf8
          let parsed = try parser.parse(json)["k"].string
          guard parsed == text, json.allSatisfy({ $0 >= 0x20 }) else {
            Issue.record("U+\(String(scalar.value, radix: 16)) at \(position) of \(length)")
            return
          }
        }
      }
    }
  }

  @Test func `an id is its 16 bytes in lower case, and reads back`() {
    var random = SplitMix64(seed: 5)
    let raws = [
      Bytes16(high: 0, low: 0), Bytes16(high: .max, low: .max), Bytes16(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210),
    ]
    for raw in raws + (0..<500).map({ _ in Bytes16(high: random.next(), low: random.next()) }) {
      let digits = [raw.high, raw.low].map { word in
        let hex = String(word, radix: 16)
        return String(repeating: "0", count: 16 - hex.count) + hex
      }.joined()
      let text = ID(raw).description
      #expect(text.filter { $0 != "-" } == digits)
      #expect(text.split(separator: "-").map(\.count) == [8, 4, 4, 4, 12])
      #expect(ID(text) == ID(raw))
    }
  }
}
