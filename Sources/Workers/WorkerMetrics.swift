import Canonical
import CoreMetrics
import Engine
import Store

/// The figures of operations.md, by their names there.
enum WorkerMetrics {
  static func committed(
    _ outcomes: [(channel: String, outcome: Outcome)], fenced: Int, duration: Duration, oldest: Timestamp?, now: Timestamp
  ) {
    var counts: [String: [String: Int]] = [:]
    for (channel, outcome) in outcomes {
      counts[channel, default: [:]][outcome.label, default: 0] += 1
      if case .deadLetter(let reason) = outcome {
        Counter(label: "throughline_dead_letters_total", dimensions: [("reason", reason.rawValue)]).increment()
      }
    }
    for (channel, results) in counts {
      for (result, count) in results {
        Counter(label: "throughline_ingest_records_total", dimensions: [("channel", channel), ("result", result)])
          .increment(by: count)
      }
    }
    if fenced > 0 { Counter(label: "throughline_fenced_batches_total").increment(by: fenced) }
    Timer(label: "throughline_ingest_batch_duration_seconds").record(duration: duration)
    if let oldest {
      Timer(label: "throughline_end_to_end_latency_seconds").record(duration: max(.zero, now.duration(since: oldest)))
    }
  }

  static func retried(_ sqlState: String) {
    Counter(label: "throughline_db_transaction_retries_total", dimensions: [("sqlstate", sqlState)]).increment()
  }

  static func rebalanced() { Counter(label: "throughline_rebalances_total").increment() }

  static func lag(_ records: Int64) { Gauge(label: "throughline_kafka_consumer_lag_records").record(records) }

  static func decided(_ decision: RoutingDecision, isTaken: Bool) {
    let outcome: String
    switch decision.outcome {
    case .assign(_, let acceptWithin): outcome = !isTaken ? "lost" : acceptWithin == nil ? "assigned" : "offered"
    case .bot: outcome = isTaken ? "bot" : "lost"
    case .place: return
    }
    Counter(label: "throughline_assignments_total", dimensions: [("queue", decision.queue), ("outcome", outcome)]).increment()
  }

  static func outboxAge(_ seconds: Double) { Gauge(label: "throughline_outbox_oldest_age_seconds").record(seconds) }
}

/// Who waits and who is there, of all tenants of a router together.
struct RoutingGauges: Sendable {
  typealias Waiting = [String: (count: Int, since: Timestamp?)]

  private var tenants: [String: (waiting: Waiting, states: [String])] = [:]
  /// The queues that have a figure.
  private var queues: Set<String> = []
  private var hasNews = false

  mutating func set(_ tenant: String, waiting: Waiting, states: [String]) {
    tenants[tenant] = (waiting, states)
    hasNews = true
  }

  /// The sums over these tenants. A queue that is gone is nought, once.
  mutating func figures(of names: Set<String>) -> (waiting: Waiting, states: [String]) {
    tenants = tenants.filter { names.contains($0.key) }
    var sums = Dictionary(queues.map { ($0, (count: 0, since: Timestamp?.none)) }) { $1 }
    for (queue, (count, since)) in tenants.values.flatMap(\.waiting) {
      let known = sums[queue] ?? (0, nil)
      sums[queue] = (known.count + count, [known.since, since].compactMap { $0 }.min())
    }
    queues = Set(tenants.values.flatMap(\.waiting.keys))
    return (sums, tenants.values.flatMap(\.states))
  }

  mutating func record(of names: Set<String>, now: Timestamp) {
    guard hasNews || tenants.keys.contains(where: { !names.contains($0) }) else { return }
    hasNews = false
    let (waiting, states) = figures(of: names)
    for (queue, (count, since)) in waiting {
      let age = since.map { max(.zero, now.duration(since: $0)) } ?? .zero
      Gauge(label: "throughline_conversations_waiting", dimensions: [("queue", queue)]).record(count)
      Gauge(label: "throughline_oldest_waiting_seconds", dimensions: [("queue", queue)]).record(age.components.seconds)
    }
    for state in Presence.State.allCases {
      Gauge(label: "throughline_agents", dimensions: [("state", state.rawValue)])
        .record(states.count { $0 == state.rawValue })
    }
  }
}

extension Timer {
  fileprivate func record(duration: Duration) {
    let (seconds, attoseconds) = duration.components
    recordNanoseconds(seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue &+ attoseconds / 1_000_000_000)
  }
}
