import Canonical
import Operations
import Testing

@testable import Store
@testable import throughline

/// What operators type and see, without a database.
@Suite struct DeadLetterTextTests {
  @Test(
    arguments: [
      ("2026-05-12T09:14:07Z", .at(Timestamp(seconds: 1_778_577_247))),
      ("2026-05-12 11:14:07.5+02:00", .at(Timestamp(milliseconds: 1_778_577_247_500))),
      ("2026-05-12", .at(Timestamp(seconds: 1_778_544_000))), ("90s", .ago(seconds: 90)), ("30m", .ago(seconds: 1_800)),
      ("2h", .ago(seconds: 7_200)), ("7d", .ago(seconds: 604_800)), ("999999d", .ago(seconds: 86_399_913_600)),
      ("0s", .ago(seconds: 0)),
      ("", nil), ("h", nil), ("2", nil), ("2w", nil), ("-2h", nil), ("2 h", nil), ("1000000d", nil), ("1.5h", nil), ("٢h", nil),
      ("2026-02-30", nil), ("yesterday", nil), ("2026-05", nil),
    ] as [(String, Moment?)])
  func `a moment is a time, a date or how long ago`(_ text: String, _ moment: Moment?) {
    #expect(Moment(argument: text) == moment)
  }

  @Test func `how long ago counts from now`() {
    let now = Timestamp(seconds: 1_778_577_247)
    #expect(Moment(argument: "2h")?.time(at: now) == Timestamp(seconds: 1_778_570_047))
    #expect(Moment(argument: "2026-05-12")?.time(at: now) == Timestamp(seconds: 1_778_544_000))
  }

  @Test(arguments: [
    (["--partition", "1"], "--partition needs --topic"), (["--topic", "t", "--offset", "1"], "--offset needs"),
    (["--topic", "t", "--partition=-1"], "count from 0"), (["--reason", "bad"], "offsets_trimmed"),
    (["--since", "soon"], "'soon'"),
    (["--limit", "0"], "1 to 10000"), (["--limit", "10001"], "1 to 10000"), (["--all", "--replayed"], "one of them"),
    (["--summary", "--topic", "t", "--partition", "1", "--offset", "1"], "--offset"),
  ])
  func `what makes no sense is a usage error that says why`(_ arguments: [String], _ words: String) {
    let error = #expect(throws: (any Error).self) { try DeadLetterCommands.List.parse(arguments) }
    guard let error else { return }
    #expect(DeadLetterCommands.List.exitCode(for: error).rawValue == 64)
    #expect(DeadLetterCommands.List.fullMessage(for: error).contains(words))
  }

  @Test func `what publishes or deletes is told what to, in one way`() throws {
    let some = "01970000-0000-7000-8000-000000000000"
    for arguments in [[], [some, "--all"], [some, "--topic", "t"], ["nobody"], ["--force"], ["--dry-run"]] {
      #expect(throws: (any Error).self) { try DeadLetterCommands.Republish.parse(arguments) }
      #expect(throws: (any Error).self) { try DeadLetterCommands.Drop.parse(arguments + ["--yes"]) }
    }
    for arguments in [[some], ["--all"], ["--reason", "unknown_target"], ["--since", "2h"], ["--tenant", "t"]] {
      #expect(throws: Never.self) { try DeadLetterCommands.Republish.parse(arguments) }
      #expect(throws: Never.self) { try DeadLetterCommands.Drop.parse(arguments + ["--yes"]) }
    }
    #expect(throws: Never.self) { try DeadLetterCommands.Drop.parse(["--replayed", "--yes"]) }
  }

  @Test(arguments: [("channel.chat", "prod.channel.chat"), ("prod.channel.chat", "prod.channel.chat")])
  func `the prefix of a topic may be left out`(_ given: String, _ topic: String) throws {
    let configuration = try Configuration(environment: [
      "THROUGHLINE_TOPIC_PREFIX": "prod.", "THROUGHLINE_DATABASE_URL": "d", "THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS": "k",
    ])
    let command = try DeadLetterCommands.List.parse(["--topic", given, "--partition", "2", "--until", "1970-01-02"])
    let filter = command.which.filter(configuration)
    #expect(filter.topic == topic && filter.partition == 2 && filter.until == Timestamp(seconds: 86_400) && filter.since == nil)
  }

  @Test(arguments: [
    ("plain ü 你好", "plain ü 你好\n"), ("lines\n\tstay\n", "lines\n\tstay\n"), ("\u{1b}[2J", "\\u001b[2J\n"),
    ("a\u{202e}b\u{2066}c", "a\\u202eb\\u2066c\n"), ("\u{9b}31m\r\u{7f}\0", "\\u009b31m\\u000d\\u007f\\u0000\n"), ("", "\n"),
  ])
  func `no text obeys a terminal`(_ text: String, _ shown: String) {
    #expect(DeadLetterText.body(Array(text.utf8)) == shown)
  }

  @Test func `what is no text is shown in hexadecimal, and not all of it`() {
    #expect(
      DeadLetterText.body([0xff, 0x1b] + Array("abcdefghijklmnop".utf8))
        == """
        00000000  ff 1b 61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 6e  ..abcdefghijklmn
        00000010  6f 70                                            op

        """)
    let long = DeadLetterText.body([UInt8](repeating: 0xff, count: DeadLetterText.maximumDumpedBytes + 3))
    #expect(long.hasSuffix("… and 3 bytes more: --raw has all of them\n"))
    #expect(long.split(separator: "\n").count == DeadLetterText.maximumDumpedBytes / 16 + 1)
  }

  @Test func `columns stand below each other`() {
    #expect(
      DeadLetterText.table(["A", "NUMBER"], [["long", "7"], ["b", "11"]], numbers: [1])
        == "A     NUMBER\nlong       7\nb         11\n")
    #expect(DeadLetterText.table(["A", "B"], [["x", ""]], numbers: []) == "A  B\nx\n")
    #expect(DeadLetterText.table(["A"], [], numbers: []) == "no dead letters\n")
  }

  private static let letter = DeadLetter(
    id: ID(Bytes16(high: 1, low: 2)), tenant: "t", topic: "channel.chat", partition: 1, offset: 2, element: 3,
    reason: "invalid_utf8", detail: "json", attempt: 2, valueBytes: 2, createdAt: Timestamp(seconds: 0), replayedAt: nil)

  @Test(arguments: [(1, 2), (4, 5), (999_999, 1_000_000), (1_000_000, 1_000_000), (.max, 1_000_000)] as [(Int32, Int32)])
  func `a retry is the next attempt, and counting ends`(_ attempt: Int32, _ next: Int32) {
    var letter = Self.letter
    letter.attempt = attempt
    #expect(DeadLetterRetry.Group(letters: [letter]).attempt == next)
  }

  @Test func `a letter as JSON keeps every byte and obeys no terminal either`() {
    let letter = Self.letter
    let content = DeadLetters.Content(
      key: Array("a\u{202e}\u{9b}\"".utf8), value: [0xff, 0], headers: [.init("n", nil), .init("b", [0xfe]), .init("t", [0x20])],
      isWhole: true)
    #expect(
      letter.json(content).string == #"""
        {"id":"00000000-0000-0001-0000-000000000002","created_at":"1970-01-01T00:00:00.000000Z","tenant_id":"t","topic":"channel.chat",\#
        "partition":1,"offset":2,"element":3,"reason":"invalid_utf8","detail":"json","attempt":2,"value_bytes":2,\#
        "key":"a\u202e\u009b\"","headers":[{"name":"n"},{"name":"b","value_base64":"/g=="},{"name":"t","value":" "}],\#
        "value_base64":"/wA=","is_whole":true}
        """#)
    #expect(
      DeadLetterText.page(letter, content).contains("key      a\\u202e\\u009b\"\nheader   n: none\nheader   b: base64 /g==\n"))
  }

  @Test(
    arguments: [
      ([], []), ([5, 5, 5], [[5, 5], [5]]), ([11, 1, 9, 1], [[11], [1, 9], [1]]), ([0, 0, 0, 0], [[0, 0, 0], [0]]),
      ([.max, .max], [[.max], [.max]]),
    ] as [([Int64], [[Int64]])])
  func `batches are bounded, but for what is too heavy alone`(_ weights: [Int64], _ batches: [[Int64]]) {
    #expect(weights.batches({ $0 }, maximumCount: 3, maximumWeight: 10) == batches)
  }
}
