import Canonical
import Testing

@testable import Channels

@Suite struct EnvelopeTests {
  private func normalise(
    _ changes: [String: String?] = [:], topic: String? = nil, prefix: String = "", _ sample: Sample? = nil
  ) throws -> NormalisedRecord {
    var sample = try sample ?? Sample.named("chat.event", "created")
    for (name, value) in changes { sample.headers[name] = value }
    var record = sample.record(prefix: prefix)
    if let topic { record.topic = topic }
    return Normaliser(topicPrefix: prefix).normalise(record)
  }

  @Test(
    "An envelope that is wrong is a dead letter with its reason",
    arguments: [
      (["ce_id": nil], "envelope_invalid"), (["ce_id": ""], "envelope_invalid"), (["ce_type": nil], "envelope_invalid"),
      (["ce_source": nil], "envelope_invalid"), (["ce_source": "/channels/chat"], "envelope_invalid"),
      (["ce_source": "/channels/chat/"], "envelope_invalid"), (["ce_source": "/channels/chat/%4"], "envelope_invalid"),
      (["ce_source": "/channels/chat/%ff"], "envelope_invalid"), (["ce_source": "/channels/chat/a%00b"], "nul_in_text"),
      (["ce_source": "/channels/chat/" + String(repeating: "a", count: 513)], "envelope_invalid"),
      (["ce_source": "https://shop.example/channels/chat/a"], "envelope_invalid"),
      (["ce_source": "/channels/email/a"], "topic_mismatch"), (["ce_source": "/channels/smoke/a"], "topic_mismatch"),
      (["ce_specversion": "0.3"], "envelope_invalid"), (["ce_type": "chat.events"], "unknown_type"),
      (["ce_type": "email.rfc822"], "topic_mismatch"), (["ce_tenantid": "Acme"], "tenant_invalid"),
      (["ce_tenantid": "_acme"], "tenant_invalid"), (["ce_tenantid": String(repeating: "a", count: 64)], "tenant_invalid"),
      (["content-type": "application/cloudevents-batch+json"], "envelope_invalid"),
      (["content-type": "application/cloudevents+avro"], "envelope_invalid"),
    ] as [([String: String?], String)])
  func wrong(_ changes: [String: String?], reason: String) throws {
    #expect(try normalise(changes).outcomes == [reason])
  }

  @Test(
    "What an adapter may leave out or write in its own way is accepted",
    arguments: [
      ["ce_specversion": nil], ["ce_specversion": "1.1"], ["ce_time": nil], ["ce_time": "soon"], ["content-type": nil],
      ["ce_attested": "moonlight signature"], ["ce_traceparent": "not-a-trace"], ["ce_source": "/channels/chat/a/b%40c%2Fd"],
    ] as [[String: String?]])
  func tolerated(_ changes: [String: String?]) throws {
    #expect(try normalise(changes).outcomes == ["event"])
  }

  @Test("The account is percent-decoded and may hold a slash")
  func account() throws {
    #expect(try normalise(["ce_source": "/channels/chat/a/b%40c%2Fd+e"]).events.first?.account == "a/b@c/d+e")
  }

  @Test("The tenant, the trace and the time of arrival come from the envelope")
  func attributes() throws {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    let record = try normalise(["ce_tenantid": "acme_1-x", "ce_traceparent": trace])
    let event = try #require(record.events.first)
    #expect(record.tenant == "acme_1-x" && event.tenant == "acme_1-x" && event.traceparent == trace)
    #expect(event.receivedAt.iso8601 == "2026-05-12T09:14:05.000000Z")
    #expect(try normalise().tenant == "default")
    #expect(try normalise(["ce_time": nil]).events.first?.receivedAt == Timestamp(seconds: 1_778_577_245))
    #expect(try normalise(["ce_traceparent": "00-4BF9-00f0-01"]).events.first?.traceparent == nil)
  }

  @Test("A dead letter of a readable envelope keeps its tenant")
  func tenantOfDeadLetter() throws {
    #expect(try normalise(["ce_tenantid": "acme", "ce_type": "nobody.knows"]).tenant == "acme")
  }

  @Test("Header names are case-insensitive")
  func headerNames() throws {
    var record = try Sample.named("chat.event", "created").record()
    for position in record.headers.indices { record.headers[position].name = record.headers[position].name.uppercased() }
    #expect(Normaliser().normalise(record).outcomes == ["event"])
  }

  @Test("The prefix is part of every topic")
  func topicPrefix() throws {
    #expect(try normalise(prefix: "shop.").outcomes == ["event"])
    #expect(try normalise(topic: "channel.chat", prefix: "shop.").outcomes == ["topic_mismatch"])
    #expect(try normalise(topic: "channel.email").outcomes == ["topic_mismatch"])
  }

  @Test("A tombstone is a dead letter")
  func tombstone() throws {
    var record = try Sample.named("chat.event", "created").record()
    record.value = nil
    #expect(Normaliser().normalise(record).outcomes == ["malformed_payload"])
  }

  @Test(
    "A structured envelope that is wrong is a dead letter with its reason",
    arguments: [
      ("[]", "envelope_invalid"), ("{}", "envelope_invalid"), ("{", "malformed_json"),
      (#"{"id":"1","type":"chat.event","source":"/channels/chat/a"}"#, "malformed_payload"),
      (#"{"id":"1","type":"chat.event","source":"/channels/chat/a","data":null}"#, "malformed_payload"),
      (#"{"id":"1","type":"chat.event","source":"/channels/chat/a","data":"{}"}"#, "malformed_payload"),
      (#"{"id":"1","type":"chat.event","source":"/channels/chat/a","data_base64":"e3="}"#, "malformed_json"),
      (#"{"id":"1","type":"chat.event","source":"/channels/chat/a","data_base64":"e"}"#, "envelope_invalid"),
      (#"{"id":"1","type":"chat.event","source":"/channels/chat/a","data_base64":"?"}"#, "envelope_invalid"),
      (#"{"id":{},"type":"chat.event","source":"/channels/chat/a","data":{}}"#, "envelope_invalid"),
      (#"{"id":"a\u0000","type":"chat.event","source":"/channels/chat/a","data":{}}"#, "nul_in_text"),
    ])
  func structured(_ body: String, reason: String) {
    let record = Record(
      topic: "channel.chat", partition: 0, offset: 0, timestamp: nil, key: nil,
      headers: [Record.Header("Content-Type", Array("Application/CloudEvents+JSON".utf8))], value: Array(body.utf8))
    #expect(Normaliser().normalise(record).outcomes == [reason])
  }

  @Test("A structured mail may be a string")
  func structuredMail() {
    let body = """
      {"id":"1","type":"email.rfc822","source":"/channels/email/a@shop.example","datacontenttype":"message/rfc822",
      "data":"From: a@example.org\\r\\nMessage-ID: <1@example.org>\\r\\n\\r\\nHi"}
      """
    let record = Record(
      topic: "channel.email", partition: 0, offset: 0, timestamp: nil, key: nil,
      headers: [Record.Header("content-type", Array("application/cloudevents+json".utf8))], value: Array(body.utf8))
    let result = Normaliser().normalise(record)
    #expect(result.messages.first?.text == "Hi")
    #expect(result.events.first?.receivedAt == Timestamp(seconds: 0))
  }

  @Test("Invalid UTF-8 in an attribute is a dead letter")
  func invalidUTF8() throws {
    var record = try Sample.named("chat.event", "created").record()
    record.headers.removeAll { $0.name == "ce_id" }
    record.headers.append(Record.Header("ce_id", [0xff]))
    #expect(Normaliser().normalise(record).outcomes == ["invalid_utf8"])
  }

  @Test("A record that is published again is read as it was, in either content mode and at its limits")
  func retried() throws {
    let sample = try Sample.named("chat.event", "created")
    for record in [sample.record(), sample.structured] {
      var limits = Limits()
      limits.headers = record.headers.count
      limits.headerBytes = record.headers.reduce(0) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
      let normaliser = Normaliser(limits: limits)
      var retried = record
      for attempt in 2...3 {
        retried.headers = Retry.headers(retried.headers, attempt: Int32(attempt), of: ID(Bytes16(high: 1, low: 2)))
        #expect(Retry.attempt(of: retried.headers) == attempt)
        #expect(retried.headers.count == record.headers.count + 2)
        #expect(normaliser.normalise(retried).golden == normaliser.normalise(record).golden)
        #expect(normaliser.normalise(retried).outcomes == ["event"])
      }
      retried.headers.append(Record.Header("http_x", nil))
      #expect(normaliser.normalise(retried).outcomes == ["too_large"])
    }
  }

  @Test(
    "An attempt is what the header says, when it says a number",
    arguments: [
      ("1", 1), ("2", 2), ("1000000", 1_000_000), ("007", 7), ("0", 1), ("1000001", 1), ("99999999", 1), ("-2", 1), ("2 ", 1),
      ("", 1), ("٢", 1), ("2e1", 1), (nil, 1),
    ] as [(String?, Int32)])
  func attempt(_ text: String?, is attempt: Int32) {
    #expect(Retry.attempt(of: [Record.Header("throughline_attempt", text.map { Array($0.utf8) })]) == attempt)
    #expect(Retry.attempt(of: [Record.Header("ce_id", Array("9".utf8))]) == 1)
  }
}
