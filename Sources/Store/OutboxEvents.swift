import Canonical
import Engine
import Postgres

/// The outbox as its writers see it.
enum OutboxEvents {
  static let columns = "outbox (shard, topic, subjects, events, dead_letter_id)"
  /// What fits into a page beside the rest of its row: subjects and events, and what arrays add to them.
  static let rowBytes = 7_700

  /// Some events of one shard and topic, in order.
  private struct Row {
    let shard: Int16
    let topic: String
    var subjects: [String] = []
    var events: [[UInt8]] = []
    var byteCount = 0
  }
  private struct Place: Hashable {
    var shard: Int16
    var topic: String
  }

  /// What adds events to the outbox, in the transaction of what they tell of and under the locks of their subjects.
  ///
  /// - Parameter source: the worker's kind, `ingest` or `route`.
  static func rows(_ events: [WriteSet.DomainEvent], source: String, topicPrefix: String) -> TableRows {
    var rows: [Row] = []
    // Of each shard and topic, the row that still has room.
    var last: [Place: Int] = [:]
    for event in events {
      let place = Place(shard: OutboxShard.of(event.subject), topic: event.topic)
      let value = event.cloudEvent(source: source).utf8
      // Each element has its length and is padded.
      let byteCount = event.subject.utf8.count + value.count + 14
      var index = last[place] ?? rows.endIndex
      if index == rows.endIndex || rows[index].byteCount + byteCount > rowBytes {
        index = rows.endIndex
        last[place] = index
        rows.append(Row(shard: place.shard, topic: topicPrefix + event.topic))
      }
      rows[index].subjects.append(event.subject)
      rows[index].events.append(value)
      rows[index].byteCount += byteCount
    }
    return TableRows(rows, of: columns, count: 5) { row, events in
      row.int2(events.shard)
      row.text(events.topic)
      row.texts(events.subjects)
      row.byteas(events.events)
      row.uuid(nil)
    }
  }
}

/// Which publisher an event belongs to.
enum OutboxShard {
  /// As many as the rows of `outbox_shard`.
  static let count: UInt64 = 16
  /// The shard of a subject, for ever the same: FNV-1a over its UTF-8.
  static func of(_ subject: String) -> Int16 {
    let hash = subject.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    // The low bits of FNV-1a are its weak ones.
    return Int16((hash >> 32) % count)
  }
}

extension WriteSet.DomainEvent {
  /// CloudEvents 1.0 in structured JSON.
  fileprivate func cloudEvent(source: String) -> JSONText {
    var event = JSONObjectWriter(capacity: data.utf8.count + 512)
    event.member("specversion", "1.0")
    event.member("id", id)
    event.member("source", "/throughline/" + source)
    event.member("type", type)
    event.member("subject", subject)
    event.member("time", at.iso8601)
    event.member("tenantid", tenant)
    event.member("traceparent", traceparent)
    event.member("datacontenttype", "application/json")
    event.member("data", data)
    return event.finish()
  }
}
