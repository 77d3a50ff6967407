import Canonical
import Channels
import Foundation
import Kafka
import Rig
import TestSupport
import Testing

/// Every payload of `ChannelsTests/Samples`, from its topic to the database, by a worker as it runs.
@Suite struct EveryFormatTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "ChannelsTests/Samples")

  /// The records that an adapter would publish, format after format; the agents' are about conversations that nobody has.
  private static func records() throws -> [(format: ChannelFormat, record: Record)] {
    func headers(_ name: String) throws -> [String: Any] {
      guard let data = try? Data(contentsOf: folder.appending(path: name)) else { return [:] }
      return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }
    let stated = try headers("headers.json")
    return try Formats.all.sorted { $0.type < $1.type }.filter {
      $0.readers == .ingest && $0.topic.contains("channel.") || isNoMessage($0)
    }
    .flatMap { format in
      let files = try FileManager.default.contentsOfDirectory(
        at: folder.appending(path: format.type), includingPropertiesForKeys: nil)
      let payloads = files.filter { file in
        ["json", "eml", "form", "csv", "txt"].contains(file.pathExtension)
          && !file.deletingPathExtension().lastPathComponent.contains(".")
      }
      #expect(!payloads.isEmpty, "no samples of \(format.type)")
      return try payloads.sorted { $0.path < $1.path }.map { file in
        let name = file.deletingPathExtension().lastPathComponent
        var all: [String: Any] = [
          "ce_specversion": "1.0", "ce_id": name, "ce_type": format.type, "ce_time": "2026-05-12T09:14:05Z",
          "content-type": "application/json",
        ]
        all.merge(try #require(stated[format.type] as? [String: Any])) { $1 }
        all.merge(try headers("\(format.type)/\(name).headers.json")) { $1 }
        let texts = all.compactMapValues { $0 as? String }.sorted { $0.key < $1.key }
        let record = Record(
          topic: format.topic, partition: 0, offset: 0, timestamp: nil, key: nil,
          headers: texts.map { Record.Header($0.key, Array($0.value.utf8)) }, value: Array(try Data(contentsOf: file)))
        return (format, record)
      }
    }
  }

  private static func isNoMessage(_ format: ChannelFormat) -> Bool {
    ["crm.contacts", "commerce.orders", "feedback.surveys"].contains(format.topic)
  }

  @Test func `every payload of every format comes to the database, each of its elements to one end`() async throws {
    let cluster = try await Cluster()
    let worker = try cluster.startWorker()
    let records = try Self.records()
    let read = Formats.all.filter { $0.readers == .ingest && $0.channel != .desk && $0.type != "outbound.result" }.map(\.type)
    #expect(Set(records.map(\.format.type)) == Set(read) && read.count == 36 && records.count > 600)
    for (_, record) in records {
      let headers = record.headers.map { KafkaHeader($0.name, $0.value) }
      _ = try await cluster.producer.send([
        ProducerRecord(topic: record.topic, partition: 0, key: nil, value: record.value, headers: headers)
      ])[0].get()
    }
    try await cluster.drain()

    let normaliser = Normaliser()
    let elements = records.flatMap { normaliser.normalise($0.record).elements }
    var events: [Event] = []
    var rejected: [String] = []
    for element in elements {
      switch element {
      case .event(let event): events.append(event)
      case .rejected(let rejection): rejected.append(rejection.reason.rawValue)
      case .ignored: break
      }
    }
    func stored(_ sql: String) async throws -> Set<String> { Set(try await cluster.rows(sql).compactMap { $0.first ?? nil }) }

    // Each event once, each rejection a letter, and nothing else.
    let keys = Set(events.map { ID($0.key.raw).description })
    #expect(try await stored("SELECT key::text FROM throughline.message_ref WHERE seen") == keys)
    let letters = try await cluster.rows("SELECT reason FROM throughline.dead_letter").compactMap { $0[0] }
    #expect(letters.sorted() == rejected.sorted())

    // What customers and agents say is a message, or a piece of one; what bots say after a hand-off is refused.
    let names = try await stored("SELECT key::text FROM throughline.message_ref WHERE message_id IS NOT NULL")
    var missing: Set<String> = []
    // What somebody vouches for, or holds a token or a session of.
    var (orders, surveys): (Set<String>, Set<String>) = ([], [])
    for event in events {
      switch event.body {
      case .message(let message) where message.authorKind != .bot: missing.formUnion(message.names.map { ID($0.raw).description })
      case .order(let order) where order.isAttested: orders.insert(order.externalID)
      case .survey(let response) where response.isBelieved: surveys.insert(response.externalID)
      default: break
      }
    }
    missing.subtract(names)
    #expect(missing.isEmpty)

    // With all that is attached to it, but for what was changed afterwards, and for second messages of one name.
    let changed = Set(
      events.compactMap { event -> ReferenceKey? in
        if case .change(let change) = event.body, ["edit", "delete", "attachment"].contains(change.kind) {
          change.target
        } else {
          nil
        }
      })
    let first = Dictionary(events.compactMap { $0.name.map { ($0, 1) } }) { $0 + $1 }.filter { $0.value == 1 }
    var attached: Set<String> = []
    for event in events {
      guard case .message(let message) = event.body, message.authorKind != .bot, let name = event.name, !changed.contains(name),
        first[name] != nil
      else { continue }
      for media in message.attachments {
        attached.insert("\(ID(name.raw)) \(media.kind) \(media.providerID ?? media.url ?? media.name ?? "-")")
      }
    }
    let files = try await stored(
      """
      SELECT concat_ws(' ', r.key::text, a.kind, coalesce(a.provider_id, a.url, a.name, '-')) FROM throughline.attachment a
      JOIN throughline.message_ref r ON r.tenant_id = a.tenant_id AND r.message_id = a.message_id
      """)
    #expect(attached.subtracting(files) == [])
    #expect(attached.count > 90)
    #expect(try await stored("SELECT external_id FROM throughline.customer_order") == orders)
    #expect(try await stored("SELECT external_id FROM throughline.survey_response") == surveys)

    // What waits, waits for something that is not here.
    let waiting = """
      SELECT p.kind, p.channel, p.target_external_id FROM throughline.parked_event p
      JOIN throughline.message_ref r ON r.tenant_id = p.tenant_id AND r.key = p.target AND r.message_id IS NOT NULL
      """
    #expect(try await cluster.rows(waiting) == [])
    for (what, sql) in [
      ("edited", "SELECT count(*) FROM throughline.message WHERE edited_at IS NOT NULL AND details ? 'edits'"),
      (
        "deleted",
        "SELECT count(*) FROM throughline.message WHERE deleted_at IS NOT NULL AND text IS NULL AND details ? 'deleted_by'"
      ),
      ("parts of calls", "SELECT count(*) FROM throughline.message WHERE channel = 'voice' AND details ? 'parts'"),
      ("reactions", "SELECT count(*) FROM throughline.reaction WHERE reaction IS NOT NULL"),
      ("receipts", "SELECT count(*) FROM throughline.receipt"),
      ("watermarks", "SELECT count(*) FROM throughline.receipt_watermark"),
      ("opt-outs", "SELECT count(*) FROM throughline.consent WHERE NOT is_given"),
      ("identity changes", "SELECT count(*) FROM throughline.customer_event WHERE kind = 'identity_change'"),
      ("ticket states", "SELECT count(*) FROM throughline.message WHERE details ->> 'state' = 'solved'"),
      ("traits", "SELECT count(*) FROM throughline.customer WHERE traits ? 'lifecyclestage' AND traits ? 'firstname'"),
      ("orders of a customer", "SELECT count(*) FROM throughline.customer_timeline WHERE kind = 'order'"),
      ("answers of a customer", "SELECT count(*) FROM throughline.customer_timeline WHERE kind = 'survey'"),
    ] {
      #expect(try await cluster.number(sql) > 0, "\(what)")
    }
    #expect(LogAudit.problems(worker.log, of: "ingest") == [])
    #expect(!worker.log.contains("ana.ruiz") && !worker.log.contains("jarrón"))
    #expect(worker.stop() == 0)
    await cluster.close()
  }
}

extension Event {
  /// What others call the message, if it is one.
  fileprivate var name: ReferenceKey? {
    if case .message(let message) = body { message.names.first } else { nil }
  }
}
