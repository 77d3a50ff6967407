import Canonical
import Testing

@testable import Demo

/// How the sample day reads what the workers write, and how it tells the time.
@Suite struct ReadingTests {
  @Test func `what is written as JSON is read as it was`() throws {
    let text = "a \"quoted\" \\ line\nand\u{1}more, é, 👍, العربية"
    let written = object { writer in
      writer.member("text", text)
      writer.member("number", Int64(-42))
      writer.member("flag", true)
      writer.member("list", ["one", "two"])
      writer.member("nested", object { $0.member("token", "t") })
      writer.member("none", JSONText(utf8: Array("null".utf8)))
    }
    let read = try #require(JSON(written.utf8))
    #expect(read["text"]?.string == text)
    #expect(read["number"]?.int == -42)
    #expect(read["flag"] == .bool(true))
    #expect(read["list"] == .array([.string("one"), .string("two")]))
    #expect(read["nested"]?["token"]?.string == "t")
    #expect(read["none"] == .null)
    #expect(JSON(Array(#"{"a":"\u00e9 \ud83d\udc4d"}"#.utf8)) == .object(["a": .string("é 👍")]))
  }

  @Test(arguments: [
    "", "{", #"{"a":1"#, #"{"a"}"#, "[1,]", #""\ud83d""#, #""open"#, "tru", "{} {}", String(repeating: "[", count: 100_000),
  ])
  func `what is no JSON is none`(text: String) { #expect(JSON(Array(text.utf8)) == nil) }

  @Test(arguments: [0, 951_782_400_123_456, 1_709_164_799_999_999, 1_778_577_242_120_000] as [Int64])
  func `a time is read as it is written`(microseconds: Int64) {
    let time = Timestamp(microseconds: microseconds)
    #expect(Timestamp(iso8601: time.iso8601) == time)
  }

  @Test func `the day is yesterday, from its first minute to its last`() throws {
    let now = try #require(Timestamp(iso8601: "2026-03-01T00:00:00.000000Z"))
    let day = Day(before: now)
    #expect(day.at(0, 0).iso8601 == "2026-02-28T00:00:00.000000Z")
    #expect(day.contains(day.at(23, 59, 59)) && !day.contains(now))
    #expect(day.at(8, 12, 5).timeOfDay == "08:12")
    #expect(day.at(8, 12, 5).internetDate == "28 Feb 2026 08:12:05 +0000")
    #expect(Duration.seconds(13_405).spoken == "3 h 43 min" && Duration.seconds(59).spoken == "59 s")
  }

  @Test func `a name that is not ASCII is written as mail wants it`() {
    #expect("Lucía Ferrer".encodedWord == "=?UTF-8?Q?Luc=C3=ADa=20Ferrer?=")
    #expect("+44 7700/900".percentEncoded == "%2B44%207700%2F900")
  }

  @Test func `a scene is as it must be only when all of it holds`() {
    #expect(SceneResult("a", [Expectation("one", true)], story: []).isAsItMustBe)
    #expect(!SceneResult("a", [Expectation("one", true), Expectation("two", false)], story: []).isAsItMustBe)
    #expect(!SceneResult("a", [], story: []).isAsItMustBe)
  }
}
