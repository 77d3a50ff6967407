import Canonical
import Parsing
import Testing

@testable import Channels

/// Whatever arrives ends as elements: nothing traps, nothing is lost, nothing that PostgreSQL refuses gets through.
@Suite struct HostileTests {
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

  private func outcomes(_ type: String, _ name: String, _ body: String, headers: [String: String] = [:]) throws -> [String] {
    var sample = try Sample.named(type, name)
    sample.payload = Array(body.utf8)
    sample.headers.merge(headers) { $1 }
    let binary = Normaliser().normalise(sample.record()).outcomes
    #expect(Normaliser().normalise(sample.structured).outcomes == binary)
    return binary
  }

  @Test("An object of too many keys, or with a key that is too long, is refused as a whole")
  func keys() throws {
    func chat(_ members: String) throws -> [String] {
      try outcomes(
        "chat.event", "created",
        #"{"event":"message.created","event_id":"1","visitor":{"id":"v",\#(members)},"message":{"text":"x"}}"#)
    }
    func members(_ count: Int) -> String { (0..<count).map { "\"k\($0)\":0" }.joined(separator: ",") }
    #expect(try chat(members(1_023)) == ["event"])
    #expect(try chat(members(1_024)) == ["too_large"])
    #expect(try chat("\"" + String(repeating: "k", count: 1_024) + "\":0") == ["event"])
    #expect(try chat("\"" + String(repeating: "k", count: 1_025) + "\":0") == ["too_large"])
  }

  @Test(
    "An attribute of the envelope has a bound in either content mode",
    arguments: ["ce_id", "ce_type", "ce_traceparent", "ce_attested"])
  func attributes(_ name: String) throws {
    let body = #"{"event":"typing","event_id":"1"}"#
    let long = [name: String(repeating: "- ", count: 2_049)]
    #expect(try outcomes("chat.event", "created", body, headers: long) == ["too_large"])
  }

  @Test("Rejected elements share a letter from the hundredth on, and the good ones among them are stored")
  func rejections() throws {
    let good = #"{"from":"34600111222","id":"w","timestamp":"1","type":"text","text":{"body":"a"}}"#
    let list = Array(repeating: "1", count: 200).joined(separator: ",") + "," + good
    let body =
      #"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messages":[\#(list)]}}]}]}"#
    let outcomes = try outcomes("whatsapp.cloud", "text_by_number", body)
    #expect(outcomes == Array(repeating: "malformed_payload", count: 100) + ["too_large", "event"])
  }

  @Test("The name of a list is its sender's and stands in no detail")
  func namesInDetails() throws {
    var sample = try Sample.named("x.activity", "one_bad_element")
    sample.payload = Array(#"{"for_user_id":"1","Ana Díaz\u0000":[1]}"#.utf8)
    let elements = Normaliser().normalise(sample.record()).elements
    guard case .rejected(let rejection) = elements.first else { return #expect(Bool(false), "\(elements)") }
    #expect(rejection == Rejection(.malformedPayload, "events[]"))
  }

  @Test("What was not read from Kafka in full is a dead letter that says how much of it is there")
  func cutRecords() throws {
    var record = try Sample.named("chat.event", "created").record()
    let count = record.byteCount
    record.omittedBytes = 300_000_000
    guard case .rejected(let rejection) = Normaliser().normalise(record).elements.first else { return #expect(Bool(false)) }
    #expect(rejection == Rejection(.truncated, "\(count) of \(300_000_000 + count) bytes are kept"))
    record.omittedBytes = 0
    record.key = [UInt8](repeating: 0, count: 70_000)
    #expect(Normaliser().normalise(record).outcomes == ["too_large"])
  }

  @Test("A broker's time beyond the calendar is brought back into it")
  func brokersTime() throws {
    var sample = try Sample.named("chat.event", "created")
    sample.headers["ce_time"] = nil
    var record = sample.record()
    record.timestamp = Timestamp(milliseconds: .max)
    let event = try #require(Normaliser().normalise(record).events.first)
    #expect(event.receivedAt == Timestamp.storable.upperBound)
  }

  @Test(
    "What stands beside many elements is not kept with each of them when it is long",
    arguments: [
      (
        "liveagent.ticket", "chat", #"{"id":"t","groups":[{"type":"3","note":"LONG","messages":[LIST]}]}"#,
        #"{"id":"m%","message":"x"}"#
      ),
      (
        "telegram.update", "business_deleted",
        #"{"update_id":1,"deleted_business_messages":{"chat":{"id":7,"title":"LONG"},"message_ids":[LIST]}}"#, "1%"
      ),
      (
        "line.webhook", "groups",
        #"{"events":[{"type":"memberJoined","source":{"groupId":"LONG"},"joined":{"members":[LIST]}}]}"#, #"{"userId":"U%"}"#
      ),
      (
        "slack.event", "message",
        #"{"type":"block_actions","user":{"id":"U1"},"container":{"type":"LONG"},"actions":[LIST]}"#, #"{"action_id":"a%"}"#
      ),
    ])
  func sharedContext(_ type: String, name: String, body: String, element: String) throws {
    let list = (0..<1_000).map { element.replacing("%", with: String($0)) }.joined(separator: ",")
    var sample = try Sample.named(type, name)
    sample.payload = Array(
      body.replacing("LIST", with: list).replacing("LONG", with: String(repeating: "x", count: 7 << 20)).utf8)
    let events = Normaliser().normalise(sample.record()).events
    #expect(events.count == 1_000 && Set(events.map(\.key)).count == 1_000)
    #expect(events.reduce(0) { $0 + canonicalJSON($1).utf8.count } < 2 << 20)
  }

  @Test("Identifiers that repeat each other and parameters of a mail are counted before they cost anything")
  func counted() throws {
    let numbers = Array(repeating: #"{"kind":"phone","value":"1"}"#, count: 33).joined(separator: ",")
    #expect(try outcomes("contact.upsert", "full", #"{"identifiers":[\#(numbers),0]}"#) == ["too_large"])
    let mail = "Content-Type: text/plain; " + String(repeating: "a=b; ", count: 20_001) + "\n\nx"
    #expect(try outcomes("email.rfc822", "nonsense_date", mail) == ["malformed_payload"])
  }
}
