import Canonical
import Parsing
import Testing

@testable import Channels

/// Whatever arrives ends as elements: nothing traps, nothing is lost, nothing that PostgreSQL refuses gets through.
@Suite struct HostileTests {
  private static let values: [String] = [
    "null", "true", "0", "-1", "1e400", "-0.0", "9223372036854775807", "9223372036854775808", "18446744073709551616",
    "123456789012345678901234567890", "1.7976931348623157e308", #""""#, #"" ""#, #""\u0000""#, #""\ud800""#, #""\udfff x""#,
    #""\\u0000""#, #""\u005cu0000""#, "[]", "{}", "[null]", #"{"a":[{}]}"#, #""99999999999999999999""#, #""ES.""#, #""+""#,
    String(repeating: "[", count: 80) + String(repeating: "]", count: 80), "\"" + String(repeating: "x", count: 5_000) + "\"",
    "\"\u{301}\u{301}\"", "\"\u{202e}\u{feff}\"", "\u{ff}", "", "}", "\"",
  ]

  @Test("Wrong values everywhere", arguments: Sample.all.filter { $0.payload.first == UInt8(ascii: "{") }, [1, 2] as [UInt64])
  func wrongValues(_ sample: Sample, seed: UInt64) {
    let tokens = valueTokens(of: sample.payload)
    var random = SplitMix64(seed: seed)
    let normaliser = Normaliser()
    for round in 0..<150 {
      var sample = sample
      guard let token = tokens.randomElement(using: &random), let value = Self.values.randomElement(using: &random) else {
        return
      }
      sample.payload.replaceSubrange(token, with: Array(value.utf8))
      check(normaliser.normalise(sample.record()), "\(sample.testDescription), seed \(seed), round \(round)")
      check(normaliser.normalise(sample.structured), "\(sample.testDescription), structured, seed \(seed), round \(round)")
    }
  }

  @Test("Flipped, cut, doubled and moved bytes", arguments: Sample.all, [3, 4] as [UInt64])
  func damagedBytes(_ sample: Sample, seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let normaliser = Normaliser()
    for round in 0..<100 {
      var sample = sample
      for _ in 0..<Int.random(in: 1...4, using: &random) where !sample.payload.isEmpty {
        let position = Int.random(in: 0..<sample.payload.count, using: &random)
        let end = min(sample.payload.count, position + Int.random(in: 0..<200, using: &random))
        switch Int.random(in: 0..<4, using: &random) {
        case 0: sample.payload[position] = UInt8.random(in: 0...255, using: &random)
        case 1: sample.payload.removeSubrange(position..<end)
        case 2: sample.payload.insert(contentsOf: sample.payload[position..<end], at: position)
        default: sample.payload.removeSubrange(position...)
        }
      }
      check(normaliser.normalise(sample.record()), "\(sample.testDescription), seed \(seed), round \(round)")
    }
  }

  @Test("Damaged headers", arguments: Sample.all, [5] as [UInt64])
  func damagedHeaders(_ sample: Sample, seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let normaliser = Normaliser()
    for round in 0..<100 {
      var record = sample.record()
      for position in record.headers.indices where Bool.random(using: &random) {
        guard var value = record.headers[position].value, !value.isEmpty else { continue }
        let byte = Int.random(in: 0..<value.count, using: &random)
        if Bool.random(using: &random) { value[byte] = UInt8.random(in: 0...255, using: &random) } else { value.remove(at: byte) }
        record.headers[position].value = Int.random(in: 0..<20, using: &random) == 0 ? nil : value
      }
      check(normaliser.normalise(record), "\(sample.testDescription), seed \(seed), round \(round)")
    }
  }

  @Test("Deep, huge and broken bodies are dead letters with their reason")
  func bodies() throws {
    func outcomes(_ body: [UInt8]) throws -> [String] {
      var sample = try Sample.named("chat.event", "created")
      sample.payload = body
      return Normaliser().normalise(sample.record()).outcomes
    }
    #expect(try outcomes([]) == ["malformed_json"])
    #expect(try outcomes(Array("{".utf8)) == ["malformed_json"])
    #expect(try outcomes(Array(#"{"a":"#.utf8) + [0x22, 0xff, 0x22, 0x7d]) == ["invalid_utf8"])
    #expect(try outcomes([UInt8](repeating: UInt8(ascii: "["), count: 100_000)) != ["event"])
    let deep = #"{"a":"# + String(repeating: "[", count: 70) + String(repeating: "]", count: 70) + "}"
    #expect(try outcomes(Array(deep.utf8)) == ["too_deep"])
    #expect(try outcomes(Array("[]".utf8)) == ["malformed_payload"])
    #expect(try outcomes([UInt8](repeating: 0x20, count: (8 << 20) + 1)) == ["too_large"])
  }

  @Test("U+0000 is refused where it is, a written-out escape is not")
  func zeros() throws {
    func outcomes(_ name: String) throws -> [String] {
      Normaliser().normalise(try Sample.named("chat.event", name).record()).outcomes
    }
    #expect(try outcomes("zero_in_text") == ["nul_in_text"])
    #expect(try outcomes("zero_in_details") == ["nul_in_text"])
    #expect(try outcomes("backslash_is_no_zero") == ["event"])
    let flow = try Sample.named("whatsapp.cloud", "buttons_and_flows")
    var hidden = flow
    hidden.payload = Array(
      String(decoding: flow.payload, as: UTF8.self).replacing(#"\"t\""#, with: #"\"\u005cu0000\""#).utf8)
    #expect(Normaliser().normalise(hidden.record()).outcomes == ["event", "event", "event", "nul_in_text", "event"])
  }

  @Test("Half an emoji becomes U+FFFD")
  func loneSurrogate() throws {
    let record = Normaliser().normalise(try Sample.named("chat.event", "lone_surrogate").record())
    #expect(record.messages.first?.text == "half \u{fffd} an emoji")
  }

  /// The promises that hold for every record.
  private func check(_ record: NormalisedRecord, _ place: String) {
    let parser = JSONParser(maximumBytes: 64 << 20, maximumDepth: 1_000)
    #expect(!record.elements.isEmpty, "\(place)")
    #expect(record.elements.count <= Limits().elements + 1, "\(place)")
    for event in record.events {
      let json = canonicalJSON(event)
      #expect(throws: Never.self, "\(place)") { _ = try parser.parse(json.utf8) }
      #expect(!json.holdsNUL, "\(place)")
      for identifier in event.stated.map(\.identifier) {
        #expect(!identifier.value.isEmpty && identifier.value.utf8.count <= 512 && identifier.scope.utf8.count <= 512, "\(place)")
        #expect(!identifier.kind.isClaimed, "\(place)")
      }
      if let sentAt = event.sentAt { #expect(Timestamp.storable.contains(sentAt), "\(place)") }
      switch event.body {
      case .action(let action):
        #expect((1...512).contains(action.agent.utf8.count) && (action.text?.utf8.count ?? 0) <= Limits().textBytes, "\(place)")
        #expect(action.identifiers.isEmpty == (action.kind != .identify), "\(place)")
        if let until = action.until { #expect(Timestamp.storable.contains(until), "\(place)") }
      case .presence(let presence):
        #expect((1...512).contains(presence.agent.utf8.count) && (0...10_000).contains(presence.capacity), "\(place)")
        #expect(presence.channels.values.allSatisfy { (0...1_000).contains($0) }, "\(place)")
        #expect(presence.skills.values.allSatisfy { (0...10).contains($0) } && presence.skills.count <= 64, "\(place)")
        #expect((5...3_600).contains(presence.leaseSeconds) && presence.teams.count <= 32, "\(place)")
      case .result(let result):
        #expect(result.names.count == (result.externalID == nil ? 0 : 1), "\(place)")
        #expect((result.error?.utf8.count ?? 0) <= Limits().lineBytes, "\(place)")
      case .message, .contact, .change, .unknown: break
      }
    }
  }

  /// Where the values of a JSON text are: strings (names too) and literals.
  private func valueTokens(of json: [UInt8]) -> [Range<Int>] {
    var tokens: [Range<Int>] = []
    var position = 0
    while position < json.count {
      let start = position
      switch json[position] {
      case UInt8(ascii: "\""):
        position += 1
        while position < json.count, json[position] != UInt8(ascii: "\"") {
          position += json[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        position = min(position + 1, json.count)
        tokens.append(start..<position)
      case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"):
        while position < json.count, !",]} \n".utf8.contains(json[position]) { position += 1 }
        tokens.append(start..<position)
      default: position += 1
      }
    }
    return tokens
  }
}
