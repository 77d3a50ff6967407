import Foundation
import Kafka

/// Faults that are in the topics: records that end or hang their readers, that nobody can read, and that are gone.
extension Fault {
  /// A record that ends whoever reads it, until it is put aside.
  public static let crashingRecord = Fault("record that crashes its reader", .process) { plant, _ in
    try await quarantine("crash", plant) { plant.ingest.flatMap(\.exits).count { $0 == .signal(SIGABRT) } }
  }

  /// A record that its reader never comes back from; the watchdog ends it, which has little patience meanwhile.
  public static let hangingRecord = Fault("record that hangs its reader", .process) { plant, _ in
    let heal: Heal = {
      for unit in plant.ingest { unit.allow(Plant.watchdog) }
      for unit in plant.ingest { try await unit.restart(watchdog: Plant.watchdog) }
    }
    return try await whenSeen(heal) {
      for unit in plant.ingest { try await unit.restart(watchdog: .seconds(6)) }
      _ = try await quarantine("hang", plant) { plant.ingest.reduce(0) { $0 + $1.barks } }
    }
  }

  /// Ends of readers are asked for until the record is put aside and the last who hangs at it has ended, and not a moment longer.
  private static func quarantine(_ kind: String, _ plant: Plant, ends: () -> Int) async throws -> Heal {
    for unit in plant.ingest { unit.expectAborts(true) }
    defer { for unit in plant.ingest { unit.expectAborts(false) } }
    let letters = "SELECT count(*) FROM throughline.dead_letter WHERE reason = 'quarantined'"
    let before = (ends(), try await plant.cluster.number(letters))
    let record = ProducerRecord(
      topic: "channel.chat", partition: 0, key: nil, value: Array("{}".utf8),
      headers: Poison.envelope + [
        KafkaHeader(WorkerProcess.faultHeader, Array(kind.utf8)), KafkaHeader(Audit.poisonHeader, Array("quarantined".utf8)),
      ])
    _ = try await plant.cluster.producer.send([record])[0].get()
    try await plant.wait("the end of a reader", seconds: 60) { ends() > before.0 }
    try await plant.cluster.wait(letters, for: before.1 + 1, seconds: 600)
    // One may have lost the partition while it hangs, and somebody else puts the record aside.
    for unit in plant.ingest { try await unit.waitForLife() }
    guard ends() >= before.0 + 3 else { throw RigFault("a record was put aside after \(ends() - before.0) ends of its readers") }
    return nothing
  }

  /// While nobody reads, so much is written to a partition that the broker drops the oldest of it, which nobody has read.
  public static let trimmedOffsets = Fault("offsets trimmed away", .process) { plant, _ in
    let partition = Plant.idlePartition
    let place = "topic = '\(partition.topic)' AND partition = \(partition.partition)"
    let last = try await write(8, to: partition, plant)
    // A partition of which nothing is stored is read from where it begins, whatever that is.
    try await plant.cluster.wait("SELECT next_offset FROM throughline.ingest_offset WHERE \(place)", for: Int(last) + 1)
    let alarm = #""event.action":"offset_out_of_range""#
    let (starts, alarms) = (plant.ingest.map(\.starts), plant.count(alarm))
    let heal: Heal = {
      for unit in plant.ingest { unit.startAgain() }
      for (unit, count) in zip(plant.ingest, starts) { try await unit.waitForStart(after: count) }
    }
    var low: Int64 = 0
    _ = try await whenSeen(heal) {
      for unit in plant.ingest { try await unit.stop() }
      // The broker keeps 5 MiB of a partition.
      for _ in 0..<8 { _ = try await write(1 << 20, to: partition, plant) }
      let probe = try KafkaConsumer(
        configuration: KafkaConfiguration(bootstrapServers: plant.cluster.broker.bootstrapServers, logger: .silent),
        group: "probe")
      low = try await probe.watermarks(partition).low
      await probe.close()
      guard low > last + 1 else { throw RigFault("the broker keeps all from \(low) on: nothing is trimmed away") }
    }
    let detail = "offsets \(last + 1) to \(low - 1) were deleted"
    plant.expectAlarm("\(partition.topic) \(partition.partition) \(last + 1) offsets_trimmed")
    return {
      try await heal()
      try await plant.waitForLog([alarm], beyond: alarms)
      try await plant.cluster.wait(
        """
        SELECT count(*) FROM throughline.dead_letter WHERE \(place) AND record_offset = \(last + 1)
        AND reason = 'offsets_trimmed' AND detail LIKE '\(detail)%'
        """, for: 1)
    }
  }

  /// A batch that Kafka has and can not hand over: each of its records is a letter.
  public static let unreadableBatch = Fault("batch that does not unpack", .process) { plant, choice in
    let (partition, codecs, broker) = (Plant.idlePartition, BrokenBatch.Codec.allCases, plant.cluster.broker)
    // The leader alone takes it.
    try await broker.moveLeader(partition, to: 1)
    let leader = broker.bootstrapServers.split(separator: ",").first.map(String.init) ?? ""
    let first = try BrokenBatch.write(codecs[choice % codecs.count], records: 3, to: partition, of: leader)
    for offset in first..<first + 3 { plant.expectAlarm("\(partition.topic) \(partition.partition) \(offset) unreadable") }
    try await plant.cluster.wait(
      """
      SELECT count(*) FROM throughline.dead_letter WHERE topic = '\(partition.topic)' AND partition = \(partition.partition)
      AND record_offset >= \(first) AND reason = 'unreadable'
      """, for: 3)
    return nothing
  }

  /// The offset of a record of which ingest keeps nothing but the first time: it repeats an event that nobody knows.
  private static func write(_ bytes: Int, to partition: TopicPartition, _ plant: Plant) async throws -> Int64 {
    let headers = [
      "ce_specversion": "1.0", "ce_id": "pad", "ce_type": "bot.handoff", "ce_source": "/channels/bot/rig",
      "ce_attested": "business", "content-type": "application/json",
    ]
    let record = ProducerRecord(
      topic: partition.topic, partition: partition.partition, key: nil,
      value: Array(#"{"event":"pad","event_id":"pad","pad":"\#(String(repeating: "x", count: bytes))"}"#.utf8),
      headers: headers.map { KafkaHeader($0.key, Array($0.value.utf8)) })
    return try await plant.cluster.producer.send([record])[0].get()
  }
}
