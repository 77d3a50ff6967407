import Foundation
import Kafka

/// Resident size of one worker while it drains ten times `--messages`, fed as fast as it reads.
struct Memory {
  struct Result: Codable, Sendable {
    var records: Int
    var recordsPerSecond: Double
    var medianMiB: Double
    var peakMiB: Double
    var workerCPUSeconds: Double
    var postgresCPUSeconds: Double
  }

  private static let partitions = 48
  /// Of unread records in a partition: the broker trims at 5 MiB.
  private static let maximumBytes = 3_500_000
  let options: Options

  func run(_ database: Database) async throws -> Result {
    let name = "run"
    let total = options.messages * 10
    try await database.make(name, from: try await database.template(messages: 0))
    let feed = try await Feed(partitions: Self.partitions)
    var load = Load(seed: options.seed, total: total)
    var backlog = Backlog()
    // There is a backlog from the beginning.
    var pending: [ProducerRecord] = (0..<min(total, 100_000)).map { _ in load.next() }
    for record in pending { backlog.add(record, feed.partition(of: record)) }
    try await feed.preload(pending)
    var made = pending.count
    pending = []
    let worker = try Competitor(
      [Paths.throughline, "ingest"],
      environment: [
        "THROUGHLINE_DATABASE_URL": database.url(name), "THROUGHLINE_KAFKA_BOOTSTRAP_SERVERS": feed.broker.bootstrapServers,
        "THROUGHLINE_HTTP_LISTEN": "off", "THROUGHLINE_LOG_LEVEL": "warning",
      ], log: options.folder + "/logs/memory.log")
    var sizes: [Double] = []
    var begun: (at: ContinuousClock.Instant, done: Int, cpu: Double, server: Double)?
    var done = 0
    var changedAt = ContinuousClock.now
    let watcher = database.connection(to: name)
    while done < total {
      let rows = try await watcher.rows(
        "SELECT topic, partition, next_offset FROM throughline.ingest_offset WHERE next_offset IS NOT NULL AND topic LIKE 'channel.%'"
      )
      let before = done
      done = backlog.update(rows)
      if done > before { changedAt = .now }
      if begun == nil, done > 0 {
        begun = (.now, done, Machine.cpuSeconds(of: worker.pid) ?? 0, Machine.cpuSeconds(ofServer: database.pid))
      }
      guard worker.isRunning, ContinuousClock.now - changedAt < .seconds(60) else {
        throw Failure("stopped at \(done) of \(total): \(worker.tail)")
      }
      sizes.append(Machine.memory(of: worker.pid, "VmRSS"))
      while made < total {
        if pending.isEmpty { pending = (0..<min(2_000, total - made)).map { _ in load.next() } }
        guard backlog.hasRoom(for: pending, { feed.partition(of: $0) }, Self.maximumBytes) else { break }
        for record in pending { backlog.add(record, feed.partition(of: record)) }
        try await feed.send(pending)
        made += pending.count
        pending = []
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    guard let begun else { throw Failure("nothing was read") }
    let seconds = (ContinuousClock.now - begun.at) / .seconds(1)
    let lost = try await watcher.number("SELECT count(*) FROM throughline.dead_letter")
    await watcher.close()
    guard lost == 0 else { throw Failure("\(lost) dead letters") }
    let result = Result(
      records: total, recordsPerSecond: Double(total - begun.done) / seconds, medianMiB: sizes.median,
      peakMiB: Machine.memory(of: worker.pid, "VmHWM"), workerCPUSeconds: (Machine.cpuSeconds(of: worker.pid) ?? 0) - begun.cpu,
      postgresCPUSeconds: Machine.cpuSeconds(ofServer: database.pid) - begun.server)
    try await worker.stop()
    await feed.close()
    try await database.drop(name)
    return result
  }

  /// Bytes of each partition that are not stored yet.
  private struct Backlog {
    private struct Partition {
      var unread: ArraySlice<Int32> = []
      var bytes = 0
      var next = 0
    }
    private var partitions: [TopicPartition: Partition] = [:]
    private var done = 0

    mutating func add(_ record: ProducerRecord, _ partition: Int32) {
      let size = Feed.size(of: record)
      partitions[TopicPartition(record.topic, partition), default: Partition()].unread.append(Int32(size))
      partitions[TopicPartition(record.topic, partition), default: Partition()].bytes += size
    }

    func hasRoom(for records: [ProducerRecord], _ place: (ProducerRecord) -> Int32, _ limit: Int) -> Bool {
      records.allSatisfy { (partitions[TopicPartition($0.topic, place($0))]?.bytes ?? 0) < limit }
    }

    /// Takes the stored offsets; how many records are stored in all.
    mutating func update(_ rows: [[String?]]) -> Int {
      for row in rows {
        guard let topic = row[0], let partition = row[1].flatMap({ Int32($0) }), let next = row[2].flatMap({ Int($0) }),
          var state = partitions[TopicPartition(topic, partition)]
        else { continue }
        let read = next - state.next
        state.bytes -= state.unread.prefix(read).reduce(0) { $0 + Int($1) }
        state.unread = state.unread.dropFirst(read)
        state.next = next
        done += read
        partitions[TopicPartition(topic, partition)] = state
      }
      return done
    }
  }

  func show(_ result: Result) {
    var table = Table("memory", "records", "records/s", "median MiB", "peak MiB", "worker CPU s", "PostgreSQL CPU s")
    table.add(
      "throughline ingest, one process", "\(result.records)", result.recordsPerSecond.rounded(0), result.medianMiB.rounded(0),
      result.peakMiB.rounded(0), result.workerCPUSeconds.rounded(1), result.postgresCPUSeconds.rounded(1))
    bench.show("\n" + table.text)
  }
}
