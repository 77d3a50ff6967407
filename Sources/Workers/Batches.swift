/// Work that is committed in batches: one that fails is halved down to what fails, and that is put aside for a while.
struct Batches<Item: Sendable>: Sendable {
  struct Batch: Sendable {
    var items: [Item]
    /// How often it has failed alone.
    var failureCount = 0
  }

  /// Milliseconds, at most, until what was put aside is tried again.
  private static var longestPause: Int { 30_000 }

  private let size: Int
  private var rest: ArraySlice<Item> = []
  /// The last goes first.
  private var halves: [[Item]] = []
  private var aside: [(item: Item, until: ContinuousClock.Instant, failureCount: Int)] = []

  init(size: Int) { self.size = size }

  /// Nothing is to be done now.
  var isIdle: Bool { rest.isEmpty && halves.isEmpty }
  var items: [Item] { rest + halves.joined() + aside.map(\.item) }

  mutating func add(_ items: [Item]) { rest += items }

  /// What was put aside comes when nothing else is to be done, and alone.
  mutating func next(_ now: ContinuousClock.Instant) -> Batch? {
    if let half = halves.popLast() { return Batch(items: half) }
    if !rest.isEmpty {
      defer { rest = rest.dropFirst(size) }
      return Batch(items: Array(rest.prefix(size)))
    }
    guard let due = aside.firstIndex(where: { $0.until <= now }) else { return nil }
    let (item, _, failureCount) = aside.remove(at: due)
    return Batch(items: [item], failureCount: failureCount)
  }

  mutating func failed(_ batch: Batch, _ now: ContinuousClock.Instant) {
    let (count, failureCount) = (batch.items.count, batch.failureCount + 1)
    if count > 1 {
      halves += [Array(batch.items[(count / 2)...]), Array(batch.items[..<(count / 2)])]
    } else if let item = batch.items.first {
      let pause = Backoff.fullJitter(failureCount, first: 500, limit: Self.longestPause)
      aside.append((item, now + .milliseconds(500) + pause, failureCount))
    }
  }
}
