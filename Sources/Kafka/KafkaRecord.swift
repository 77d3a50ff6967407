import CRdKafka
import Glibc

/// A header of a record; names may repeat, nil is not the same as empty.
public struct KafkaHeader: Sendable, Equatable {
  public var name: String
  public var value: [UInt8]?

  public init(_ name: String, _ value: [UInt8]?) {
    self.name = name
    self.value = value
  }
}

/// A record as it was read; its bytes are a copy of its own.
///
/// A few kilobytes on the wire may decompress to a gigabyte, which librdkafka has already made room for. To hold it only once, and to
/// have something that a database can store, of what is too long only the beginning is copied, and the rest counted.
public struct KafkaRecord: Sendable, Equatable {
  /// Longer values are cut to `keptBytes`.
  public static let maximumValueBytes = 64 << 20
  /// What is kept of a longer value, of a longer key, and of all headers together.
  public static let keptBytes = 1 << 20
  static let maximumHeaders = 4_096

  public var topic: String
  public var partition: Int32
  public var offset: Int64
  /// Since 1970; nil when the broker gave none.
  public var timestampMilliseconds: Int64?
  public var key: [UInt8]?
  /// nil is a tombstone. The array has room for 64 bytes more, so that simdjson may read beyond its end.
  public var value: [UInt8]?
  public var headers: [KafkaHeader]
  /// Bytes of key, value and headers that were not copied; 0 of every record of a sensible size.
  public var omittedBytes: Int

  public init(
    topic: String, partition: Int32, offset: Int64, timestampMilliseconds: Int64?, key: [UInt8]?, value: [UInt8]?,
    headers: [KafkaHeader], omittedBytes: Int = 0
  ) {
    self.topic = topic
    self.partition = partition
    self.offset = offset
    self.timestampMilliseconds = timestampMilliseconds
    self.key = key
    self.value = value
    self.headers = headers
    self.omittedBytes = omittedBytes
  }

  public var topicPartition: TopicPartition { TopicPartition(topic, partition) }
}

extension KafkaRecord {
  /// Copies out of a fetch event, which still owns `raw`.
  init(_ raw: UnsafePointer<rd_kafka_message_t>) {
    let record = raw.pointee
    let timestamp = rd_kafka_message_timestamp(raw, nil)
    let keyCount = min(record.key_len, Self.keptBytes)
    let valueCount = record.len > Self.maximumValueBytes ? Self.keptBytes : record.len
    let (headers, omittedHeaderBytes) = Self.headers(raw)
    self.init(
      topic: String(cString: rd_kafka_topic_name(record.rkt)), partition: record.partition, offset: record.offset,
      timestampMilliseconds: timestamp < 0 ? nil : timestamp,
      key: Self.copy(record.key, count: keyCount),
      value: Self.copy(record.payload, count: valueCount, spare: 64),
      headers: headers, omittedBytes: record.key_len - keyCount + record.len - valueCount + omittedHeaderBytes)
  }

  var byteCount: Int {
    headers.reduce((key?.count ?? 0) + (value?.count ?? 0)) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
  }

  private static func copy(_ start: UnsafeRawPointer?, count: Int, spare: Int = 0) -> [UInt8]? {
    guard let start else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + spare)
    bytes.append(contentsOf: UnsafeBufferPointer(start: start.assumingMemoryBound(to: UInt8.self), count: count))
    return bytes
  }

  /// Headers that cannot be parsed are none: the record then fails as one without its attributes, and is kept.
  private static func headers(_ raw: UnsafePointer<rd_kafka_message_t>) -> (kept: [KafkaHeader], omittedBytes: Int) {
    var list: OpaquePointer?
    guard rd_kafka_message_headers(raw, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return ([], 0) }
    let headerCount = rd_kafka_header_cnt(list)
    var headers: [KafkaHeader] = []
    headers.reserveCapacity(min(headerCount, maximumHeaders))
    var (byteCount, omittedBytes) = (0, 0)
    for index in 0..<headerCount {
      var name: UnsafePointer<CChar>?
      var value: UnsafeRawPointer?
      var count = 0
      let code = rd_kafka_header_get_all(list, index, &name, &value, &count)
      guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let name else { continue }
      let length = max(1, strlen(name) + count)
      guard omittedBytes == 0, headers.count < maximumHeaders, byteCount + length <= keptBytes else {
        omittedBytes += length
        continue
      }
      byteCount += length
      headers.append(KafkaHeader(String(cString: name), copy(value, count: count)))
    }
    return (headers, omittedBytes)
  }
}
