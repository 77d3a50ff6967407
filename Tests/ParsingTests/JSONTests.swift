import Parsing
import Testing

@Suite("JSON")
struct JSONTests {
  private let parser = JSONParser(maximumBytes: 1 << 20, maximumDepth: 64)

  private func parse(_ text: String) throws -> JSONValue { try parser.parse(Array(text.utf8)) }

  @Test("a webhook is read by keys and elements")
  func readsAWebhook() throws {
    let body = try parse(
      #"""
      {"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"value":{
      "metadata":{"phone_number_id":"106540352242922"},"contacts":[{"profile":{"name":"Ana Ruíz"},"wa_id":"34600123456"}],
      "messages":[{"id":"wamid.A","timestamp":"1749416383","text":{"body":"¿Dónde está mi pedido?"}}]},"field":"messages"}]}]}
      """#)
    let value = try #require(body["entry"].elements.map { $0["changes"] }.first?.elements.map { $0["value"] }.first)
    #expect(value["metadata"]["phone_number_id"].string == "106540352242922")
    #expect(value["contacts"].elements.map { $0["profile"]["name"].string } == ["Ana Ruíz"])
    #expect(value["messages"].elements.map { $0["text"]["body"].string } == ["¿Dónde está mi pedido?"])
    #expect(body.members.map(\.key) == ["object", "entry"])
  }

  @Test("what is missing or of another kind is absent, empty or nil")
  func missingIsAbsent() throws {
    let body = try parse(#"{"a":1,"n":null}"#)
    #expect(!body["x"]["y"]["z"].exists)
    #expect(!body["a"]["b"].exists)
    #expect(body["n"].exists && body["n"].isNull)
    #expect(body["a"].string == nil && body["a"].bool == nil)
    #expect(Array(body["a"].elements).isEmpty && Array(body["a"].members).isEmpty)
    #expect(JSONValue.absent.utf8.isEmpty)
  }

  @Test("numbers keep their kind")
  func numbers() throws {
    let body = try parse(#"[9223372036854775807, 18446744073709551615, 1.5, -9223372036854775808, 7.0]"#)
    let values = Array(body.elements)
    #expect(values.map(\.int64) == [.max, nil, nil, .min, nil])
    #expect(values.map(\.double) == [0x1p63, 0x1p64, 1.5, -0x1p63, 7])
    #expect(values.map(\.idString) == ["9223372036854775807", "18446744073709551615", nil, "-9223372036854775808", nil])
  }

  @Test("an integer above UInt64 stays exact as a string", arguments: ["18446744073709551616", "-9223372036854775809"])
  func bigIntegers(digits: String) throws {
    let body = try parse(#"{"id":\#(digits),"text":"5 \" 99999999999999999999"}"#)
    #expect(body["id"].idString == digits)
    #expect(body["text"].string == #"5 " 99999999999999999999"#)
  }

  @Test("a number beyond Double is the largest power of ten")
  func bigNumbers() throws {
    let body = try parse("[1e999,-1e999,1e-999]")
    #expect(body.elements.map(\.double) == [1e308, -1e308, 0])
  }

  @Test("a lone surrogate becomes U+FFFD, a pair stays a character")
  func surrogates() throws {
    let body = try parse(#"["\ud800","a\udc00b","\ud83d\ud83d\ude00","\\ud800"]"#)
    #expect(body.elements.map(\.string) == ["\u{FFFD}", "a\u{FFFD}b", "\u{FFFD}😀", #"\ud800"#])
  }

  @Test("NUL survives in strings, keys and text")
  func embeddedNUL() throws {
    let body = try parse(#"{"a\u0000b":"c\u0000d"}"#)
    #expect(body["a\0b"].string == "c\0d")
    #expect(String(decoding: body.utf8, as: UTF8.self) == #"{"a\u0000b":"c\u0000d"}"#)
  }

  @Test("the text of a value is minified")
  func minified() throws {
    let body = try parse(#"{ "a" : [ 1 , "é\n" , { "b" : null } ] }"#)
    #expect(String(decoding: body["a"].utf8, as: UTF8.self) == #"[1,"é\n",{"b":null}]"#)
  }

  @Test("the first of equal keys counts")
  func duplicateKeys() throws {
    #expect(try parse(#"{"a":1,"a":2}"#)["a"].int64 == 1)
  }

  @Test(
    "no JSON is malformed",
    arguments: [
      "", " ", "{", "nul", "{}x", #"{"a":01}"#, "[1.]", "[-]", #"["\q"]"#, #"["\u12"]"#, "[\"\u{1}\"]", "[1,]", "[0.1e]",
    ])
  func malformed(text: String) {
    #expect {
      _ = try parse(text)
    } throws: { error in
      guard case .malformed(let words) = error as? JSONFault else { return false }
      return !words.isEmpty
    }
  }

  @Test("invalid UTF-8 is named as such", arguments: [[0x22, 0xFF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22]] as [[UInt8]])
  func invalidUTF8(bytes: [UInt8]) {
    #expect(throws: JSONFault.invalidUTF8) { _ = try parser.parse(bytes) }
  }

  @Test("nesting is limited")
  func depth() throws {
    let nested = { (count: Int) in String(repeating: "[", count: count) + "1" + String(repeating: "]", count: count) }
    _ = try parse(nested(64))
    #expect(throws: JSONFault.tooDeep) { _ = try parse(nested(65)) }
    #expect(throws: JSONFault.tooDeep) { _ = try parse(nested(400_000)) }
  }

  @Test("size is limited, and a repair may exceed it")
  func size() throws {
    let body = Array("[123456789012345678901234567890]".utf8)
    #expect(throws: JSONFault.tooLarge) { _ = try JSONParser(maximumBytes: body.count - 1).parse(body) }
    _ = try JSONParser(maximumBytes: body.count).parse(body)
  }

  @Test("a view outlives the variable of its parser, but not the next parse")
  func viewLifetime() throws {
    let kept = try JSONParser(maximumBytes: 100).parse(Array(#"{"a":"alive"}"#.utf8))
    #expect(kept["a"].string == "alive")
    let stale = try parse(#"{"a":[1]}"#)
    _ = try? parse("nonsense")
    #expect(!stale.exists && !stale["a"].exists && stale.utf8.isEmpty)
  }

  @Test("a closure gets the view and its fault comes out")
  func closure() throws {
    let body = Array(#"{"a":7}"#.utf8)
    #expect(try parser.parse(body) { value in value["a"].int64 } == 7)
    #expect(throws: JSONFault.malformed("no")) {
      try parser.parse(body) { (_) throws(JSONFault) -> Void in throw .malformed("no") }
    }
  }
}
