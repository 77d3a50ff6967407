/// A record to send.
public struct ProducerRecord: Sendable, Equatable {
  public var topic: String
  /// nil: by the hash of the key as Kafka's own clients do it (murmur2), anywhere without a key.
  public var partition: Int32?
  /// Since 1970; nil is now.
  public var timestampMilliseconds: Int64?
  public var key: [UInt8]?
  /// nil is a tombstone.
  public var value: [UInt8]?
  public var headers: [KafkaHeader]

  public init(
    topic: String, partition: Int32? = nil, timestampMilliseconds: Int64? = nil, key: [UInt8]?, value: [UInt8]?,
    headers: [KafkaHeader] = []
  ) {
    self.topic = topic
    self.partition = partition
    self.timestampMilliseconds = timestampMilliseconds
    self.key = key
    self.value = value
    self.headers = headers
  }
}
