import Allocations
import Canonical
import Channels
import Foundation
import Kafka

/// What it costs to make canonical events of a record, by format.
struct Normalize {
  struct Result: Codable, Sendable { var formats: [Format] = [] }
  struct Format: Codable, Sendable {
    var type: String
    var bytesPerRecord: Int
    var microsecondsPerRecord: Double
    var allocationsPerRecord: Double
    var pythonMicrosecondsPerRecord: Double
  }

  let options: Options

  func run() throws -> Result {
    var load = Load(seed: options.seed, total: 40_000)
    var byType: [String: [ProducerRecord]] = [:]
    for _ in 0..<40_000 {
      let record = load.next()
      let type = record.headers.first { $0.name == "ce_type" }?.value.map { String(decoding: $0, as: UTF8.self) } ?? ""
      byType[type, default: []].append(record)
    }
    var result = Result()
    for (type, records) in byType.sorted(by: { $0.key < $1.key }) { result.formats.append(try measure(type, records)) }
    return result
  }

  /// The fastest of seven passes, after one that is not counted: the machine may have other things to do meanwhile.
  private func measure(_ type: String, _ produced: [ProducerRecord]) throws -> Format {
    let records = produced.prefix(2_000).enumerated().map { offset, record in
      Record(
        topic: record.topic, partition: 0, offset: Int64(offset), timestamp: nil, key: record.key,
        headers: record.headers.map { Record.Header($0.name, $0.value) }, value: record.value)
    }
    let normaliser = Normaliser()
    var events = 0
    func pass() {
      events = 0
      for record in records {
        for case .event in normaliser.normalise(record).elements { events += 1 }
      }
    }
    pass()
    guard events == records.count else { throw Failure("\(type): \(events) events of \(records.count) records") }
    let clock = ContinuousClock()
    let before = bench_allocation_count()
    pass()
    let allocations = bench_allocation_count() - before
    let fastest = (0..<7).map { _ in clock.measure { pass() } }.min() ?? .zero
    let count = Double(records.count)
    return Format(
      type: type, bytesPerRecord: records.reduce(0) { $0 + ($1.value?.count ?? 0) } / records.count,
      microsecondsPerRecord: fastest / .microseconds(1) / count, allocationsPerRecord: Double(allocations) / count,
      pythonMicrosecondsPerRecord: try python(records))
  }

  /// The same records through the rivals' formats.py.
  private func python(_ records: [Record]) throws -> Double {
    var file = Data()
    func add(_ bytes: [UInt8]) {
      withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { file.append(contentsOf: $0) }
      file.append(contentsOf: bytes)
    }
    for record in records {
      add(Array(record.topic.utf8))
      add(record.value ?? [])
      withUnsafeBytes(of: UInt32(record.headers.count).littleEndian) { file.append(contentsOf: $0) }
      for header in record.headers {
        add(Array(header.name.utf8))
        add(header.value ?? [])
      }
    }
    let path = options.folder + "/records.bin"
    try file.write(to: URL(fileURLWithPath: path))
    let output = try bench.run([Paths.python, Paths.scripts + "normalize.py", path])
    return Double(output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? .nan
  }

  func show(_ result: Result) {
    var table = Table("normalize", "bytes", "µs", "allocations", "Python µs", "Python against ours")
    for format in result.formats {
      table.add(
        format.type, "\(format.bytesPerRecord)", format.microsecondsPerRecord.rounded(1), format.allocationsPerRecord.rounded(1),
        format.pythonMicrosecondsPerRecord.rounded(1),
        (format.pythonMicrosecondsPerRecord / format.microsecondsPerRecord).rounded(1))
    }
    bench.show("\n" + table.text)
  }
}
