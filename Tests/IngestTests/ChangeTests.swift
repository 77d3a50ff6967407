import Canonical
import Foundation
import Kafka
import Rig
import TestSupport
import Testing

/// What happens to messages after they were written, from true payloads to the rows that readers see.
@Suite(.serialized) struct ChangeTests {
  private func item(_ type: String, _ source: String, _ id: String, _ value: String, on topic: String) -> Traffic.Item {
    let headers = [
      ("ce_specversion", "1.0"), ("ce_id", id), ("ce_type", type), ("ce_source", source), ("ce_attested", "signature"),
      ("content-type", "application/json"),
    ]
    return Traffic.Item(
      topic: topic, key: source, headers: headers.map { Record.Header($0.0, Array($0.1.utf8)) }, value: Array(value.utf8))
  }

  private func messenger(_ id: String, _ members: String, at milliseconds: Int) -> Traffic.Item {
    item(
      "meta.messenger", "/channels/messenger/682", id,
      #"""
      {"object":"page","entry":[{"id":"682","time":\#(milliseconds),"messaging":[{"sender":{"id":"7001"},"recipient":{"id":"682"},
      "timestamp":\#(milliseconds),\#(members)}]}]}
      """#, on: "channel.messenger")
  }

  private func echo(_ mid: String, _ text: String, at milliseconds: Int) -> Traffic.Item {
    item(
      "meta.messenger", "/channels/messenger/682", mid,
      #"""
      {"object":"page","entry":[{"id":"682","time":\#(milliseconds),"messaging":[{"sender":{"id":"682"},"recipient":{"id":"7001"},
      "timestamp":\#(milliseconds),"message":{"mid":"\#(mid)","text":"\#(text)","is_echo":true}}]}]}
      """#, on: "channel.messenger")
  }

  private func chat(_ event: String, _ id: String, visitor: String, _ message: String) -> Traffic.Item {
    item(
      "chat.event", "/channels/chat/w_shop", "d-" + id,
      #"{"event":"message.\#(event)","event_id":"\#(id)","sent_at":"2026-05-12T09:14:0\#(id.last!)Z","visitor":{"id":"\#(visitor)"},"message":\#(message)}"#,
      on: "channel.chat")
  }

  private func sms(_ id: String, _ form: String) -> Traffic.Item {
    var item = item("twilio.sms", "/channels/sms/%2B12025550100", id, form, on: "channel.sms")
    item.headers.removeAll { $0.name == "content-type" }
    item.headers.append(Record.Header("content-type", Array("application/x-www-form-urlencoded".utf8)))
    return item
  }

  @Test func `edits, deletions, reactions and receipts come to their messages, and readers see what is left`() async throws {
    let cluster = try await Cluster()
    let worker = try cluster.startWorker()
    let picture = #""attachments":[{"id":"f1","mime":"image/png","name":"a.png","url":"https://x.example/f1"}]"#
    try await cluster.publish([
      chat("created", "e1", visitor: "v1", #"{"id":"m1","text":"one",\#(picture)}"#),
      // Before its message, and by somebody else.
      chat("edited", "e4", visitor: "v1", #"{"id":"m2","text":"two, edited"}"#),
      chat("edited", "e5", visitor: "v2", #"{"id":"m2","text":"forged"}"#),
      chat("created", "e2", visitor: "v1", #"{"id":"m2","text":"two"}"#),
      chat("deleted", "e6", visitor: "v2", #"{"id":"m1"}"#), chat("deleted", "e7", visitor: "v1", #"{"id":"m1"}"#),
      messenger("d1", #""message":{"mid":"p1","text":"Is it here?"}"#, at: 1_778_577_242_000),
      echo("p2", "Not yet.", at: 1_778_577_250_000), echo("p3", "Now it is.", at: 1_778_577_260_000),
      messenger("d2", #""reaction":{"reaction":"love","emoji":"❤","action":"react","mid":"p2"}"#, at: 1_778_577_270_000),
      messenger("d3", #""read":{"watermark":1778577255000}"#, at: 1_778_577_271_000),
      messenger("d4", #""delivery":{"mids":["p3"],"watermark":1778577255000}"#, at: 1_778_577_272_000),
    ])
    try await cluster.drain()
    func row(_ id: String, _ columns: String) async throws -> [String?] {
      try await cluster.rows("SELECT \(columns) FROM throughline.message WHERE external_id = '\(id)'").first ?? []
    }
    #expect(
      try await row("m2", "text, details ->> 'edits', edited_at::text") == [
        "two, edited", #"[{"text": "two", "until": "2026-05-12T09:14:04.000000Z"}]"#, "2026-05-12 09:14:04+00",
      ])
    #expect(try await row("m1", "text, details::text, deleted_at IS NOT NULL") == [nil, #"{"deleted_by": "customer"}"#, "t"])
    #expect(try await cluster.number("SELECT count(*) FROM throughline.attachment") == 0)
    #expect(try await cluster.rows("SELECT reaction, actor FROM throughline.reaction") == [["❤", "7001"]])
    let timeline = """
      SELECT coalesce(text, '-'), coalesce(details ->> 'delivery_status', '-'), coalesce(details ->> 'reactions', '-')
      FROM throughline.customer_timeline WHERE kind = 'message' ORDER BY channel, at
      """
    #expect(
      try await cluster.rows(timeline).map { $0.compactMap { $0 } } == [
        ["-", "-", "-"], ["two, edited", "-", "-"], ["Is it here?", "-", "-"], ["Not yet.", "read", #"["❤"]"#],
        ["Now it is.", "delivered", "-"],
      ])
    #expect(try await cluster.rows("SELECT kind FROM throughline.parked_event") == [])
    try await cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1)
    let events = try await cluster.consume("conversation.events").compactMap(\.value)
    #expect(try EventCheck.problems(events) == "")
    let types = events.map { String(decoding: $0, as: UTF8.self) }
    #expect(types.count { $0.contains(#""conversation.message_edited""#) } == 1)
    #expect(types.count { $0.contains(#""conversation.message_deleted""#) } == 1)
    #expect(worker.stop() == 0)
    await cluster.close()
  }

  @Test func `an album and a long text are one message each, and one picture is taken back alone`() async throws {
    let cluster = try await Cluster()
    let worker = try cluster.startWorker()
    func line(_ id: String, _ members: String) -> Traffic.Item {
      item(
        "line.webhook", "/channels/line/U1", id,
        #"""
        {"destination":"U1","events":[{"webhookEventId":"\#(id)","timestamp":1778577242000,"mode":"active","source":{"type":"user",
        "userId":"U7"},"deliveryContext":{"isRedelivery":false},\#(members)}]}
        """#, on: "channel.line")
    }
    func picture(_ id: Int) -> Traffic.Item {
      line(
        "e\(id)",
        #""type":"message","message":{"id":"\#(id)","type":"image","contentProvider":{"type":"line"},"imageSet":{"id":"S1","index":\#(id),"total":3}}"#
      )
    }
    func piece(_ number: Int, _ text: String) -> Traffic.Item {
      item(
        "vonage.sms", "/channels/sms/447700900000", "p\(number)",
        #"""
        {"msisdn":"447700900001","to":"447700900000","messageId":"P\#(number)","text":"\#(text)","type":"text",
        "message-timestamp":"2026-05-12 09:14:02","concat":"true","concat-ref":"7","concat-total":"3","concat-part":"\#(number)"}
        """#, on: "channel.sms")
    }
    try await cluster.publish([
      picture(1), picture(3), line("u", #""type":"unsend","unsend":{"messageId":"2"}"#), picture(2), piece(2, "and "),
      piece(3, "broken."),
      piece(1, "It came late "),
    ])
    try await cluster.drain()
    #expect(
      try await cluster.rows("SELECT external_id, text FROM throughline.message ORDER BY channel") == [
        ["1", nil], ["P2", "It came late and broken."],
      ])
    #expect(try await cluster.rows("SELECT provider_id FROM throughline.attachment ORDER BY 1") == [["1"], ["3"]])
    #expect(try await cluster.number("SELECT count(*) FROM throughline.parked_event") == 0)
    #expect(worker.stop() == 0)
    await cluster.close()
  }

  @Test func `a bot that answers texts hands over, and of its transcript there is what nobody else brings`() async throws {
    let cluster = try await Cluster()
    let worker = try cluster.startWorker()
    let handoff = item(
      "bot.handoff", "/channels/bot/smsbot", "h1",
      #"""
      {"event":"handoff.requested","event_id":"h1",
      "conversation_ref":{"channel":"sms","account":"+12025550100","conversation_id":"+447400123456"},"transcript":[
      {"author":"customer","text":"Is it here?"},{"author":"bot","text":"Not yet."},{"author":"bot","text":"Shall I ask somebody?"}]}
      """#, on: "channel.bot")
    // The hand-off comes first, and the message that it is about afterwards; both come twice.
    let text = sms("SM1", "MessageSid=SM1&From=%2B447400123456&To=%2B12025550100&Body=Is+it+here%3F&SmsStatus=received")
    try await cluster.publish([handoff, handoff])
    try await cluster.drain()
    try await cluster.publish([text, text])
    try await cluster.drain()
    let conversations = try await cluster.rows(
      "SELECT handoff IS NOT NULL, status::text, last_channel FROM throughline.conversation")
    #expect(conversations == [["t", "open", "sms"]])
    let said = try await cluster.rows(
      """
      SELECT direction::text, author_kind::text, text, details ->> 'source' FROM throughline.message
      ORDER BY direction::text, text
      """)
    #expect(
      said == [
        ["inbound", "customer", "Is it here?", nil], ["internal", "bot", nil, nil],
        ["outbound", "bot", "Not yet.", "transcript"], ["outbound", "bot", "Shall I ask somebody?", "transcript"],
      ])
    #expect(worker.stop() == 0)
    await cluster.close()
  }

  @Test func `two workers that see a message and its receipt at once lose neither`() async throws {
    let cluster = try await Cluster()
    let workers = try (0..<2).map { _ in try cluster.startWorker() }
    let count = 300
    // Sender and receipt on partitions of their own, as two topics would be.
    var items: [Traffic.Item] = []
    for number in 0..<count {
      var said = echo("x\(number)", "Hello", at: 1_778_577_250_000 + number)
      var read = messenger("r\(number)", #""delivery":{"mids":["x\#(number)"],"watermark":1}"#, at: 1_778_577_260_000 + number)
      (said.key, read.key) = ("a\(number)", "b\(number)")
      items += number.isMultiple(of: 2) ? [said, read] : [read, said]
    }
    for start in stride(from: 0, to: items.count, by: 20) {
      try await cluster.publish(items[start..<min(start + 20, items.count)])
    }
    try await cluster.drain()
    let delivered = "SELECT count(*) FROM throughline.message WHERE delivery_status = 'delivered'"
    #expect(try await cluster.number(delivered) == count)
    #expect(try await cluster.number("SELECT count(*) FROM throughline.parked_event") == 0)
    for worker in workers { #expect(worker.stop() == 0) }
    await cluster.close()
  }

  @Test func `a call that rang here and there went as the leg that was answered, whichever comes first`() async throws {
    let cluster = try await Cluster()
    let worker = try cluster.startWorker()
    func attempt(_ number: Int, _ outcome: String, talk: Int) -> Traffic.Item {
      item(
        "asterisk.cdr", "/channels/voice/%2B34911222333", "c\(number)",
        #"""
        {"src":"+34600123456","dst":"911","dcontext":"from-trunk","dstchannel":"PJSIP/10\#(number)-1","disposition":"\#(outcome)",\#
        "duration":"8","billsec":"\#(talk)","uniqueid":"1778577247.161","linkedid":"1778577247.161","sequence":"\#(number)"}
        """#, on: "channel.voice")
    }
    let went =
      "SELECT details #>> '{call,status}', details #>> '{call,talk_seconds}', jsonb_array_length(details -> 'parts') FROM throughline.message"
    try await cluster.publish([attempt(1, "NO ANSWER", talk: 0)])
    try await cluster.drain()
    #expect(try await cluster.rows(went) == [["no-answer", "0", "1"]])
    try await cluster.publish([attempt(2, "BUSY", talk: 0), attempt(3, "ANSWERED", talk: 66)])
    try await cluster.drain()
    #expect(try await cluster.rows(went) == [["completed", "66", "3"]])
    try await cluster.publish([attempt(4, "NO ANSWER", talk: 0), attempt(5, "ANSWERED", talk: 70)])
    try await cluster.drain()
    #expect(try await cluster.rows(went) == [["completed", "66", "5"]])
    #expect(worker.stop() == 0)
    await cluster.close()
  }

  @Test func `an answer goes to the group, post, ticket or service that the customer wrote in, or to the customer alone`()
    async throws
  {
    let cluster = try await Cluster(topics: ["outbound.sms", "outbound.line"])
    let worker = try cluster.startWorker()
    func reply(_ id: String, _ conversation: String, _ more: String = "") -> Traffic.Item {
      item(
        "agent.reply", "/channels/desk/main", id,
        #"{"conversation_id":"\#(conversation)","agent_id":"ag_1","ownership_epoch":0,"text":"Hi"\#(more)}"#, on: "agent.actions")
    }
    try await cluster.publish([
      sms("s1", "MessageSid=SM1&Body=Hola&From=whatsapp%3A%2B34600111222&To=whatsapp%3A%2B34600000001&SmsStatus=received"),
      item(
        "line.webhook", "/channels/line/desk", "l1",
        #"{"destination":"U0","events":[{"type":"message","webhookEventId":"e1","timestamp":1778577250000,"mode":"active","#
          + #""source":{"type":"group","groupId":"Cg","userId":"Uana"},"message":{"id":"m1","type":"text","text":"Hola"}}]}"#,
        on: "channel.line"),
    ])
    try await cluster.drain()
    let conversations = Dictionary(
      uniqueKeysWithValues: try await cluster.rows("SELECT last_channel, id FROM throughline.conversation").map {
        ($0[0] ?? "", $0[1] ?? "")
      })
    let (line, sms) = (try #require(conversations["line"]), try #require(conversations["sms"]))
    try await cluster.publish([reply("a1", sms), reply("a2", line), reply("a3", line, #","visibility":"private""#)])
    try await cluster.drain()
    try await cluster.publish([reply("a4", line, #","visibility":"public""#)])
    try await cluster.drain()
    try await cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1)
    func sent(on topic: String) async throws -> [String] {
      try await cluster.consume(topic).map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }
    let texts = try await sent(on: "outbound.sms")
    #expect(texts.count == 1 && texts[0].contains(#""to":"whatsapp:+34600111222","visibility":"private""#))
    let lines = try await sent(on: "outbound.line")
    #expect(lines.count == 2 && lines[0].contains(#""to":"Cg","visibility":"group""#))
    #expect(lines.last?.contains(#""to":"Uana","visibility":"private""#) == true)
    #expect(try await sent(on: "conversation.events").contains { $0.contains(#""reason":"no_route""#) })
    let shown =
      "SELECT details->>'visibility' FROM throughline.customer_timeline WHERE channel = 'line' AND kind = 'message' ORDER BY 1"
    #expect(try await cluster.rows(shown) == [["group"], ["group"], [nil]])
    #expect(worker.stop() == 0)
    await cluster.close()
  }

  @Test func `whoever has opted out is not written to until they write again`() async throws {
    let cluster = try await Cluster()
    try await cluster.broker.createTopic("outbound.sms", partitions: Cluster.partitions)
    let worker = try cluster.startWorker()
    func reply(_ id: String, _ conversation: String) -> Traffic.Item {
      item(
        "agent.reply", "/channels/desk/main", id,
        #"{"conversation_id":"\#(conversation)","agent_id":"ag_1","ownership_epoch":0,"text":"Hi"}"#,
        on: "agent.actions")
    }
    let person = "From=%2B12025550147&To=%2B12025550100&AccountSid=AC11&SmsStatus=received"
    try await cluster.publish([sms("s1", "MessageSid=SM1&Body=Where+is+it&\(person)")])
    try await cluster.drain()
    let conversation = try #require(try await cluster.rows("SELECT id FROM throughline.conversation").first?.first ?? nil)
    try await cluster.publish([sms("s2", "MessageSid=SM2&Body=STOP&OptOutType=STOP&\(person)")])
    try await cluster.drain()
    try await cluster.publish([reply("a1", conversation)])
    try await cluster.drain()
    try await cluster.publish([sms("s3", "MessageSid=SM3&Body=Still+here&\(person)")])
    try await cluster.drain()
    try await cluster.publish([reply("a2", conversation)])
    try await cluster.drain()
    try await cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1)
    #expect(try await cluster.rows("SELECT reason, detail FROM throughline.dead_letter") == [])
    #expect(try await cluster.consume("outbound.sms").count == 1)
    let refused = try await cluster.consume("conversation.events").map { String(decoding: $0.value ?? [], as: UTF8.self) }
      .filter { $0.contains("action.refused") }
    #expect(refused.count == 1 && refused.first?.contains(#""reason":"no_route""#) == true)
    #expect(
      try await cluster.rows("SELECT kind, text FROM throughline.customer_timeline WHERE kind = 'consent'") == [
        ["consent", "opt_out"]
      ])
    #expect(worker.stop() == 0)
    await cluster.close()
  }
}
