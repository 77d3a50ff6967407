import CRdKafka

/// A partition of a topic.
public struct TopicPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let topic: String
  /// Counted from 0.
  public let partition: Int32

  public init(_ topic: String, _ partition: Int32) {
    self.topic = topic
    self.partition = partition
  }

  public static func < (left: Self, right: Self) -> Bool {
    (left.topic, left.partition) < (right.topic, right.partition)
  }

  public var description: String { "\(topic)[\(partition)]" }
}

/// Where reading of an assigned partition begins.
public struct PartitionStart: Sendable, Equatable {
  public enum Position: Sendable, Equatable {
    /// The offset of the first record to read; not negative.
    case offset(Int64)
    /// The oldest record that the broker still has.
    case beginning
    /// The group's offset at the broker; without one the partition comes back as `outOfRange`.
    case committed
  }

  public let partition: TopicPartition
  public let position: Position

  public init(_ partition: TopicPartition, _ position: Position) {
    self.partition = partition
    self.position = position
  }
}

/// The range of a partition's offsets: the oldest record's, and the next one to be written (what is not yet committed left out).
public struct Watermarks: Sendable, Equatable {
  public let low: Int64
  public let high: Int64
}

/// Lends a list made for the call.
func withOffsetList<Result>(
  _ offsets: [(partition: TopicPartition, offset: Int64)],
  _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> Result
) -> Result {
  let list = rd_kafka_topic_partition_list_new(Int32(clamping: offsets.count))
  defer { rd_kafka_topic_partition_list_destroy(list) }
  for (partition, offset) in offsets {
    rd_kafka_topic_partition_list_add(list, partition.topic, partition.partition).pointee.offset = offset
  }
  return body(list)
}

func withPartitionList<Result>(
  _ partitions: some Collection<TopicPartition>, _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?) -> Result
) -> Result {
  withOffsetList(partitions.map { (partition: $0, offset: Int64(RD_KAFKA_OFFSET_INVALID)) }, body)
}

extension TopicPartition {
  init(_ raw: rd_kafka_topic_partition_t) {
    self.init(String(cString: raw.topic), raw.partition)
  }
}

extension UnsafeMutablePointer<rd_kafka_topic_partition_list_t> {
  var elements: UnsafeBufferPointer<rd_kafka_topic_partition_t> {
    UnsafeBufferPointer(start: pointee.elems, count: Int(pointee.cnt))
  }
}
