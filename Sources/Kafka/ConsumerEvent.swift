/// What `KafkaConsumer.poll` comes back with.
public enum ConsumerEvent: Sendable, Equatable {
  /// In the order of each partition; empty when the wait was in vain.
  case records([KafkaRecord])
  /// The group gave these partitions, perhaps none; nothing is read until the owner has claimed them and called `assign`.
  case assigned([TopicPartition])
  /// The group takes all partitions back and waits until the owner has called `unassign`; lost ones already have another owner.
  case revoked([TopicPartition], isLost: Bool)
  /// The offset to read is not there (trimmed, or never committed); the partition stands still until it is sought or assigned anew.
  case outOfRange(TopicPartition)
  /// Something failed; librdkafka goes on by itself unless the fault is fatal.
  case fault(KafkaFault)
}
