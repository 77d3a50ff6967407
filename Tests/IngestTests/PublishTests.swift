import Foundation
import Kafka
import Rig
import Testing

/// `throughline publish` against the embedded broker: what is in the topic afterwards.
@Suite(.serialized) struct PublishTests {
  private let cluster: Cluster
  private let folder: URL

  init() async throws {
    cluster = try await Cluster(topics: ["shop.channel.chat"])
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("publish-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func publish(_ arguments: [String], input: String = "", prefix: String = "") async throws -> ToolRun {
    try await ToolRun(
      ["publish"] + arguments, input: input,
      environment: [
        "THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS": cluster.broker.bootstrapServers, "THROUGHLINE_TOPIC_PREFIX": prefix,
      ])
  }

  private func write(_ name: String, _ text: String) throws -> String {
    let file = folder.appendingPathComponent(name)
    try Data(text.utf8).write(to: file)
    return file.path
  }

  private func chat(_ id: String, visitor: String = "v_1") -> String {
    #"{"event":"message.created","event_id":"\#(id)","visitor":{"id":"\#(visitor)"},"message":{"id":"\#(id)","text":"a secret"}}"#
  }

  private func end() async throws {
    try? FileManager.default.removeItem(at: folder)
    await cluster.close()
  }

  private static let chatOptions = ["--type", "chat.event", "--source", "/channels/chat/w_shop"]

  @Test func `a file, standard input and lines are records of the customer's partition`() async throws {
    let file = try write("one.json", chat("file"))
    let run = try await publish(Self.chatOptions + ["--attested", "token", "-H", "http_x-a=b=c", "--id", "d1", file])
    #expect(run.code == 0 && run.text.hasSuffix("published 1 record\n"))
    #expect(run.text.contains(#/^channel\.chat\/[0-2]\/0  1 message  \//#))
    let lines = try await publish(Self.chatOptions + ["--lines"], input: chat("line-1") + "\n\n" + chat("line-3") + "\n")
    #expect(lines.text.contains("standard input, line 3\n") && lines.text.hasSuffix("published 2 records\n"))
    _ = try await publish(Self.chatOptions + ["--key", "mine"], input: chat("stdin"))
    // What a client of Kafka's own would have done with these keys.
    let keys = ["v_1", "mine"]
    let others = try await cluster.producer.send(
      keys.map { ProducerRecord(topic: "channel.chat", key: Array($0.utf8), value: Array("theirs".utf8)) })
    for result in others { _ = try result.get() }

    let records = try await cluster.consume("channel.chat")
    for key in keys { #expect(Set(records.filter { $0.key == Array(key.utf8) }.map(\.partition)).count == 1) }
    #expect(records.filter { $0.key == Array("v_1".utf8) }.count == 4 && records.count == 6)
    let first = try #require(records.first { $0.value == Array(chat("file").utf8) })
    var headers: [String: String] = [:]
    for header in first.headers { headers[header.name] = String(decoding: header.value ?? [], as: UTF8.self) }
    let time = headers.removeValue(forKey: "ce_time")
    #expect(time?.hasSuffix("Z") == true)
    #expect(
      headers == [
        "ce_specversion": "1.0", "ce_id": "d1", "ce_type": "chat.event", "ce_source": "/channels/chat/w_shop",
        "ce_attested": "token", "content-type": "application/json", "http_x-a": "b=c",
      ])
    let ids = Set(records.flatMap(\.headers).filter { $0.name == "ce_id" }.map { $0.value ?? [] })
    #expect(ids.count == 4)
    for run in [run, lines] { #expect(!run.text.contains("secret") && !run.text.contains("v_1")) }
    try await end()
  }

  @Test func `a folder is published by the names of its files, with the headers beside them`() async throws {
    _ = try write("b.form", "MessageSid=SM2&SmsStatus=received&From=%2B14155550123&To=%2B12025550100&Body=a+secret")
    _ = try write("a.form", "MessageSid=SM1&MessageStatus=delivered&From=%2B12025550100&To=%2B14155550123")
    _ = try write("a.headers.json", #"{"http_x":"y","ce_attested":null}"#)
    try FileManager.default.createDirectory(at: folder.appendingPathComponent("c"), withIntermediateDirectories: true)
    let arguments = [
      "--type", "twilio.sms", "--source", "/channels/sms/%2B12025550100", "--attested", "signature", folder.path,
    ]
    let dry = try await publish(arguments + ["--dry-run"])
    #expect(dry.code == 0 && dry.text.hasPrefix("channel.sms  1 receipt  ") && dry.text.hasSuffix("would publish 2 records\n"))
    #expect(dry.problems.contains("/c is a folder inside a folder, and skipped"))
    #expect(try await cluster.consume("channel.sms").isEmpty)
    #expect(try await publish(arguments).text.hasSuffix("published 2 records\n"))
    let records = try await cluster.consume("channel.sms")
    // Both are of one customer, and so in one partition in their order.
    #expect(records.map(\.key) == [Array("+14155550123".utf8), Array("+14155550123".utf8)])
    func value(_ name: String, _ record: KafkaRecord) -> String? {
      record.headers.first { $0.name == name }.map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }
    #expect(records.map { value("ce_attested", $0) } == [nil, "signature"])
    #expect(records.map { value("http_x", $0) } == ["y", nil])
    #expect(records.map { value("content-type", $0) } == Array(repeating: "application/x-www-form-urlencoded", count: 2))
    try await end()
  }

  @Test func `in structured mode the envelope is in the value, and one that is there already stays as it is`() async throws {
    let ready = #"{"specversion":"1.0","id":"r","type":"chat.event","source":"/channels/chat/w","data":\#(chat("ready"))}"#
    let structured = Self.chatOptions + ["--mode", "structured"]
    #expect(try await publish(structured + ["-H", "http_x=y"], input: chat("made"), prefix: "shop.").code == 0)
    #expect(try await publish(structured, input: ready, prefix: "shop.").code == 0)
    let records = try await cluster.consume("shop.channel.chat")
    #expect(records.count == 2 && records.contains { $0.value == Array(ready.utf8) })
    #expect(records.allSatisfy { $0.headers.first?.value == Array("application/cloudevents+json".utf8) })
    let made = try #require(records.first { $0.value != Array(ready.utf8) })
    #expect(made.headers.map(\.name) == ["content-type", "http_x"])
    let event = try JSONSerialization.jsonObject(with: Data(made.value ?? [])) as? [String: Any]
    #expect(event?["type"] as? String == "chat.event" && event?["datacontenttype"] as? String == "application/json")
    #expect((event?["data"] as? [String: Any])?["event_id"] as? String == "made")

    let mail = "Message-ID: <m1@shop.example>\r\nFrom: Ana <ana@shop.example>\r\nSubject: Hi\r\n\r\nHola\r\n"
    let arguments = ["--type", "email.rfc822", "--source", "/channels/email/help%40shop.example", "--mode", "structured"]
    #expect(try await publish(arguments, input: mail).code == 0)
    let stored = try #require(try await cluster.consume("channel.email").first?.value)
    let envelope = try JSONSerialization.jsonObject(with: Data(stored)) as? [String: Any]
    #expect((envelope?["data_base64"] as? String).flatMap { Data(base64Encoded: $0) } == Data(mail.utf8))
    #expect(envelope?["datacontenttype"] as? String == "message/rfc822")
    try await end()
  }

  @Test func `what the workers would reject keeps all the others back, unless somebody insists`() async throws {
    let good = try write("a.json", chat("good"))
    let bad = try write("b.json", "{\"event\":\"a secret")
    let refused = try await publish(Self.chatOptions + [good, bad])
    #expect(refused.code == 1 && refused.text == "" && !refused.problems.contains("secret"))
    #expect(refused.problems.contains("b.json: malformed_json") && refused.problems.contains("nothing was published"))
    let other = #"{"specversion":"1.0","id":"r","type":"no.such","source":"/channels/chat/w","data":{}}"#
    let unknown = try await publish(Self.chatOptions + ["--mode", "structured"], input: other)
    #expect(unknown.code == 1 && unknown.problems.contains("standard input: unknown_type"))
    #expect(try await publish(["--type", "no.such", "--source", "/channels/chat/w"], input: "{}").code == 64)
    #expect(try await publish(Self.chatOptions + ["--id", "x", good, good]).code == 64)
    #expect(try await publish(Self.chatOptions + ["not-there.json"]).problems.contains("not-there.json can not be read"))
    #expect(try await publish(Self.chatOptions + ["--lines"]).problems.contains("nothing to publish"))
    #expect(try await cluster.consume("channel.chat").isEmpty)
    let insisted = try await publish(Self.chatOptions + ["--no-validate", good, bad])
    #expect(insisted.code == 0 && insisted.text.contains("  1 rejected element  "))
    #expect(try await cluster.consume("channel.chat").count == 2)
    try await end()
  }

  @Test func `what stands beside payloads is none, and every header in it is text`() async throws {
    let payload = try write("a.json", chat("a"))
    let beside = try write("a.headers.json", #"{"http_n":1004,"http_b":true,"http_s":"x"}"#)
    let expected = try write("a.expected.json", "[]")
    #expect(try await publish(Self.chatOptions + [payload, beside, expected]).text.hasSuffix("published 1 record\n"))
    #expect(try await publish(Self.chatOptions + [beside, expected]).problems.contains("nothing to publish"))
    let headers = try #require(try await cluster.consume("channel.chat").first).headers.suffix(3)
    #expect(headers.map { String(decoding: $0.value ?? [], as: UTF8.self) } == ["1004", "true", "x"])
    _ = try write("a.headers.json", #"{"http_list":[1]}"#)
    let refused = try await publish(Self.chatOptions + [payload])
    #expect(refused.code == 1 && refused.problems.contains("a.headers.json: http_list is neither a string"))
    let long = try write("long.json", String(repeating: " ", count: 8 << 20) + "{}")
    #expect(try await publish(Self.chatOptions + [long]).problems.contains("long.json has 8388610 bytes"))
    try await end()
  }

  @Test func `an id is of one record, and nothing is said of a CloudEvent that is there already`() async throws {
    let two = [try write("a.json", chat("a")), try write("b.json", chat("b"))]
    #expect(try await publish(Self.chatOptions + ["-H", "CE_ID=x"] + two).code == 64)
    _ = try write("a.headers.json", #"{"ce_id":"x"}"#)
    #expect(try await publish(Self.chatOptions + ["--dry-run"] + two).code == 0)
    _ = try write("b.headers.json", #"{"ce_id":"x"}"#)
    #expect(try await publish(Self.chatOptions + two).code == 64)
    let ready = #"{"specversion":"1.0","id":"r","type":"chat.event","source":"/channels/chat/w","data":\#(chat("ready"))}"#
    for told in [["--attested", "token"], ["--id", "x"], ["-H", "ce_tenantid=acme"]] {
      let refused = try await publish(Self.chatOptions + ["--mode", "structured"] + told, input: ready)
      #expect(refused.code == 1 && refused.problems.contains("standard input is a CloudEvent"))
    }
    #expect(try await cluster.consume("channel.chat").isEmpty)
    let broken = Self.chatOptions + ["--mode", "structured", "--no-validate"]
    #expect(try await publish(broken, input: "{broken").text.contains("  1 rejected element  "))
    let stored = try #require(try await cluster.consume("channel.chat").first?.value)
    let envelope = try JSONSerialization.jsonObject(with: Data(stored)) as? [String: Any]
    #expect((envelope?["data_base64"] as? String).flatMap { Data(base64Encoded: $0) } == Data("{broken".utf8))
    try await end()
  }

  @Test func `what is said of one session stays in its order, on the topic of the channel that the source names`() async throws {
    func event(_ name: String) -> String {
      #"{"event":"conversation.\#(name)","event_id":"\#(name)","conversation_id":"c_71","visitor":{}}"#
    }
    let lines = event("started") + "\n" + event("ended")
    #expect(try await publish(Self.chatOptions + ["--lines"], input: lines).text.hasSuffix("published 2 records\n"))
    let ofNobody = #"{"event":"new","event_id":"n"}"#
    #expect(try await publish(Self.chatOptions, input: ofNobody).code == 0)
    let keys = try await cluster.consume("channel.chat").map(\.key)
    #expect(keys.count == 3 && Set(keys).count == 2 && keys.contains(Array("w_shop".utf8)) && !keys.contains(nil))
    for (channel, topic) in [("crm", "crm.contacts"), ("ticket", "channel.ticket")] {
      let arguments = ["--type", "hubspot.event", "--source", "/channels/\(channel)/33", "--dry-run"]
      #expect(try await publish(arguments, input: "[]").text.hasPrefix(topic + "  "))
    }
    try await end()
  }
}
