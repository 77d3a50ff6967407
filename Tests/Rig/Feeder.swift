import Canonical
import Foundation
import Kafka
import TestSupport

/// Publishes a seeded day: provider traffic with redelivery and poison in it, and a desk of its own with agents who act.
///
/// The desk is another tenant, since what agents end begins anew with the customer's next message and `Traffic` does not know of that.
public actor Feeder {
  public static let tenant = "desk"
  private static let agents = (0..<6).map { "agent\($0)" }
  /// What agents answer, before the answer's own name.
  static let answer = "We are looking into it: "
  /// A partition of the embedded broker keeps 5 MiB: what is not read yet has to stay far below.
  private static let maximumLag = 1_500

  private let cluster: Cluster
  public nonisolated let traffic: Traffic
  private var random: SplitMix64
  private var published = 0
  private var chats = 0
  private var steps = 0
  /// The last things that agents did: what comes twice has its effect once.
  private var deeds: [ProducerRecord] = []
  /// The end of each partition that ingest reads, as far as it is known here.
  public private(set) var ends: [TopicPartition: Int64] = [:]

  public init(_ cluster: Cluster, traffic: Traffic, seed: UInt64) {
    self.cluster = cluster
    self.traffic = traffic
    random = SplitMix64(seed: seed)
  }

  /// What P2 says of the items that were published.
  public var truth: [String: String] {
    var truth: [String: String] = [:]
    for index in 0..<published { for id in traffic.messages[index] ?? [] { truth[id] = traffic.truth[id] } }
    return truth
  }

  public var hasMore: Bool { published < traffic.tail }

  /// Publishes the next few records of everything, unless too many wait; `stored` is how many are read.
  public func step(stored: Int) async throws {
    let produced = ends.values.reduce(0, +)
    guard produced - Int64(stored) < Self.maximumLag else { return }
    steps += 1
    let end = min(published + 16, traffic.tail)
    var records = (published..<end).map { record($0) }
    // A redelivery need not come where the record came.
    let again = (max(0, end - 200)..<end).shuffled(using: &random).prefix(5)
    records += again.map { record($0, on: Int32.random(in: 0..<Int32(Cluster.partitions), using: &random)) }
    if steps % 3 == 0,
      let poison = Poison.kinds("-\(steps)").filter({ $0.value?.count ?? 0 < 100_000 }).randomElement(using: &random)
    {
      records.insert(record(poison), at: Int.random(in: 0...records.count, using: &random))
    }
    records += (0..<2).map { _ in chat() }
    if steps % 24 == 1 { records += presence(isEverybodyThere: steps == 1) }
    if steps % 4 == 0 { records += await actions() }
    try await send(records)
    published = end
  }

  /// What the business says at the end, of everybody.
  public func finish() async throws {
    try await send((traffic.tail..<traffic.items.count).map { record($0) } + presence(isEverybodyThere: true))
  }

  /// Again and again until each is there, as adapters do; order within a key holds in all but an answer that was lost.
  private func send(_ records: [ProducerRecord]) async throws {
    var waiting = records
    while !waiting.isEmpty {
      let results = try await cluster.producer.send(waiting)
      var failed: [ProducerRecord] = []
      for (record, result) in zip(waiting, results) {
        switch result {
        case .success(let offset):
          guard let partition = record.partition, Cluster.topics.contains(record.topic) else { continue }
          ends[TopicPartition(record.topic, partition), default: 0].raise(to: offset + 1)
        case .failure: failed.append(record)
        }
      }
      waiting = failed
      if !failed.isEmpty { try await Task.sleep(for: .milliseconds(200)) }
    }
  }

  private func record(_ index: Int, on partition: Int32? = nil) -> ProducerRecord {
    let item = traffic.items[index]
    return ProducerRecord(
      topic: item.topic, partition: partition ?? Cluster.partition(of: item.key), key: Array(item.key.utf8), value: item.value,
      headers: item.headers.map { KafkaHeader($0.name, $0.value) } + Audit.ids(traffic.messages[index] ?? []))
  }

  private func record(_ poison: Poison) -> ProducerRecord {
    ProducerRecord(
      topic: poison.topic, partition: Int32.random(in: 0..<Int32(Cluster.partitions), using: &random), key: Array("poison".utf8),
      value: poison.value,
      headers: poison.recordHeaders + [KafkaHeader(Audit.poisonHeader, Array(poison.reason.utf8))]
        + Audit.ids(poison.sibling.map { [$0] } ?? []))
  }

  // MARK: - The desk

  private func record(_ topic: String, _ type: String, _ key: String, _ id: String, _ value: String) -> ProducerRecord {
    let headers = [
      ("ce_specversion", "1.0"), ("ce_id", id), ("ce_type", type), ("ce_tenantid", Self.tenant),
      ("ce_source", topic.hasPrefix("agent") ? "/channels/desk/w" : "/channels/chat/w_desk"),
      ("content-type", "application/json"),
    ]
    return ProducerRecord(
      topic: topic, partition: Cluster.partition(of: key), key: Array(key.utf8), value: Array(value.utf8),
      headers: headers.map { KafkaHeader($0.0, Array($0.1.utf8)) })
  }

  private func chat() -> ProducerRecord {
    chats += 1
    let id = "desk-\(chats)"
    var record = record(
      "channel.chat", "chat.event", "w_\(chats)", id,
      #"{"event":"message.created","event_id":"\#(id)","visitor":{"id":"w_\#(chats)"},"message":{"id":"\#(id)","text":"Hello, is anybody there?"}}"#
    )
    record.headers += Audit.ids([id])
    return record
  }

  /// What desktops say: now and then one is away or goes home, and one says nothing more for longer than its lease.
  private func presence(isEverybodyThere: Bool) -> [ProducerRecord] {
    Self.agents.map { agent in
      let (state, lease) =
        isEverybodyThere
        ? ("online", 300)
        : [("away", 300), ("offline", 300), ("online", 5), ("online", 300), ("online", 300), ("online", 300)]
          .randomElement(using: &random) ?? ("online", 300)
      return record(
        "agent.presence", "agent.presence", agent, "p \(steps) \(agent)",
        #"{"agent_id":"\#(agent)","state":"\#(state)","capacity":100,"channels":{"chat":4},"lease_seconds":\#(lease)}"#)
    }
  }

  /// What agents do; what they see may be old by the time, then it is refused. Nothing while nobody can look.
  private func actions() async -> [ProducerRecord] {
    let seen = try? await cluster.rows(
      """
      SELECT id, ownership_epoch, owner_id, version FROM throughline.conversation
      WHERE tenant_id = '\(Self.tenant)' AND status IN ('open', 'pending') ORDER BY id DESC LIMIT 60
      """)
    let new = (seen ?? []).shuffled(using: &random).prefix(16).enumerated().map { position, row in
      let other = Self.agents.randomElement(using: &random) ?? ""
      let agent = row[2] ?? other
      let id = "a \(steps) \(position)"
      let resolve = ("resolve", agent, #","seen_version":\#(row[3] ?? "0")"#)
      let reply = ("reply", agent, #","text":"\#(Self.answer)\#(id)""#)
      let (kind, who, more) =
        [
          ("take", other, ""), ("accept", agent, ""), ("release", agent, ""), ("transfer", agent, #","to_agent":"\#(other)""#),
          ("transfer", agent, #","to_queue":"general""#), resolve, resolve, resolve, resolve, reply, reply, reply,
        ].randomElement(using: &random) ?? reply
      return record(
        "agent.actions", "agent." + kind, row[0] ?? "", id,
        #"{"conversation_id":"\#(row[0] ?? "")","agent_id":"\#(who)","ownership_epoch":\#(row[1] ?? "0")\#(more)}"#)
    }
    let again = deeds.shuffled(using: &random).prefix(2).map { deed in
      var deed = deed
      deed.partition = Int32.random(in: 0..<Int32(Cluster.partitions), using: &random)
      return deed
    }
    deeds = Array((deeds + new).suffix(50))
    return new + again
  }
}

extension Int64 {
  fileprivate mutating func raise(to value: Int64) { self = Swift.max(self, value) }
}
