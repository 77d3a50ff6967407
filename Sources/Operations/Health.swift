import Synchronization

/// Whether a worker is alive and ready, as it says itself.
///
/// Alive: its loop turned within `patience`. Ready: every component is.
public final class Health: Sendable {
  private struct State {
    var progressed: ContinuousClock.Instant
    var components: [String: Bool]
    var status = ""
  }

  private let patience: Duration
  private let now: @Sendable () -> ContinuousClock.Instant
  private let state: Mutex<State>

  /// A worker's patience with itself: half of what systemd's watchdog has, at most 30 s.
  public static func patience(_ environment: [String: String]) -> Duration {
    min(.seconds(30), ServiceManager(environment: environment).watchdog.map { $0 / 2 } ?? .seconds(30))
  }

  /// - Parameter components: What must be ready: `database`, `schema`, `kafka`, `group`.
  public init(
    components: [String], patience: Duration = .seconds(30),
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
  ) {
    self.patience = patience
    self.now = now
    state = Mutex(State(progressed: now(), components: Dictionary(components.map { ($0, false) }) { $1 }))
  }

  /// The loop turned: something came of a step, be it a batch, an empty poll or a retry. A timer alone is no progress.
  public func progress() {
    let now = now()
    state.withLock { $0.progressed = now }
  }

  public func setReady(component: String, _ isReady: Bool) {
    state.withLock { $0.components[component] = isReady }
  }

  /// One line for people: lag, rate, last error.
  public func status(_ line: String) {
    state.withLock { $0.status = line }
  }

  public var isLive: Bool {
    let now = now()
    return state.withLock { now - $0.progressed <= patience }
  }

  /// What is not ready, in alphabetical order.
  public var missing: [String] {
    state.withLock { $0.components.filter { !$0.value }.keys.sorted() }
  }

  public var isReady: Bool { missing.isEmpty }

  public var statusLine: String {
    let (missing, status) = (missing, state.withLock { $0.status })
    let waiting = missing.isEmpty ? [] : ["waiting for \(missing.joined(separator: ", "))"]
    return (waiting + (status.isEmpty ? [] : [status])).joined(separator: "; ")
  }
}
