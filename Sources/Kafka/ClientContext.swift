import CRdKafka
import Logging
import Synchronization

/// What librdkafka's callbacks get; retained until the client is destroyed.
final class ClientContext: Sendable {
  /// The outcomes of one `send`, in the order of its records; nil while the delivery report is outstanding.
  private struct Batch {
    var outcomes: [Result<Int64, KafkaFault>?]
    var outstandingCount: Int
  }

  private let logger: Logger
  private let batches = Mutex<(next: UInt32, open: [UInt32: Batch])>((1, [:]))

  init(logger: Logger) { self.logger = logger }

  /// librdkafka has syslog's levels.
  func log(_ level: Int32, facility: String, text: String) {
    let mapped: Logger.Level =
      switch level {
      case ...2: .critical
      case 3: .error
      case 4: .warning
      case 5: .notice
      case 6: .info
      default: .debug
      }
    // What is told again and again, of each broker and thread, is one line to whoever limits them.
    logger.log(
      level: mapped, "librdkafka: \(facility)",
      metadata: ["event.action": "librdkafka", "error.type": "\(facility)", "detail": "\(text)"])
  }

  func beginBatch(count: Int) -> UInt32 {
    batches.withLock { batches in
      let id = batches.next
      batches.next = id == .max ? 1 : id + 1
      batches.open[id] = Batch(outcomes: Array(repeating: nil, count: count), outstandingCount: count)
      return id
    }
  }

  /// What a record carries through librdkafka: its batch and its place therein. Never null, and never followed as a pointer.
  static func opaque(batch: UInt32, index: Int) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(bitPattern: UInt(batch) << 32 | UInt(truncatingIfNeeded: index) & 0xffff_ffff)
  }

  func delivered(_ record: rd_kafka_message_t, _ client: OpaquePointer) {
    let opaque = UInt(bitPattern: record._private)
    // Without an offset it need not be stored: librdkafka takes the answer to a later record for it, as brokers refuse sequences with
    // gaps, if they look at them. Where a broker has known it for a duplicate, it is sent once more.
    let unproven = record.offset < 0 ? KafkaFault(RD_KAFKA_RESP_ERR__RETRY) : nil
    settle(
      batch: UInt32(truncatingIfNeeded: opaque >> 32), index: Int(opaque & 0xffff_ffff),
      (KafkaFault(record.err, client) ?? unproven).map { .failure($0) } ?? .success(record.offset))
  }

  func settle(batch id: UInt32, index: Int, _ outcome: Result<Int64, KafkaFault>) {
    batches.withLock { batches in
      guard batches.open[id]?.outcomes[index] == .some(nil) else { return }
      batches.open[id]?.outcomes[index] = outcome
      batches.open[id]?.outstandingCount -= 1
    }
  }

  func outstandingCount(batch id: UInt32) -> Int { batches.withLock { $0.open[id]?.outstandingCount ?? 0 } }

  /// Forgets the batch; a record without a report (the client was closed) failed.
  func endBatch(_ id: UInt32) -> [Result<Int64, KafkaFault>] {
    batches.withLock { $0.open.removeValue(forKey: id)?.outcomes ?? [] }.map { $0 ?? .failure(.closed) }
  }
}
