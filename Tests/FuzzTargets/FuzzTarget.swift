import Canonical
import Channels
import Foundation
import Parsing

/// Bytes of any kind for one reader of what comes from outside, and what must hold of whatever it makes of them.
public struct FuzzTarget: Sendable {
  /// Its folder in `Regressions`, and its name on the command line of `scripts/fuzz`.
  public var name: String
  /// Inputs to begin with.
  public var seeds: [[UInt8]]
  /// What does not hold for an input; nothing is good.
  public var check: @Sendable ([UInt8]) -> [String]

  /// Every reader; a format is one by standing in the registry.
  public static let all: [FuzzTarget] =
    [
      FuzzTarget(name: "envelope", seeds: Corpus.envelopes, check: envelope),
      FuzzTarget(name: "mime", seeds: Corpus.payloads(of: "email.rfc822"), check: mime),
      FuzzTarget(name: "html", seeds: Corpus.pages, check: html),
      FuzzTarget(name: "json", seeds: Corpus.documents, check: json),
      FuzzTarget(name: "words", seeds: Corpus.words, check: words),
    ]
    + Formats.all.map { format in
      FuzzTarget(name: format.type, seeds: Corpus.payloads(of: format.type)) { payload in normalise(payload, format) }
    }

  /// Found before, by this or by other means; run in full by the tests.
  public var regressions: [[UInt8]] { Corpus.files(in: Self.regressionsFolder.appending(path: name)).map(\.bytes) }
  public static let regressionsFolder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Regressions")

  // MARK: - Records

  /// A payload of one format, from an adapter that vouches for everything or for nothing.
  private static func normalise(_ payload: [UInt8], _ format: ChannelFormat) -> [String] {
    let isVouchedFor = payload.reduce(0, ^) & 1 == 0
    var headers = Corpus.headers(of: format)
    headers.append(Record.Header("ce_attested", Array((isVouchedFor ? "signature token dmarc caller_id business" : "").utf8)))
    return Promises.broken(by: record(topic: format.topic, headers, payload))
  }

  /// Lines of `name: value`, an empty line, and the value. `topic`, `key` and `time` are no headers but the record's own.
  private static func envelope(_ input: [UInt8]) -> [String] {
    var rest = input[...]
    var headers: [Record.Header] = []
    while let line = rest.split(separator: 0x0a, maxSplits: 1, omittingEmptySubsequences: false).first {
      rest = rest.dropFirst(line.count + 1)
      if line.isEmpty { break }
      let name = line.prefix { $0 != UInt8(ascii: ":") }
      // Without a colon the header has no value, which is not an empty one.
      let value = name.count == line.count ? nil : Array(line.dropFirst(name.count + 1).drop { $0 == 0x20 })
      headers.append(Record.Header(String(decoding: name, as: UTF8.self), value))
    }
    func own(_ name: String) -> [UInt8]? { headers.first { $0.name == name }?.value }
    let topic = String(decoding: own("topic") ?? [], as: UTF8.self)
    let time = own("time").flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
    var record = record(topic: topic, headers.filter { !["topic", "key", "time"].contains($0.name) }, Array(rest))
    record.key = own("key")
    record.timestamp = time.map { Timestamp(milliseconds: $0) }
    return Promises.broken(by: record)
  }

  private static func record(topic: String, _ headers: [Record.Header], _ value: [UInt8]) -> Record {
    Record(
      topic: topic, partition: 0, offset: 7, timestamp: Timestamp(seconds: 1_778_577_245), key: nil, headers: headers,
      value: value)
  }

  // MARK: - Parsers

  private static func mime(_ input: [UInt8]) -> [String] {
    guard let mail = try? MIME.parse(input), let again = try? MIME.parse(input) else { return [] }
    var broken = Broken()
    broken.unless(mail == again, "a mail reads the same twice")
    let mailboxes = [mail.from, mail.sender, mail.replyTo, mail.to, mail.cc]
    broken.unless(mail.attachments.count <= 256, "attachments are counted")
    broken.unless(mailboxes.allSatisfy { $0.count <= 1_024 }, "addresses are counted")
    broken.unless(mail.references.count <= 256 && mail.inReplyTo.count <= 256, "references are counted")
    broken.unless((mail.references + mail.inReplyTo).allSatisfy { (1...998).contains($0.utf8.count) }, "ids are lines of a mail")
    broken.unless(mail.attachments.allSatisfy { $0.sizeBytes >= 0 && $0.sizeBytes <= 4 * input.count + 4_096 }, "sizes are sizes")
    var lines = [mail.subject, mail.messageID, mail.report?.type, mail.report?.originalID] + mail.references + mail.inReplyTo
    for group in mail.report?.groups ?? [] { lines += group.values.map(Optional.some) }
    lines +=
      mailboxes.joined().flatMap { [$0.name, $0.address] } + mail.attachments.flatMap { [$0.name, $0.type, $0.contentID] }
    broken.unless(lines.allSatisfy { $0?.utf8.contains { $0 < 0x20 } != true }, "a header's value is one line")
    // A character set makes three bytes of one at most; HTML that has to stand beside plain text is escaped, "&" with five.
    for text in [mail.plainText, mail.htmlText].compactMap(\.self) {
      broken.unless(!text.utf8.contains(0), "no zero in a text")
      broken.unless(text.utf8.count <= 15 * input.count + 4_096, "a text grows by its escapes")
    }
    return broken.list
  }

  private static func html(_ input: [UInt8]) -> [String] {
    var broken = Broken()
    let page = String(decoding: input, as: UTF8.self)
    for isDropping in [false, true] {
      let whole = HTMLText.plainText(page, maximumOutputBytes: 1 << 20, droppingQuotes: isDropping)
      let short = HTMLText.plainText(page, maximumOutputBytes: 100, droppingQuotes: isDropping)
      broken.unless(!whole.text.utf8.contains(0), "no zero in a text")
      broken.unless(whole.text.utf8.count <= page.utf8.count, "a text is not longer than its page")
      broken.unless(short.text.utf8.count <= 100, "a text is cut")
      broken.unless(whole.text.utf8.starts(with: short.text.utf8), "a text is cut at its end")
      broken.unless(short.isTruncated || short.text == whole.text, "what is cut says so")
    }
    return broken.list
  }

  private static func json(_ input: [UInt8]) -> [String] {
    let parser = JSONParser(maximumBytes: 1 << 20, maximumDepth: 64, maximumKeys: 1_000, maximumKeyBytes: 1_000)
    guard let value = try? parser.parse(input) else { return [] }
    let text = value.utf8
    var broken = Broken()
    broken.unless(text.isJSON, "what is written is JSON")
    let digits = Corpus.integers(in: input)
    broken.unless(digits.allSatisfy { text.firstRange(of: $0) != nil }, "no digit of an integer is lost")
    visit(value, depth: 0, &broken)
    guard let again = try? parser.parse(text) else { return broken.list + ["what is written is read"] }
    broken.unless(again.utf8 == text, "what is written stays as it is")
    broken.unless(!value.exists && value.utf8.isEmpty, "a value of the document before is none")
    return broken.list
  }

  private static func visit(_ value: JSONValue, depth: Int, _ broken: inout Broken) {
    guard depth <= 66 else { return broken.unless(false, "depth is counted") }
    let beginning = value.string(prefix: 5) ?? ""
    broken.unless(beginning.utf8.count <= 5 && value.string?.utf8.starts(with: beginning.utf8) != false, "a beginning is one")
    broken.unless(value.string(atMost: 5).map { $0 == value.string } != false, "a short string is whole")
    broken.unless(value.double?.isFinite != false, "numbers are finite")
    broken.unless(value.int64 == nil || value.idString == value.int64.map { String($0) }, "an id is exact")
    var count = 0
    for (key, member) in value.members {
      count += 1
      broken.unless(key.utf8.count <= 1_000 && value[key].exists, "a member has a key")
      visit(member, depth: depth + 1, &broken)
    }
    broken.unless(count <= 1_000, "keys are counted")
    for element in value.elements { visit(element, depth: depth + 1, &broken) }
  }

  /// Times, addresses and numbers.
  private static func words(_ input: [UInt8]) -> [String] {
    let text = String(decoding: input, as: UTF8.self)
    var broken = Broken()
    for time in [ISO8601.microseconds(text), ISO8601.englishMicroseconds(text)].compactMap(\.self) {
      let time = Timestamp(microseconds: time)
      broken.unless(
        (-62_135_683_140...253_402_387_140).contains(time.microseconds / 1_000_000), "a time has four digits of a year")
      guard Timestamp.storable.contains(time) else { continue }
      broken.unless(ISO8601.microseconds(time.iso8601) == time.microseconds, "a time that is written is the same")
    }
    if let address = EmailAddress.normalise(text) {
      broken.unless(EmailAddress.normalise(address) == address && address.utf8.count <= 254, "an address has one form")
    }
    for region in [nil, "DE", text] {
      guard let number = PhoneNumber.e164(text, region: region) else { continue }
      broken.unless(PhoneNumber.e164(number) == number && number.utf8.count <= 16, "a number has one form")
    }
    return broken.list
  }
}

/// Collects what does not hold.
struct Broken {
  private(set) var list: [String] = []
  mutating func unless(_ holds: Bool, _ promise: String) {
    if !holds, !list.contains(promise) { list.append(promise) }
  }
}

extension [UInt8] {
  /// By a parser that has nothing to do with ours.
  var isJSON: Bool { (try? JSONSerialization.jsonObject(with: Data(self), options: .fragmentsAllowed)) != nil }
}
