import Canonical
import Foundation
import Kafka
import Rig
import TestSupport
import Testing

/// What agents do, from `agent.actions` through a real worker to the database and to what adapters send.
@Suite(.serialized) struct DeskActionTests {
  private static let secret = "a secret of the tests, of more than 32 bytes"

  private func item(_ topic: String, _ type: String, _ source: String, _ id: String, _ value: String) -> Traffic.Item {
    let headers = [
      ("ce_specversion", "1.0"), ("ce_id", id), ("ce_type", type), ("ce_source", source), ("ce_attested", "signature"),
      ("content-type", "application/json"),
    ]
    return Traffic.Item(
      topic: topic, key: "k", headers: headers.map { Record.Header($0.0, Array($0.1.utf8)) }, value: Array(value.utf8))
  }

  private func instagram(_ mid: String, _ text: String, isEcho: Bool = false) -> Traffic.Item {
    let (sender, recipient) = isEcho ? ("17841400", "8001") : ("8001", "17841400")
    return item(
      "channel.instagram", "meta.instagram", "/channels/instagram/17841400", "d-" + mid,
      #"""
      {"object":"instagram","entry":[{"id":"17841400","time":1778577242480,"messaging":[{"sender":{"id":"\#(sender)"},
      "recipient":{"id":"\#(recipient)"},"timestamp":1778577242120,"message":{"mid":"\#(mid)","text":"\#(text)"\#(isEcho ? #","is_echo":true"# : "")}}]}]}
      """#)
  }

  private func action(
    _ kind: String, _ id: String, _ conversation: String, epoch: Int = 0, _ members: String
  ) -> Traffic.Item {
    item(
      "agent.actions", "agent." + kind, "/channels/desk/main", id,
      #"{"conversation_id":"\#(conversation)","agent_id":"ag_1","ownership_epoch":\#(epoch)\#(members)}"#)
  }

  /// The data of the events on a topic, oldest first.
  private func events(_ cluster: Cluster, _ topic: String) async throws -> [[String: Any]] {
    try await cluster.consume(topic).compactMap {
      let event = try JSONSerialization.jsonObject(with: Data($0.value ?? [])) as? [String: Any]
      return event?["data"] as? [String: Any]
    }
  }

  @Test func `an invitation is sent, its link continues the conversation in a chat, and nothing is doubled`() async throws {
    let cluster = try await Cluster()
    for topic in ["outbound.instagram", "outbound.chat"] {
      try await cluster.broker.createTopic(topic, partitions: Cluster.partitions)
    }
    let worker = try cluster.startWorker("ingest", ["THROUGHLINE_TOKEN_SECRET": Self.secret])
    try await cluster.publish([instagram("m1", "Do you have these in blue?")])
    try await cluster.drain()
    let conversation = try #require(try await cluster.rows("SELECT id FROM throughline.conversation").first?.first ?? nil)

    try await cluster.publish([
      action("reply", "a1", conversation, #","text":"Yes, in four sizes.""#),
      action("invite", "a2", conversation, #","channel":"chat","text":"Shall we go on here?""#),
      // The desk sends it twice, and once as it was before somebody else took over.
      action("invite", "a2", conversation, #","channel":"chat","text":"Shall we go on here?""#),
      action("reply", "a3", conversation, epoch: 7, #","text":"late""#),
    ])
    try await cluster.drain()
    try await cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1)
    let sent = try await events(cluster, "outbound.instagram")
    #expect(sent.compactMap { $0["seq"] as? Int } == [1, 2])
    #expect(sent.allSatisfy { $0["to"] as? String == "8001" && $0["account"] as? String == "17841400" })
    let refused = try await events(cluster, "conversation.events").filter { $0["action_id"] != nil }
    #expect(refused.map { $0["reason"] as? String } == ["stale_epoch"])

    let all = try await cluster.consume("outbound.instagram") + cluster.consume("conversation.events")
    #expect(try EventCheck.problems(all.compactMap(\.value)) == "")

    // The adapter's word, then the provider's echo of the same message.
    let message = try #require(sent.first?["message_id"] as? String)
    try await cluster.publish([
      item(
        "outbound.results", "outbound.result", "/channels/instagram/17841400", "r1",
        #"{"message_id":"\#(message)","external_id":"m2","status":"sent"}"#)
    ])
    try await cluster.drain()
    try await cluster.publish([instagram("m2", "Yes, in four sizes.", isEcho: true)])
    let token = try #require((sent.last?["continuation"] as? [String: Any])?["token"] as? String)
    let chat = { (id: String, token: String) in
      self.item(
        "channel.chat", "chat.event", "/channels/chat/w_shop", "d-" + id,
        #"""
        {"event":"message.created","event_id":"\#(id)","visitor":{"id":"v_\#(id)"},"continuation":"\#(token)",
        "message":{"id":"\#(id)","text":"Here I am."}}
        """#)
    }
    try await cluster.publish([chat("c1", token), chat("forged", String(token.reversed()))])
    try await cluster.drain()
    #expect(
      try await cluster.rows(
        """
        SELECT channel::text, direction::text, coalesce(external_id, '-'), coalesce(delivery_status, '-') FROM throughline.message
        WHERE conversation_id = '\(conversation)' ORDER BY ordered_at, id
        """
      ).map { $0.compactMap { $0 }.joined(separator: " ") }.sorted()
        == [
          "chat inbound c1 -", "instagram inbound m1 -", "instagram outbound - queued", "instagram outbound m2 sent",
        ])
    #expect(try await cluster.number("SELECT count(DISTINCT customer_id) FROM throughline.message") == 2, "the forger is alone")
    #expect(try await cluster.violations() == [])
    #expect(worker.stop() == 0)
    #expect(!worker.log.contains(token) && !worker.log.contains("blue") && !worker.log.contains("8001"))
    await cluster.close()
  }

  @Test func `one webhook may open a conversation and join an older customer's to it`() async throws {
    let cluster = try await Cluster()
    let worker = try cluster.startWorker()
    let call = item(
      "channel.voice", "twilio.voice", "/channels/voice/%2B34911222333", "call",
      "CallSid=CA1&Direction=inbound&CallStatus=completed&CallDuration=74&From=%2B34600111222&To=%2B34911222333"
        + "&StirVerstat=TN-Validation-Passed-A&Timestamp=Tue%2C+12+May+2026+09%3A14%3A07+%2B0000")
    try await cluster.publish([call])
    try await cluster.drain()
    // Sent the day before the call, and delivered after it.
    let messages = [
      #""mid":"m1","text":"Hello?""#, #""mid":"m2","text":"+34600111222","quick_reply":{"payload":"+34600111222"}"#,
    ]
    .map {
      #"{"sender":{"id":"7001"},"recipient":{"id":"682498302938465"},"timestamp":1778490842120,"message":{\#($0)}}"#
    }.joined(separator: ",")
    try await cluster.publish([
      item(
        "channel.messenger", "meta.messenger", "/channels/messenger/682498302938465", "d1",
        #"{"object":"page","entry":[{"id":"682498302938465","time":1778490842480,"messaging":[\#(messages)]}]}"#)
    ])
    try await cluster.drain()
    #expect(try await cluster.number("SELECT count(*) FROM throughline.dead_letter") == 0)
    #expect(
      try await cluster.rows(
        "SELECT count(*), count(DISTINCT conversation_id), count(DISTINCT customer_id) FROM throughline.message")
        == [["3", "1", "1"]])
    #expect(try await cluster.number("SELECT count(*) FROM throughline.conversation WHERE merged_into IS NOT NULL") == 1)
    #expect(try await cluster.violations() == [])
    #expect(worker.stop() == 0)
    await cluster.close()
  }

  @Test func `an agent's word joins a form's claim to a customer of the business, with its audit`() async throws {
    let cluster = try await Cluster()
    let worker = try cluster.startWorker()
    try await cluster.publish([
      item(
        "crm.contacts", "contact.upsert", "/channels/crm/erp", "c1",
        #"{"external_id":"C-1","display_name":"Ana","identifiers":[{"kind":"email","value":"ana@shop.example","verified":true}]}"#
      ).attested("business"),
      item(
        "channel.form", "form.submission", "/channels/form/contact", "f1",
        #"""
        {"event":"form.submitted","submission_id":"f1","fields":[{"name":"email","value":"ana@shop.example"},{"name":"message","value":"Hi"}]}
        """#
      ).attested(""),
    ])
    try await cluster.drain()
    #expect(try await cluster.number("SELECT count(*) FROM throughline.customer") == 2)
    let conversation = try #require(try await cluster.rows("SELECT id FROM throughline.conversation").first?.first ?? nil)
    try await cluster.publish([
      action("identify", "i1", conversation, #","identifiers":[{"kind":"external_id","value":"C-1"}]"#)
    ])
    try await cluster.drain()
    #expect(
      try await cluster.rows(
        """
        SELECT v.lane, c.display_name, e.rule, e.agent_id, jsonb_array_length(e.moved->'customers') FROM throughline.conversation v
        JOIN throughline.customer c ON c.id = v.customer_id JOIN throughline.merge_event e ON e.survivor_id = c.id
        """) == [["", "Ana", "agent_identify", "ag_1", "1"]])
    #expect(try await cluster.number("SELECT count(*) FROM throughline.identity WHERE valid_to IS NOT NULL") == 1)
    #expect(try await cluster.violations() == [])
    #expect(worker.stop() == 0)
    await cluster.close()
  }
}

extension Traffic.Item {
  fileprivate func attested(_ words: String) -> Self {
    var item = self
    item.headers = headers.map { $0.name == "ce_attested" ? Record.Header($0.name, Array(words.utf8)) : $0 }
    return item
  }
}
