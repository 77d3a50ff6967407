import CoreMetrics
import Synchronization

/// The metrics of this process in Prometheus' text format 0.0.4.
///
/// Counters are counters, gauges and meters gauges, recorders and timers histograms of fixed buckets; timers count seconds. A metric has
/// at most `maximumSeries` series: label values that come later are counted under `other` (of a gauge, `other` is the last one set).
public final class PrometheusMetrics: MetricsFactory {
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"
  static let maximumLabelBytes = 128

  private struct Family: Sendable {
    var kind: String
    var series: [String: any Series] = [:]
  }

  private let descriptions: [String: MetricDescription]
  private let maximumSeries: Int
  private let families = Mutex<[String: Family]>([:])

  /// - Parameter version: Of the binary, for `throughline_build_info`.
  public init(
    version: String, descriptions: [String: MetricDescription] = MetricDescription.all, maximumSeries: Int = 500
  ) {
    self.descriptions = descriptions
    self.maximumSeries = maximumSeries
    gauge("throughline_build_info", [("version", version)]).set(Int64(1))
  }

  /// The text of `/metrics`, in the order of the names.
  public func text() -> String {
    let families = families.withLock { $0 }
    var text = ""
    for (name, family) in families.sorted(by: { $0.key < $1.key }) {
      if let help = descriptions[name]?.help {
        text += "# HELP \(name) \(help.replacing(#"\"#, with: #"\\"#).replacing("\n", with: #"\n"#))\n"
      }
      text += "# TYPE \(name) \(family.kind)\n"
      for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
        for sample in series.samples {
          let all = [labels, sample.label].filter { !$0.isEmpty }.joined(separator: ",")
          text += "\(name)\(sample.suffix)\(all.isEmpty ? "" : "{\(all)}") \(Self.number(sample.value))\n"
        }
      }
    }
    return text
  }

  // MARK: - Factory

  public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    series(label, dimensions, "counter") { CounterSeries() }
  }

  public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler { gauge(label, dimensions) }

  public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    if aggregate { histogram(label, dimensions) } else { gauge(label, dimensions) }
  }

  public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { histogram(label, dimensions) }

  public func destroyCounter(_ handler: any CounterHandler) { forget(handler) }
  public func destroyMeter(_ handler: any MeterHandler) { forget(handler) }
  public func destroyRecorder(_ handler: any RecorderHandler) { forget(handler) }
  public func destroyTimer(_ handler: any TimerHandler) { forget(handler) }

  private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeSeries {
    series(label, dimensions, "gauge") { GaugeSeries() }
  }

  private func histogram(_ label: String, _ dimensions: [(String, String)]) -> HistogramSeries {
    let buckets = descriptions[Self.name(label)]?.buckets ?? MetricDescription.durations
    return series(label, dimensions, "histogram") { HistogramSeries(buckets) }
  }

  private func series<S: Series>(
    _ label: String, _ dimensions: [(String, String)], _ kind: String, make: () -> S
  ) -> S {
    let name = Self.name(label)
    return families.withLock { families in
      var labels = Self.labels(dimensions)
      let known = families[name]?.series ?? [:]
      if known[labels] == nil && known.count >= maximumSeries { labels = Self.labels(dimensions.map { ($0.0, "other") }) }
      if let series = known[labels] as? S { return series }
      let series = make()
      // A name that is of another kind already: what is recorded here is not shown.
      guard known[labels] == nil, families[name].map({ $0.kind == kind }) ?? true else { return series }
      families[name, default: Family(kind: kind)].series[labels] = series
      return series
    }
  }

  private func forget(_ handler: AnyObject) {
    families.withLock { families in
      families = families.compactMapValues { family in
        let series = family.series.filter { $0.value !== handler }
        return series.isEmpty ? nil : Family(kind: family.kind, series: series)
      }
    }
  }

  // MARK: - Text

  /// Names of others may have points and dashes.
  private static func name(_ text: String) -> String {
    String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber) || $0 == "_" ? $0 : "_" })
  }

  private static func labels(_ dimensions: [(String, String)]) -> String {
    dimensions.map { (name($0.0), $0.1) }.sorted { $0.0 < $1.0 }.map { label, value in
      var escaped = ""
      for scalar in value.unicodeScalars {
        guard escaped.utf8.count < maximumLabelBytes else { break }
        switch scalar {
        case "\\": escaped += #"\\"#
        case "\"": escaped += #"\""#
        case "\n": escaped += #"\n"#
        default: escaped.unicodeScalars.append(scalar)
        }
      }
      return "\(label)=\"\(escaped)\""
    }.joined(separator: ",")
  }

  fileprivate static func number(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
    return value == .infinity ? "+Inf" : value == -.infinity ? "-Inf" : value.isNaN ? "NaN" : "\(value)"
  }
}

private protocol Series: AnyObject, Sendable {
  var samples: [(suffix: String, label: String, value: Double)] { get }
}

private final class CounterSeries: Series, CounterHandler {
  private let value = Atomic<Int64>(0)
  var samples: [(suffix: String, label: String, value: Double)] { [("", "", Double(value.load(ordering: .relaxed)))] }

  // Counters only grow.
  func increment(by amount: Int64) { value.wrappingAdd(max(0, amount), ordering: .relaxed) }
  func reset() { value.store(0, ordering: .relaxed) }
}

private final class GaugeSeries: Series, RecorderHandler, MeterHandler {
  private let value = Mutex(0.0)
  var samples: [(suffix: String, label: String, value: Double)] { [("", "", value.withLock { $0 })] }

  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { self.value.withLock { $0 = value } }
  func increment(by amount: Double) { value.withLock { $0 += amount } }
  func decrement(by amount: Double) { value.withLock { $0 -= amount } }
  func record(_ value: Int64) { set(Double(value)) }
  func record(_ value: Double) { set(value) }
}

private final class HistogramSeries: Series, RecorderHandler, TimerHandler {
  private let buckets: [Double]
  private let state: Mutex<(counts: [Int], sum: Double)>

  init(_ buckets: [Double]) {
    self.buckets = buckets
    state = Mutex((Array(repeating: 0, count: buckets.count + 1), 0))
  }

  var samples: [(suffix: String, label: String, value: Double)] {
    let (counts, sum) = state.withLock { $0 }
    var total = 0
    let cumulative = zip(buckets + [.infinity], counts).map { bound, count in
      total += count
      return ("_bucket", "le=\"\(PrometheusMetrics.number(bound))\"", Double(total))
    }
    return cumulative + [("_sum", "", sum), ("_count", "", Double(total))]
  }

  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
  func record(_ value: Int64) { record(Double(value)) }
  func record(_ value: Double) {
    guard value.isFinite else { return }
    state.withLock { state in
      state.counts[buckets.firstIndex { value <= $0 } ?? buckets.count] += 1
      state.sum += value
    }
  }
}
