import Canonical
import Foundation
import FuzzTargets
import Parsing
import Testing

@testable import Channels

/// A normaliser keeps its parsers and nothing of what they read: in whatever order records come, each becomes the same events.
///
/// Many more of them, in a few minutes:
/// `THROUGHLINE_ORDER_BODIES=100000 swift test -c release -Xswiftc -enable-testing --filter OrderOfArrivalTests`.
/// Of a record a digest is kept, and the record is made again from its number; `THROUGHLINE_ORDER_SEED` gives other ones.
@Suite struct OrderOfArrivalTests {
  private static let count = number("BODIES") ?? 100
  private static let seed = UInt64(number("SEED") ?? 1)

  private static func number(_ name: String) -> Int? {
    ProcessInfo.processInfo.environment["THROUGHLINE_ORDER_" + name].flatMap { Int($0) }
  }

  @Test("Records that are read in another order are the same events", arguments: Formats.all.map(\.type))
  func anyOrder(_ type: String) throws {
    let samples = Sample.all.filter { $0.type == type }
    try #require(!samples.isEmpty)
    let normaliser = Normaliser(tokenKey: Sample.tokenKey)
    let digests = (0..<Self.count).map { Self.digest(normaliser.normalise(Self.record($0, of: samples))) }

    var random = SplitMix64(seed: Self.seed)
    let other = Normaliser(tokenKey: Sample.tokenKey)
    let different = (0..<Self.count).shuffled(using: &random).filter {
      Self.digest(other.normalise(Self.record($0, of: samples))) != digests[$0]
    }
    #expect(different == [], "seed \(Self.seed)")

    let again = stride(from: 9, to: Self.count, by: 10).filter { digests[$0] != digests[$0 - 9] }
    #expect(again == [], "seed \(Self.seed)")
    // Were all of them refused for the same reason, the order would be nothing.
    #expect(Set(digests).count > min(Self.count, 1_000) / 10)
  }

  /// The same for the same number: of ten one is broken, and one is the first of them again.
  private static func record(_ number: Int, of samples: [Sample]) -> Record {
    let number = number % 10 == 9 ? number - 9 : number
    var random = SplitMix64(seed: seed &+ UInt64(number))
    var sample = samples[Int.random(in: samples.indices, using: &random)]
    sample.headers["ce_id"] = "\(number)"
    if number % 10 == 8 {
      var mutator = Mutator(seed: random.next())
      sample.payload = mutator.next([sample.payload])
    } else {
      sample.payload = renewed(sample.payload, seed: random.next())
    }
    return sample.record()
  }

  /// With other ids, times and letters, and no less of a document: runs of three digits and more, which are no escapes, and those
  /// behind a space become others, equal ones equal ones; so do letters of two bytes, which stand in texts alone.
  private static func renewed(_ body: [UInt8], seed: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    var renewed = body
    var start = 0
    var last: UInt8 = 0
    for (position, byte) in (body + [0]).enumerated() {
      // From U+00E0 to U+00FF.
      if last == 0xc3, (0xa0...0xbf).contains(byte) { renewed[position] = UInt8.random(in: 0xa0...0xbf, using: &random) }
      last = byte
      if byte.isDigit { continue }
      if position - start > 2 || position > start && start > 0 && body[start - 1] == UInt8(ascii: " ") {
        var digits = SplitMix64(seed: body[start..<position].reduce(seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 })
        // No number of JSON begins with a zero.
        for place in start..<position where place > start || body[place] != UInt8(ascii: "0") {
          let lowest = UInt8(ascii: place > start ? "0" : "1")
          renewed[place] = UInt8.random(in: lowest...UInt8(ascii: "9"), using: &digits)
        }
      }
      start = position + 1
    }
    return renewed
  }

  private static func digest(_ record: NormalisedRecord) -> Bytes16 {
    Bytes16(Digest.bytes16([record.tenant] + record.elements.map { canonicalJSON($0).string }))
  }
}
