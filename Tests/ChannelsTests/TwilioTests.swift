import Canonical
import Testing

@testable import Channels

/// What the golden events of Twilio's two formats and of the bot do not say by themselves.
@Suite struct TwilioTests {
  private func normalise(_ type: String, _ name: String) throws -> NormalisedRecord {
    try Sample.normalise(type, name)
  }

  private func normalise(_ type: String, body: String) throws -> NormalisedRecord {
    var sample = try Sample.named(type, type == "twilio.sms" ? "photo" : "completed")
    sample.payload = Array(body.utf8)
    return Normaliser().normalise(sample.record())
  }

  @Test("The data of a structured envelope may be the form as a string")
  func structuredForm() throws {
    for type in ["application/x-www-form-urlencoded", nil] {
      var envelope = JSONObjectWriter()
      envelope.member("id", "1")
      envelope.member("type", "twilio.sms")
      envelope.member("source", "/channels/sms/%2B12025550100")
      envelope.member("datacontenttype", type)
      envelope.member("data", "MessageSid=SM1&SmsStatus=received&From=%2B14155550123&Body=a+b%26c")
      let record = Record(
        topic: "channel.sms", partition: 0, offset: 0, timestamp: nil, key: nil,
        headers: [Record.Header("content-type", Array("application/cloudevents+json".utf8))], value: envelope.finish().utf8)
      #expect(Normaliser().normalise(record).messages.map(\.text) == ["a b&c"])
    }
  }

  @Test("A form is parsed as the WHATWG says, within its bounds")
  func form() throws {
    let form = try FormURLEncoded(Array("a=1+2&&b=%C3%a1&a=3&c&=x&d=%4&e=%zz%2&f==&g=".utf8))
    #expect(form["a"] == "1 2" && form["b"] == "á" && form["c"] == nil && form[""] == "x" && form["d"] == "%4")
    #expect(form["e"] == "%zz%2" && form["f"] == "=" && form["g"] == nil && form["h"] == nil)
    #expect(form.members.map(\.name) == ["a", "b", "", "d", "e", "f"])
    #expect(throws: Rejection(.invalidUTF8, "parameters")) { _ = try FormURLEncoded(Array("a=%ff".utf8)) }
    let many = (0...FormURLEncoded.maximumParameters).map { "p\($0)=1" }.joined(separator: "&")
    #expect(throws: Rejection(.tooLarge, "parameters")) { _ = try FormURLEncoded(Array(many.utf8)) }
  }

  @Test("A number is the network's word, a WhatsApp id is Twilio's, a short code or a name is nobody's")
  func senders() throws {
    func senders(_ name: String) throws -> [String] {
      try normalise("twilio.sms", name).messages.flatMap(\.customer).map {
        $0.identifier.kind.rawValue + " " + $0.identifier.value + " " + $0.assurance.label
      }
    }
    #expect(try senders("photo") == ["phone +14155550123 A1"])
    #expect(try senders("unsigned") == ["phone +14155550123 A0"])
    #expect(
      try senders("whatsapp_reply") == ["whatsapp ES.1349120865 A2", "whatsapp 34600111222 A2", "phone +34600111222 A2"])
    #expect(try senders("messenger") == ["messenger 5311 A2"])
    #expect(try senders("short_code") == [] && senders("alphanumeric_sender") == [])
  }

  @Test("A receipt points at its message, the ranks put the statuses in order whatever their arrival")
  func receipts() throws {
    let ranks = try ["queued", "sending", "sent", "delivered", "read", "failed"].map { status in
      let change = try #require(try normalise("twilio.sms", body: "MessageSid=SM1&MessageStatus=\(status)").changes.first)
      #expect(change.target == .message(.sms, account: "+12025550100", id: "SM1"))
      return change.details.string
    }
    #expect(try normalise("twilio.sms", "failed").changes.map(\.status) == ["failed"])
    #expect(try normalise("twilio.sms", "failed").changes.map(\.error) == ["30005"])
    #expect(try normalise("twilio.sms", "unknown_status").changes.map(\.status) == [nil])
    #expect(ranks.map { $0.suffix(9) } == (1...6).map { #""rank":\#($0)}"#.suffix(9) })
    let keys = try ["sent", "delivered"].flatMap {
      try normalise("twilio.sms", body: "MessageSid=SM1&MessageStatus=\($0)").events.map(\.key)
    }
    #expect(keys.count == 2 && Set(keys).count == 2)
  }

  @Test("STOP is the customer's consent taken back and no message")
  func consent() throws {
    let record = try normalise("twilio.sms", "opt_out")
    #expect(record.messages.isEmpty && record.changes.map(\.kind) == ["consent"])
    #expect(record.changes.map(\.status) == ["opt_out"])
    #expect(record.changes.first?.customer.map(\.identifier) == [Identifier(.phone, "+14155550123")])
    #expect(try normalise("twilio.sms", "help").messages.map(\.text) == ["HELP"])
  }

  @Test("24: a call lasts the seconds of CallDuration, Duration is what is billed")
  func durations() throws {
    let details = try #require(try normalise("twilio.voice", "completed").messages.first?.details.string)
    #expect(details.contains(#""call":{"status":"completed","duration_seconds":74,"billed_minutes":2}"#))
    #expect(try normalise("twilio.voice", "completed").events.first?.sentAt?.iso8601 == "2026-05-12T09:14:07.000000Z")
  }

  @Test("A call is one message; what comes before, beside and after are changes with keys of their own")
  func oneCall() throws {
    let names = ["ringing", "speech", "recording", "transcription", "live_transcription", "live_transcription_broken"]
    let call = try #require(try normalise("twilio.voice", "completed").messages.first)
    let changes = try names.map { try normalise("twilio.voice", $0) }
    #expect(changes.allSatisfy { $0.changes.map(\.target) == [call.names.first] })
    #expect(changes.flatMap(\.changes).allSatisfy { $0.kind == "call" })
    #expect(changes.flatMap(\.changes).map(\.text) == [nil, "devolver un pedido", nil, "Quiero devolver un pedido", "hola", nil])
    let recordings = changes.flatMap(\.changes).map { $0.attachments?.map(\.providerID) }
    #expect(recordings == [nil, nil, ["RE2"], nil, nil, nil])
    let keys = try changes.flatMap(\.events).map(\.key) + normalise("twilio.voice", "completed").events.map(\.key)
    #expect(Set(keys).count == names.count + 1)
    #expect(try normalise("twilio.voice", "leg_to_customer").messages.first?.references == call.names)
    let leg = try normalise("twilio.voice", "leg_to_agent")
    #expect(leg.messages.isEmpty && leg.changes.map(\.target) == [call.names.first])
    // Nobody has answered it.
    #expect(try normalise("twilio.voice", "leg_to_agents_phone").messages.map(\.authorKind) == [.system])
  }

  @Test(
    "A caller is as sure as the attestation that Twilio passes on",
    arguments: [
      ("full_attestation", [Assurance.a2]), ("partial_attestation", [.a1]), ("completed", [.a1]),
      ("full_attestation_unsigned", [.a0]), ("hidden_caller", []), ("anonymous", []), ("agent_calls_back", [.a1]),
    ])
  func callers(_ name: String, assurances: [Assurance]) throws {
    #expect(try normalise("twilio.voice", name).messages.map { $0.customer.map(\.assurance) } == [assurances])
  }

  @Test("A bot's message is its channel's message, and goes into the session that the chat knows")
  func bot() throws {
    let chat = try #require(try normalise("chat.event", "created").events.first)
    let copy = try #require(try normalise("bot.handoff", "customer_says").events.first)
    #expect(copy.key == chat.key)
    let session = try #require(try normalise("chat.event", "created").messages.first?.session)
    #expect(try normalise("bot.handoff", "bot_says").messages.map(\.session) == [session])
    for name in ["requested", "ended", "nobody_named", "bad_transcript_entries"] {
      #expect(try normalise("bot.handoff", name).changes.allSatisfy { $0.target == session })
    }
  }

  @Test("Wrong values in every parameter", arguments: Sample.all.filter { $0.type.hasPrefix("twilio.") }, [6, 7] as [UInt64])
  func wrongValues(_ sample: Sample, seed: UInt64) throws {
    let values = [
      "", "%00", "%ff", "%", "-1", "99999999999999999999", "9223372036854775807", "%2B", "%2B1", "whatsapp%3A", "%3A", "+", "&",
      "completed", "received", "%5B%7B%22a%22%3A%5D", String(repeating: "x", count: 5_000), "%7B%22a%22%3A%22%5Cu0000%22%7D",
      "%CC%81",
    ]
    var random = SplitMix64(seed: seed)
    let pairs = sample.payload.split(separator: UInt8(ascii: "&")).map(Array.init)
    let normaliser = Normaliser()
    for round in 0..<150 where !pairs.isEmpty {
      var sample = sample
      var changed = pairs
      let index = Int.random(in: changed.indices, using: &random)
      changed[index] = Array(changed[index].prefix { $0 != UInt8(ascii: "=") }) + Array("=".utf8)
      changed[index] += Array((values.randomElement(using: &random) ?? "").utf8)
      sample.payload = Array(changed.joined(separator: [UInt8(ascii: "&")]))
      let place = "\(sample.testDescription), seed \(seed), round \(round)"
      let result = normaliser.normalise(sample.record())
      #expect(!result.elements.isEmpty, "\(place)")
      for event in result.events {
        #expect(!canonicalJSON(event).holdsNUL, "\(place)")
        #expect(event.stated.allSatisfy { !$0.identifier.value.isEmpty && $0.identifier.value.utf8.count <= 512 }, "\(place)")
      }
    }
  }
}
