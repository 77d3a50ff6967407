/// What a worker says of itself to whoever runs it, beside its logs.
public struct WorkerSignals: Sendable {
  public enum Component: String, Sendable, CaseIterable { case database, schema, kafka, group }

  /// Something came of a step: a batch, an empty poll, a retry.
  public var progressed: @Sendable () -> Void = {}
  public var isReady: @Sendable (Component, Bool) -> Void = { _, _ in }
  /// One line for people.
  public var status: @Sendable (String) -> Void = { _ in }

  public init() {}
}
