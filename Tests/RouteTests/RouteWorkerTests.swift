import Canonical
import Channels
import Engine
import Foundation
import Kafka
import Logging
import Postgres
import Store
import Synchronization
import TestSupport
import Testing

@testable import Workers

/// The whole router, with Kafka: records in, events out.
@Suite struct RouteWorkerTests {
  @Test func `agents report, act and are told, each event as its schema says`() async throws {
    var policy = RoutingPolicy()
    policy.bots = [.init(channel: .chat, account: "botted", bot: "shopbot")]
    policy.queues[0].acceptWithin = .seconds(600)
    let bench = try await Bench(policy: policy)
    let logger = Logger(label: "route") { _ in SwiftLogNoOpLogHandler() }
    let broker = try EmbeddedBroker(logger: logger)
    for topic in Formats.routeTopics + ["conversation.events", "routing.events", "dlq.agent.presence"] {
      try await broker.createTopic(topic, partitions: 2)
    }
    let kafka = KafkaConfiguration(bootstrapServers: broker.bootstrapServers, logger: logger)
    let producer = try KafkaProducer(configuration: kafka)
    let worker = RouteWorker(
      settings: .init(topicPrefix: "", instance: "router", policy: policy), kafka: kafka, databaseURL: bench.url, logger: logger)

    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await worker.run() }
      @Sendable func send(_ type: String, _ data: String, topic: String = "agent.actions") async throws {
        let headers = [
          ("ce_specversion", "1.0"), ("ce_id", bench.newID().description), ("ce_source", "/channels/desk/main"),
          ("ce_type", type),
          ("ce_tenantid", Bench.tenant), ("ce_attested", "business"), ("content-type", "application/json"),
        ]
        let results = try await producer.send([
          ProducerRecord(
            topic: topic, key: Array("k".utf8), value: Array(data.utf8),
            headers: headers.map { KafkaHeader($0.0, Array($0.1.utf8)) })
        ])
        for result in results { _ = try result.get() }
      }
      func epoch(_ id: ID) async throws -> String {
        try await bench.value("ownership_epoch FROM throughline.conversation WHERE id = '\(id)'") ?? ""
      }
      try await send("agent.presence", #"{"agent_id":"ana","state":"online"}"#, topic: "agent.presence")
      try await send("agent.presence", #"{"agent_id":"ana","state":"asleep"}"#, topic: "agent.presence")
      try await bench.wait("ana is known", until: "count(*) = 1 FROM throughline.agent", within: .seconds(60))
      try await bench.wait("the bad report is a dead letter", until: "count(*) = 1 FROM throughline.dead_letter")

      let id = try await bench.conversation()
      try await bench.wait("it is offered", until: "count(*) = 1 FROM throughline.assignment WHERE state = 'offered'")
      try await send("agent.accept", #"{"conversation_id":"\#(id)","agent_id":"ana","ownership_epoch":\#(try await epoch(id))}"#)
      try await bench.wait("it is accepted", until: "count(*) = 1 FROM throughline.assignment WHERE state = 'active'")
      try await send("agent.take", #"{"conversation_id":"\#(id)","agent_id":"ana","ownership_epoch":0}"#)
      try await send("agent.release", #"{"conversation_id":"\#(id)","agent_id":"ana","ownership_epoch":\#(try await epoch(id))}"#)
      try await bench.wait("it is released", until: "end_reason = 'released' FROM throughline.assignment")

      let botted = try await bench.conversation(account: "botted")
      try await bench.wait("the bot has it", until: "owner_kind = 'bot' FROM throughline.conversation WHERE id = '\(botted)'")
      try await bench.change(botted, "status = 'resolved', resolved_at = now()")
      try await bench.wait("nobody has it", until: "owner_kind = 'queue' FROM throughline.conversation WHERE id = '\(botted)'")
      try await bench.change(botted, "resolved_at = now() - interval '73 hours'")
      try await bench.wait("it is closed", until: "status = 'closed' FROM throughline.conversation WHERE id = '\(botted)'")
      try await bench.wait("all is published", until: "count(*) = 0 FROM throughline.outbox")
      worker.stop()
      try await group.waitForAll()
    }

    var types: Set<String> = []
    var values: [[UInt8]] = []
    for topic in ["routing.events", "conversation.events"] {
      for record in try await Self.read(topic, kafka) {
        let event = try JSONSerialization.jsonObject(with: Data(record.value ?? [])) as? [String: Any] ?? [:]
        let type = event["type"] as? String ?? ""
        types.insert(type)
        #expect(String(decoding: record.key ?? [], as: UTF8.self) == event["subject"] as? String)
        values.append(record.value ?? [])
      }
    }
    #expect(try EventCheck.problems(values) == "")
    #expect(
      types == [
        "agent.state_changed", "action.refused", "conversation.queued", "conversation.offered", "conversation.assigned",
        "conversation.unassigned", "conversation.closed",
      ])
    try await bench.sql("SELECT 1")
    let leases = try await bench.value("count(*) FROM throughline.router_lease WHERE owner IS NOT NULL")
    #expect(leases == "0")
    await producer.close()
    await broker.close()
    await bench.close()
  }

  @Test func `an event says where to look: nobody waits until all is read again`() async throws {
    let bench = try await Bench()
    let logger = Logger(label: "route") { _ in SwiftLogNoOpLogHandler() }
    let broker = try EmbeddedBroker(logger: logger)
    for topic in Formats.routeTopics + ["conversation.events", "routing.events"] {
      try await broker.createTopic(topic, partitions: 1)
    }
    let kafka = KafkaConfiguration(bootstrapServers: broker.bootstrapServers, logger: logger)
    let producer = try KafkaProducer(configuration: kafka)
    try await bench.presence("ana")
    let (leased, isLeased) = AsyncStream<Void>.makeStream()
    var settings = RouteWorker.Settings(topicPrefix: "", instance: "router")
    settings.reconcileEvery = .seconds(86_400)
    settings.onTenants = { _ in isLeased.yield() }
    let worker = RouteWorker(settings: settings, kafka: kafka, databaseURL: bench.url, logger: logger)
    let first = try await bench.conversation()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await worker.run() }
      for await _ in leased { break }
      // What is there at the start is read once; then everything has been, for a day.
      try await bench.wait("the first is ana's", until: "owner_id = 'ana' FROM throughline.conversation WHERE id = '\(first)'")
      let second = try await bench.conversation()
      let event = #"{"specversion":"1.0","subject":"\#(second)","tenantid":"\#(Bench.tenant)","data":{}}"#
      let deadline = ContinuousClock.now + .seconds(60)
      while try await bench.owner(second) != "agent ana" {
        guard .now < deadline else { throw Bench.Late() }
        // Again and again: the router hears what is said after it has begun to listen.
        _ = try await producer.send([
          ProducerRecord(topic: "conversation.events", key: Array(second.description.utf8), value: Array(event.utf8), headers: [])
        ])
        try await Task.sleep(for: .milliseconds(20))
      }
      worker.stop()
      try await group.waitForAll()
    }
    await producer.close()
    await broker.close()
    await bench.close()
  }

  /// All records of a topic.
  private static func read(_ topic: String, _ kafka: KafkaConfiguration) async throws -> [KafkaRecord] {
    let consumer = try KafkaConsumer(configuration: kafka, group: "reader")
    let partitions = (0..<2 as Range<Int32>).map { TopicPartition(topic, $0) }
    var missing = 0
    for partition in partitions { missing += Int(try await consumer.watermarks(partition).high) }
    try await consumer.assign(partitions.map { PartitionStart($0, .beginning) })
    var records: [KafkaRecord] = []
    let deadline = ContinuousClock.now + .seconds(30)
    while records.count < missing, .now < deadline {
      if case .records(let more) = try await consumer.poll(
        maximumRecords: 1_000, maximumBytes: 1 << 20, linger: .milliseconds(10))
      {
        records += more
      }
    }
    await consumer.close()
    #expect(records.count == missing)
    return records
  }
}
