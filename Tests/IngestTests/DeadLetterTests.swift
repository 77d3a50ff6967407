import Canonical
import Foundation
import Kafka
import Postgres
import Rig
import Store
import TestSupport
import Testing

@testable import throughline

/// `throughline dlq` against a real worker, database and broker.
@Suite(.serialized) struct DeadLetterTests {
  private func dlq(_ cluster: Cluster, _ arguments: String..., properties: String = "") async throws -> ToolRun {
    try await ToolRun(
      ["dlq"] + arguments,
      environment: [
        "THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS": cluster.broker.bootstrapServers,
        "THROUGHLINE_DATABASE_URL": cluster.databaseURL, "THROUGHLINE_KAFKA_PROPERTIES": properties,
      ])
  }

  private func send(
    _ topic: String, _ type: String, _ source: String, _ id: String, _ value: [UInt8], _ cluster: Cluster
  ) async throws {
    let headers = [
      ("ce_specversion", "1.0"), ("ce_id", id), ("ce_type", type), ("ce_source", source), ("ce_attested", "signature"),
      ("content-type", "application/json"),
    ]
    let record = ProducerRecord(
      topic: topic, partition: 1, key: Array("sender".utf8), value: value,
      headers: headers.map { KafkaHeader($0.0, Array($0.1.utf8)) })
    _ = try await cluster.producer.send([record])[0].get()
  }

  private func chat(_ id: String, _ cluster: Cluster, _ value: [UInt8]? = nil) async throws {
    let good =
      #"{"event":"message.created","event_id":"\#(id)","visitor":{"id":"v"},"message":{"id":"\#(id)","text":"a secret"}}"#
    try await send("channel.chat", "chat.event", "/channels/chat/w_shop", id, value ?? Array(good.utf8), cluster)
  }

  private static let invalid = Array(#"{"event":"secret "#.utf8) + [0xff, 0xfe, 0x22, 0x7d]
  private static let long = Array(#"{"event":"\#(String(repeating: "secret ", count: 220_000))"#.utf8)
  private static let webhook = Array(
    """
    {"object":"whatsapp_business_account","entry":[{"id":"1022","changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"1065"},
    "messages":[{"from":"34600111222","timestamp":"1778577242","type":"text","text":{"body":"a secret without id"}},
    {"from":"34600111222","id":"wamid.good","timestamp":"1778577242","type":"text","text":{"body":"a secret"}},
    {"from":"34600111222","timestamp":"1778577243","type":"text","text":{"body":"another secret without id"}}]}}]}]}
    """.utf8)

  /// Poison among its neighbours: four letters of three records.
  private func poison(_ cluster: Cluster) async throws {
    try await chat("good-1", cluster)
    try await chat("bad-1", cluster, Self.invalid)
    try await chat("good-2", cluster)
    try await chat("bad-2", cluster, Self.long)
    try await send("channel.whatsapp", "whatsapp.cloud", "/channels/whatsapp/1065", "w", Self.webhook, cluster)
    try await cluster.drain()
    #expect(try await cluster.number("SELECT count(*) FROM throughline.dead_letter") == 4)
    #expect(try await cluster.number("SELECT count(*) FROM throughline.message") == 3)
  }

  private func number(of letters: String, _ cluster: Cluster) async throws -> Int {
    try await cluster.number("SELECT count(*) FROM throughline.dead_letter WHERE \(letters)")
  }

  @Test func `poison is listed and shown as it came, and comes back as another attempt until that is enough`() async throws {
    let cluster = try await Cluster()
    let worker = try cluster.startWorker()
    try await poison(cluster)

    let listed = try await dlq(cluster, "list", "--json")
    #expect(listed.code == 0 && listed.objects.count == 4 && listed.problems == "")
    #expect(Set(listed.objects.compactMap { $0["element"] as? Int }) == [0, 2])
    let table = try await dlq(cluster, "list", "--reason", "invalid_utf8", "--since", "1h", "--topic", "channel.chat")
    #expect(table.text.split(separator: "\n").count == 2 && table.text.contains("channel.chat/1/1  invalid_utf8"))
    #expect(try await dlq(cluster, "list", "--until", "1h").text == "no dead letters\n")
    let limited = try await dlq(cluster, "list", "--limit", "1")
    #expect(limited.text.split(separator: "\n").count == 2 && limited.problems.contains("there are more"))
    let summary = try await dlq(cluster, "list", "--summary", "--json")
    #expect(
      summary.objects.map { "\($0["topic"] ?? "") \($0["reason"] ?? "") \($0["letters"] ?? 0)" }.sorted() == [
        "channel.chat invalid_utf8 1", "channel.chat malformed_json 1", "channel.whatsapp malformed_payload 2",
      ])

    // Each letter of the webhook has its bytes, wherever they are kept.
    for (reason, bytes) in [("invalid_utf8", Self.invalid), ("malformed_json", Self.long), ("malformed_payload", Self.webhook)] {
      for letter in listed.objects where letter["reason"] as? String == reason {
        let id = letter["id"] as? String ?? ""
        let raw = try await dlq(cluster, "show", id, "--raw")
        #expect(raw.code == 0 && raw.output == bytes && raw.problems == "")
        #expect(try await dlq(cluster, "show", id).text.contains("record   channel."))
      }
    }
    #expect(try await dlq(cluster, "show", "01970000-0000-7000-8000-000000000000").code == 1)

    #expect(try await dlq(cluster, "retry").code == 64)
    let dry = try await dlq(cluster, "retry", "--all", "--dry-run")
    #expect(dry.code == 0 && dry.text.hasSuffix("would publish 3 records of 4 dead letters\n"))
    #expect(try await number(of: "replayed_at IS NOT NULL", cluster) == 0)

    // The broker takes no long ones any more: the others go, it stays.
    let refused = try await dlq(cluster, "retry", "--all", properties: "message.max.bytes=1000000")
    #expect(refused.code == 1 && refused.text == "published 2 records of 3 dead letters\n")
    #expect(refused.problems.contains("MSG_SIZE_TOO_LARGE"))
    #expect(
      try await dlq(cluster, "retry", "--reason", "malformed_json", "--until", "0s").text.hasPrefix("published 1 record of 1"))
    try await cluster.drain()
    // In its place and once, though two elements of the webhook are letters; good siblings are there already.
    #expect(try await cluster.number("SELECT count(*) FROM throughline.message") == 3)
    #expect(try await number(of: "attempt = 1 AND replayed_at IS NOT NULL", cluster) == 4)
    #expect(try await number(of: "attempt = 2 AND replayed_at IS NULL AND partition = 1", cluster) == 4)
    #expect(try await cluster.consume("channel.whatsapp").map(\.value) == [Self.webhook, Self.webhook])
    let again = try #require(try await cluster.consume("channel.chat").last { $0.value == Self.invalid })
    #expect(again.key == Array("sender".utf8) && again.headers.count == 8)
    #expect(again.headers.first { $0.name == "throughline_attempt" }?.value == Array("2".utf8))

    // Enough is enough, unless somebody insists.
    _ = try await cluster.rows("UPDATE throughline.dead_letter SET attempt = 5 WHERE replayed_at IS NULL")
    let enough = try await dlq(cluster, "retry", "--all")
    #expect(
      enough.code == 0 && enough.text == "published 0 records of 0 dead letters\n" && enough.problems.contains("left out 4"))
    let old = listed.objects.first { $0["reason"] as? String == "invalid_utf8" }?["id"] as? String ?? ""
    let named = try await dlq(cluster, "retry", old)
    #expect(named.code == 1 && named.problems.contains("published again already"))
    #expect(
      try await dlq(cluster, "retry", "--topic", "channel.whatsapp", "--force").text == "published 1 record of 2 dead letters\n")
    try await cluster.drain()
    #expect(try await number(of: "attempt = 6", cluster) == 2)
    #expect(try await number(of: "attempt = 3", cluster) == 0)
    #expect(worker.stop() == 0)
    #expect(!worker.log.contains("secret"))
    for run in [limited, dry, refused, enough, named] {
      #expect(!run.problems.contains("secret") && !run.text.contains("secret"))
    }
    await cluster.close()
  }

  @Test func `what failed for want of its conversation is done once when that is there`() async throws {
    let cluster = try await Cluster()
    let worker = try cluster.startWorker()
    let conversation = "01970000-0000-7000-8000-00000000000c"
    try await send(
      "agent.actions", "agent.note", "/channels/desk/main", "n1",
      Array(#"{"conversation_id":"\#(conversation)","agent_id":"ag_1","ownership_epoch":0,"text":"a secret note"}"#.utf8), cluster
    )
    try await cluster.drain()
    let listed = try await dlq(cluster, "list", "--json", "--reason", "unknown_target")
    let id = try #require(listed.objects.first?["id"] as? String)
    // What another worker was about to write.
    _ = try await cluster.rows(
      """
      INSERT INTO throughline.tenant VALUES ('default') ON CONFLICT DO NOTHING;
      INSERT INTO throughline.customer (tenant_id, id, verified, created_at) VALUES ('default', '\(conversation)', true, now());
      INSERT INTO throughline.conversation
        (tenant_id, id, customer_id, lane, status, version, event_seq, last_channel, opened_at, last_message_at)
      VALUES ('default', '\(conversation)', '\(conversation)', '', 'open', 1, 0, 'chat', now(), now())
      """)
    for arguments in [[id], [id, "--force"]] {
      let run = arguments.count == 1 ? try await dlq(cluster, "retry", id) : try await dlq(cluster, "retry", id, "--force")
      #expect(run.code == 0 && run.text == "published 1 record of 1 dead letter\n")
      try await cluster.drain()
      #expect(
        try await cluster.rows("SELECT conversation_id::text, author_id, text FROM throughline.message")
          == [[conversation, "ag_1", "a secret note"]])
    }
    #expect(try await number(of: "replayed_at IS NOT NULL", cluster) == 1)
    #expect(try await number(of: "true", cluster) == 1)
    #expect(try await cluster.violations() == [])
    #expect(worker.stop() == 0)
    await cluster.close()
  }

  @Test func `few letters and many are walked through in the same order`() async throws {
    let db = PostgresConnection(url: try await TestDatabase.make(), applicationName: "walk", settings: Queries.settings)
    try await db.perform { db throws(PostgresFault) in
      try db.execute(
        """
        INSERT INTO throughline.dead_letter (id, tenant_id, topic, partition, record_offset, reason, detail, value_bytes, headers)
        SELECT ('01970000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 't' || i % 2,
          (ARRAY['channel.voice', 'channel.chat', 'agent.actions'])[1 + i % 3], i % 5, (500 - i) / 4, 'unknown_type', '', 0, '[]'
        FROM generate_series(1, 500) i
        """)
    }
    var filter = DeadLetters.Filter()
    filter.tenant = "t1"
    var walks: [[DeadLetter]] = []
    for few in [0, 249, 250, 10_000] {
      var walk: [DeadLetter] = []
      try await db.forEachPage(filter, few: few) { walk += $0 }
      walks.append(walk)
    }
    #expect(walks[0].count == 250 && walks.allSatisfy { $0 == walks[0] })
    #expect(walks[0].map(\.topic) == walks[0].map(\.topic).sorted())
    await db.close()
  }

  @Test func `letters of lost places and lost bytes are told of, and dropped ones leave nothing`() async throws {
    let cluster = try await Cluster()
    let worker = try cluster.startWorker()
    try await poison(cluster)
    try await cluster.wait("SELECT 1 - count(*) FROM (SELECT FROM throughline.outbox LIMIT 1) x", for: 1)
    #expect(worker.stop() == 0)

    _ = try await cluster.rows(
      """
      INSERT INTO throughline.dead_letter (id, tenant_id, topic, partition, record_offset, reason, detail, key, value, value_bytes, headers)
      VALUES ('01970000-0000-7000-8000-000000000001', 't', 'channel.chat', 9, 4, 'unknown_type', 'type', 'key', 'moved', 5, '[]'),
        ('01970000-0000-7000-8000-000000000002', 't', 'channel.chat', 1, 99, 'offsets_trimmed', '99..100', NULL, NULL, 0, '[]'),
        ('01970000-0000-7000-8000-000000000003', 't', 'channel.chat', 1, 98, 'malformed_json', 'json', 'key', NULL, 2000000, '[]')
      """)
    let trimmed = try await dlq(cluster, "retry", "--tenant", "t")
    #expect(trimmed.code == 0 && trimmed.text == "published 1 record of 1 dead letter\n")
    #expect(trimmed.problems.contains("left out 2 whose bytes are not known") && trimmed.problems.contains("(offsets_trimmed)"))
    #expect(try await cluster.consume("channel.chat").filter { $0.value == Array("moved".utf8) }.count == 1)
    #expect(try await dlq(cluster, "show", "01970000-0000-7000-8000-000000000003", "--raw").code == 1)
    let lost = try await dlq(cluster, "retry", "01970000-0000-7000-8000-000000000002", "01970000-0000-7000-8000-0000000000ff")
    #expect(lost.code == 1 && lost.problems.contains("no dead letter 01970000-0000-7000-8000-0000000000ff"))

    #expect(try await dlq(cluster, "drop", "--all").code == 64)
    _ = try await cluster.rows(
      """
      INSERT INTO throughline.outbox (shard, topic, subjects, dead_letter_id)
      SELECT 0, 'dlq.x', ARRAY[id::text], id FROM throughline.dead_letter
      """)
    let elements = try await dlq(cluster, "list", "--json", "--topic", "channel.whatsapp").objects
    let ids = elements.sorted { ($0["element"] as? Int ?? 0) < ($1["element"] as? Int ?? 0) }.compactMap { $0["id"] as? String }
    #expect(try await dlq(cluster, "drop", ids[0], ids[0], "--yes").text == "dropped 1\n")
    #expect(try await dlq(cluster, "show", ids[1], "--raw").output == Self.webhook)
    let gone = try await dlq(cluster, "drop", ids[0], "--yes")
    #expect(gone.code == 1 && gone.text == "dropped 0\n" && gone.problems.contains("no dead letter"))
    #expect(try await dlq(cluster, "drop", "--reason", "invalid_utf8", "--yes").text == "dropped 1\n")
    #expect(try await dlq(cluster, "drop", "--replayed", "--yes").text == "dropped 1\n")
    #expect(try await dlq(cluster, "drop", "--all", "--yes").text == "dropped 4\n")
    for table in ["dead_letter", "dead_letter_piece", "outbox"] {
      #expect(try await cluster.number("SELECT count(*) FROM throughline.\(table)") == 0, "\(table)")
    }
    await cluster.close()
  }
}
