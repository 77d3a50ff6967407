import CRdKafka

/// What went wrong at Kafka, by librdkafka's error code and never by its text (rdkafka.h, `rd_kafka_resp_err_t`).
public struct KafkaFault: Error, Sendable, Equatable, CustomStringConvertible {
  /// What to do about a fault.
  public enum Disposition: Sendable {
    /// It passes: wait with backoff, do the same again.
    case retry
    /// This record can never be sent or read: store it as a dead letter (or step over its offset), go on.
    case deadLetter
    /// Configuration, permission or our own bug: end the worker.
    case stop
  }

  /// The broker's code (positive) or librdkafka's own (negative).
  public let code: Int32
  /// librdkafka's name of the code, such as `MSG_SIZE_TOO_LARGE` (rd_kafka_err2name).
  public let name: String
  /// The client is of no more use; close it and make another.
  public let isFatal: Bool
  /// The configuration property to blame; never its value.
  public let property: String?
  /// The partition it is about, where it is about one.
  public let partition: TopicPartition?
  /// The offset in `partition` that could not be read.
  public let offset: Int64?

  init(
    _ code: rd_kafka_resp_err_t, isFatal: Bool = false, property: String? = nil, partition: TopicPartition? = nil,
    offset: Int64? = nil
  ) {
    self.code = code.rawValue
    name = String(cString: rd_kafka_err2name(code))
    self.isFatal = isFatal
    self.property = property
    self.partition = partition
    self.offset = offset
  }

  /// The cluster has no such topic.
  public var isUnknownTopic: Bool {
    [RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART.rawValue, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC.rawValue].contains(code)
  }

  /// The same call may succeed later.
  public var isRetriable: Bool { disposition == .retry }

  /// Total over all codes; one that is not known stops the worker rather than turning in circles.
  public var disposition: Disposition {
    if isFatal { return .stop }
    switch rd_kafka_resp_err_t(rawValue: code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_RECORD,
      RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, RD_KAFKA_RESP_ERR__BAD_MSG, RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
      return .deadLetter
    // The client's own: connections, time, room, a coordinator or an assignment on the move.
    case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__SSL,
      RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
      RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR__ISR_INSUFF, RD_KAFKA_RESP_ERR__NODE_UPDATE,
      RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR__WAIT_CACHE, RD_KAFKA_RESP_ERR__IN_PROGRESS,
      RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS, RD_KAFKA_RESP_ERR__OUTDATED, RD_KAFKA_RESP_ERR__INTR, RD_KAFKA_RESP_ERR__PARTIAL,
      RD_KAFKA_RESP_ERR__RETRY, RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT,
      RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR__UNKNOWN_BROKER,
      RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
      return .retry
    // The broker's, as Kafka's protocol guide marks them retriable, and a group that is rebalancing.
    case RD_KAFKA_RESP_ERR_UNKNOWN, RD_KAFKA_RESP_ERR_INVALID_MSG, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
      RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
      RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
      RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, RD_KAFKA_RESP_ERR_NOT_CONTROLLER,
      RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_REASSIGNMENT_IN_PROGRESS,
      RD_KAFKA_RESP_ERR_FETCH_SESSION_ID_NOT_FOUND, RD_KAFKA_RESP_ERR_INVALID_FETCH_SESSION_EPOCH,
      RD_KAFKA_RESP_ERR_LISTENER_NOT_FOUND, RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
      RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_MEMBER_ID_REQUIRED,
      RD_KAFKA_RESP_ERR_PREFERRED_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_ELIGIBLE_LEADERS_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
      return .retry
    default: return .stop
    }
  }

  public var description: String {
    var text = "Kafka fault \(name)"
    if let property { text += ", property \(property)" }
    if let partition { text += ", \(partition)" }
    if let offset { text += ", offset \(offset)" }
    return isFatal ? text + ", fatal" : text
  }
}
