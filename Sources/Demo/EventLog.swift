import Canonical
import Kafka
import Synchronization

/// An event of the workers, as a desktop or an adapter reads it.
struct OwnEvent: Sendable {
  /// Without the prefix.
  var topic: String
  var id: String
  var type: String
  /// What it is about.
  var subject: String
  var at: String
  var data: JSON

  /// Nil for what is not one.
  init?(_ record: KafkaRecord, topicPrefix: String) {
    guard let value = record.value, let event = JSON(value), let id = event["id"]?.string, let type = event["type"]?.string,
      let subject = event["subject"]?.string
    else { return nil }
    topic = String(record.topic.dropFirst(topicPrefix.count))
    self.id = id
    self.type = type
    self.subject = subject
    at = event["time"]?.string ?? ""
    data = event["data"] ?? .null
  }

  func text(_ member: String) -> String? { data[member]?.string }
  func number(_ member: String) -> Int64? { data[member]?.int }
}

/// What the workers have told, once each: `conversation.events`, `routing.events` and `outbound.*`.
final class EventLog: Sendable {
  /// Far more than a sample day has.
  private static let maximumCount = 200_000

  private struct State {
    var ids: Set<String> = []
    var bySubject: [String: [OwnEvent]] = [:]
    var countByType: [String: Int] = [:]
  }
  private let state = Mutex(State())

  /// In the order in which they came.
  func events(about subject: ID, _ type: String? = nil) -> [OwnEvent] {
    let events = state.withLock { $0.bySubject[subject.description] ?? [] }
    return type.map { type in events.filter { $0.type == type } } ?? events
  }

  func count(of type: String) -> Int { state.withLock { $0.countByType[type] ?? 0 } }

  /// The newest version of a conversation that an event has shown.
  func version(of conversation: ID) -> Int64 { events(about: conversation).compactMap { $0.number("version") }.max() ?? 0 }

  /// Those of the records that are new; published at least once, they may come again.
  func add(_ records: [KafkaRecord], topicPrefix: String) -> [OwnEvent] {
    let events = records.compactMap { OwnEvent($0, topicPrefix: topicPrefix) }
    return state.withLock { state in
      events.filter { event in
        guard state.ids.count < Self.maximumCount, state.ids.insert(event.id).inserted else { return false }
        state.bySubject[event.subject, default: []].append(event)
        state.countByType[event.type, default: 0] += 1
        return true
      }
    }
  }

  /// Reads until its task is cancelled, and hands on what is new.
  func listen(
    _ kafka: KafkaConfiguration, topics: [String], topicPrefix: String, _ hear: @Sendable ([OwnEvent]) async throws -> Void
  ) async throws {
    let consumer = try KafkaConsumer(
      configuration: kafka, group: "throughline-demo-" + String(UInt64.random(in: 0 ... .max), radix: 36))
    do {
      try await consumer.subscribe(topics: topics.map { topicPrefix + $0 })
      while !Task.isCancelled {
        switch try await consumer.poll(maximumRecords: 500, maximumBytes: 4 << 20, linger: .milliseconds(5)) {
        case .records(let records): try await hear(add(records, topicPrefix: topicPrefix))
        case .assigned(let partitions): try await consumer.assign(partitions.map { PartitionStart($0, .beginning) })
        case .revoked: try await consumer.unassign()
        case .outOfRange(let partition): try await consumer.seek(partition, to: consumer.watermarks(partition).low)
        case .fault(let fault): if fault.disposition == .stop { throw fault }
        }
      }
    } catch {
      await consumer.close()
      throw error
    }
    await consumer.close()
  }
}
