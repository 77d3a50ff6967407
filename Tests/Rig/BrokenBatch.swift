import Foundation
import Kafka

/// A batch of records such as no client of ours writes: compressed, by its header, with bytes that do not unpack.
///
/// Kafka's protocol guide: Produce in version 7, record batches in version 2. Brokers check the checksum, which is right.
public enum BrokenBatch {
  /// How Kafka numbers its ways of compression.
  public enum Codec: Int16, CaseIterable, Sendable {
    case gzip = 1
    case snappy, lz4, zstd
  }

  private static let produce: Int16 = 0
  private static let version: Int16 = 7
  private static let seconds = 10

  /// Writes one and waits for the broker's answer, on the caller's thread and for at most ten seconds a step.
  ///
  /// - Parameter broker: `host:port` of the partition's leader, the host in digits.
  /// - Returns: the offset of the first of its records.
  public static func write(
    _ codec: Codec, records count: Int32, to partition: TopicPartition, of broker: String
  ) throws -> Int64 {
    var request = Bytes()
    request.append(produce)
    request.append(version)
    // The request's number, and the client's name.
    request.append(Int32(1))
    request.append("rig")
    // No transaction; all replicas are waited for.
    request.append(Int16(-1))
    request.append(Int16(-1))
    request.append(Int32(seconds * 1_000))
    request.append(Int32(1))
    request.append(partition.topic)
    request.append(Int32(1))
    request.append(partition.partition)
    request.append(batch(codec, records: count))

    let answer = try exchange(request, with: broker)
    // Its number, one topic with its name, one partition with its number; then what became of it.
    let start = 4 + 4 + 2 + partition.topic.utf8.count + 4 + 4
    guard answer.count >= start + 10 else { throw RigFault("an answer of \(answer.count) bytes to a batch") }
    let code = answer[start..<start + 2].reduce(Int16(0)) { $0 << 8 | Int16($1) }
    guard code == 0 else { throw RigFault("the broker takes no broken batch: code \(code)") }
    return answer[start + 2..<start + 10].reduce(Int64(0)) { $0 << 8 | Int64($1) }
  }

  private static func batch(_ codec: Codec, records count: Int32) -> Bytes {
    let now = Int64(Date().timeIntervalSince1970 * 1_000)
    var body = Bytes()
    body.append(codec.rawValue)
    body.append(count - 1)
    body.append(now)
    body.append(now)
    // No producer's number, epoch and sequence.
    body.append(Int64(-1))
    body.append(Int16(-1))
    body.append(Int32(-1))
    body.append(count)
    body.raw += [UInt8](repeating: 0xff, count: 256)
    var batch = Bytes()
    // The broker says where it begins.
    batch.append(Int64(0))
    // Its length from here on: epoch of the leader, format, checksum, body.
    batch.append(Int32(4 + 1 + 4 + body.raw.count))
    batch.append(Int32(0))
    batch.append(Int8(2))
    batch.append(checksum(body.raw))
    batch.raw += body.raw
    return batch
  }

  /// CRC-32C (Castagnoli), bit by bit.
  static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var crc = UInt32.max
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = (crc >> 1) ^ (crc & 1 == 0 ? 0 : 0x82f6_3b78) }
    }
    return ~crc
  }

  private static func exchange(_ request: Bytes, with broker: String) throws -> [UInt8] {
    let parts = broker.split(separator: ":")
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(parts.last ?? "")?.bigEndian ?? 0
    address.sin_addr.s_addr = inet_addr(String(parts.first ?? ""))
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    var patience = timeval(tv_sec: seconds, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
    }
    let isConnected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
    var framed = Bytes()
    framed.append(request)
    guard isConnected == 0, send(descriptor, framed.raw, framed.raw.count, Int32(MSG_NOSIGNAL)) == framed.raw.count else {
      throw RigFault("no way to \(broker): errno \(errno)")
    }
    func receive(_ count: Int) throws -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: count)
      guard recv(descriptor, &bytes, count, Int32(MSG_WAITALL)) == count else {
        throw RigFault("no answer from \(broker): errno \(errno)")
      }
      return bytes
    }
    return try receive(try receive(4).reduce(0) { $0 << 8 | Int($1) } & 0xffff)
  }

  /// Numbers big end first; texts and bytes with their length before them.
  private struct Bytes {
    var raw: [UInt8] = []

    mutating func append(_ number: some FixedWidthInteger) {
      withUnsafeBytes(of: number.bigEndian) { raw += $0 }
    }

    mutating func append(_ text: String) {
      append(Int16(text.utf8.count))
      raw += Array(text.utf8)
    }

    mutating func append(_ bytes: Bytes) {
      append(Int32(bytes.raw.count))
      raw += bytes.raw
    }
  }
}
