/// How long to wait before the next attempt.
enum Backoff {
  /// Full jitter: anything from 1 ms to twice, four, eight … times `first`, at most `limit`; both in milliseconds.
  ///
  /// - Parameter attempt: 1 after the first failure.
  static func fullJitter(_ attempt: Int, first: Int, limit: Int) -> Duration {
    .milliseconds(Int.random(in: 1...min(limit, first << min(attempt, 9))))
  }
}
