import CoreMetrics
import Testing

@testable import Operations

@Suite struct MetricsTests {
  private let metrics = PrometheusMetrics(
    version: "1.2.3",
    descriptions: [
      "throughline_build_info": .init("Always 1."),
      "records_total": .init("With \"quotes\", a \\ and\na second line."), "batch_seconds": .init("Batches.", buckets: [0.1, 1]),
    ], maximumSeries: 3)

  /// The lines of one metric, but for its HELP and TYPE.
  private func samples(_ name: String) -> [String] {
    metrics.text().split(separator: "\n").map(String.init).filter { $0.hasPrefix(name) }
  }

  @Test func `the text is Prometheus' own`() {
    Counter(label: "records_total", dimensions: [("result", "stored"), ("channel", "chat")], factory: metrics).increment(by: 2)
    Counter(label: "records_total", dimensions: [("channel", "chat"), ("result", "stored")], factory: metrics).increment()
    Counter(label: "records_total", dimensions: [("channel", "email"), ("result", "parked")], factory: metrics).increment()
    Gauge(label: "lag.records", factory: metrics).record(12.5)
    Meter(label: "agents", dimensions: [("state", "away")], factory: metrics).set(3)
    let timer = Timer(label: "batch_seconds", factory: metrics)
    for milliseconds in [100, 250, 5_000] { timer.recordMilliseconds(milliseconds) }
    Recorder(label: "sizes", dimensions: [("of", "x")], factory: metrics).record(7)
    #expect(
      metrics.text().split(separator: "\n").filter { !$0.contains("sizes_bucket") }.joined(separator: "\n") == #"""
        # TYPE agents gauge
        agents{state="away"} 3
        # HELP batch_seconds Batches.
        # TYPE batch_seconds histogram
        batch_seconds_bucket{le="0.1"} 1
        batch_seconds_bucket{le="1"} 2
        batch_seconds_bucket{le="+Inf"} 3
        batch_seconds_sum 5.35
        batch_seconds_count 3
        # TYPE lag_records gauge
        lag_records 12.5
        # HELP records_total With "quotes", a \\ and\na second line.
        # TYPE records_total counter
        records_total{channel="chat",result="stored"} 3
        records_total{channel="email",result="parked"} 1
        # TYPE sizes histogram
        sizes_sum{of="x"} 7
        sizes_count{of="x"} 1
        # HELP throughline_build_info Always 1.
        # TYPE throughline_build_info gauge
        throughline_build_info{version="1.2.3"} 1
        """#)
    #expect(metrics.text().contains(#"sizes_bucket{of="x",le="0.0025"} 0"# + "\n"))
    #expect(metrics.text().hasSuffix("\n"))
  }

  @Test func `label values can not break out of their line`() {
    Counter(label: "c", dimensions: [("l", "a\"} 1\nx \\ü")], factory: metrics).increment()
    Counter(label: "c", dimensions: [("l-1", String(repeating: "ü", count: 10_000))], factory: metrics).increment()
    #expect(samples("c") == [#"c{l="a\"} 1\nx \\ü"} 1"#, "c{l_1=\"\(String(repeating: "ü", count: 64))\"} 1"])
  }

  @Test func `a metric has a bounded number of series, and none of its counts are lost`() {
    for number in 0..<1_000 {
      Counter(label: "records_total", dimensions: [("queue", "q\(number)"), ("result", "x")], factory: metrics).increment()
    }
    #expect(
      samples("records_total") == [
        #"records_total{queue="other",result="other"} 997"#, #"records_total{queue="q0",result="x"} 1"#,
        #"records_total{queue="q1",result="x"} 1"#, #"records_total{queue="q2",result="x"} 1"#,
      ])
    // Those that were there first still count under their own names.
    Counter(label: "records_total", dimensions: [("queue", "q1"), ("result", "x")], factory: metrics).increment()
    #expect(samples("records_total").contains(#"records_total{queue="q1",result="x"} 2"#))
  }

  @Test func `a name has one kind`() {
    Counter(label: "c", factory: metrics).increment()
    Gauge(label: "c", factory: metrics).record(9)
    Timer(label: "c", dimensions: [("a", "b")], factory: metrics).recordNanoseconds(1)
    #expect(samples("c") == ["c 1"])
  }

  @Test func `what is destroyed is no longer shown`() {
    let one = Gauge(label: "waiting", dimensions: [("queue", "a")], factory: metrics)
    Gauge(label: "waiting", dimensions: [("queue", "b")], factory: metrics).record(2)
    one.record(1)
    one.destroy()
    #expect(samples("waiting") == [#"waiting{queue="b"} 2"#])
  }

  @Test func `counters only grow, and what is no number is not recorded`() {
    let counter = Counter(label: "c", factory: metrics)
    counter.increment(by: 5)
    counter.increment(by: -3)
    Recorder(label: "r", factory: metrics).record(Double.nan)
    Gauge(label: "g", factory: metrics).record(-Double.infinity)
    Gauge(label: "h", factory: metrics).record(1e300)
    #expect(samples("c") == ["c 5"])
    #expect(samples("r_count") == ["r_count 0"])
    #expect(samples("g") == ["g -Inf"] && samples("h") == ["h 1e+300"])
  }

  @Test func `names and buckets are what Prometheus expects`() {
    for (name, description) in MetricDescription.all {
      #expect(name.wholeMatch(of: #/throughline_[a-z]+(?:_[a-z]+)*/#) != nil)
      #expect(!description.help.isEmpty)
      #expect(description.buckets == description.buckets.sorted() && Set(description.buckets).count == description.buckets.count)
    }
  }
}
