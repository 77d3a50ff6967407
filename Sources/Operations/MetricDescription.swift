/// What a metric tells an operator, and the buckets of a histogram.
public struct MetricDescription: Sendable {
  public var help: String
  public var buckets: [Double]

  public init(_ help: String, buckets: [Double] = MetricDescription.durations) {
    self.help = help
    self.buckets = buckets
  }

  /// Seconds, from a statement to a stuck one.
  public static let durations = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
  /// Seconds, from a fresh record to a backlog of a day.
  public static let latencies = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 86_400]

  /// Every metric of the workers, by its name.
  public static let all: [String: MetricDescription] = [
    "throughline_agents": .init("Agents by state."),
    "throughline_assignments_total": .init("Offers and assignments by queue and by what became of them."),
    "throughline_build_info": .init("Always 1; the labels say what runs."),
    "throughline_conversations_waiting": .init("Conversations that wait for an agent, by queue."),
    "throughline_db_transaction_retries_total": .init("Transactions that were tried again, by the SQLSTATE of their failure."),
    "throughline_dead_letters_total": .init("Records and elements that became dead letters, by reason."),
    "throughline_end_to_end_latency_seconds": .init(
      "From a record's timestamp in Kafka to the commit of its rows.", buckets: latencies),
    "throughline_fenced_batches_total": .init("Parts of batches that were dropped because another worker holds the partition."),
    "throughline_ingest_batch_duration_seconds": .init("From a batch's first statement to its commit, retries included."),
    "throughline_ingest_records_total": .init("Elements of records by channel and by what became of them."),
    "throughline_kafka_consumer_lag_records": .init("Records in the assigned partitions that are not committed yet."),
    "throughline_oldest_waiting_seconds": .init("Age of the conversation that waits longest, by queue."),
    "throughline_outbox_oldest_age_seconds": .init("Age of the oldest event that is not published yet."),
    "throughline_rebalances_total": .init("Times that the group gave this worker its partitions."),
  ]
}
