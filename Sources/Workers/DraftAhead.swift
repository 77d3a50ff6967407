import Canonical
import Engine
import Logging
import Postgres
import Synchronization

/// Makes the first half of the next batch's plan while the one before is being written, on a connection of its own.
///
/// It is made from what is stored before that batch and from what that batch's plan does to it (`IdentityOutlook`). If the batch is not
/// committed, or another one follows it, nobody takes the draft. What other workers do meanwhile is found out under the locks, as ever.
final class DraftAhead: Sendable {
  private struct State {
    /// What is likely to be written next; empty when nobody knows.
    var records: [NormalisedRecord] = []
    /// The plan of the batch that is being written; nil before it is made, and from its COMMIT on.
    var outlook: IdentityOutlook?
    var draft: (records: [NormalisedRecord], made: AsyncStream<IngestPipeline.Draft?>)?
    /// An order that nobody waits for may be under way still.
    var isBusy = false
    var resumesAt = ContinuousClock.now
    var mustReconnect = false

    mutating func clear() { (records, outlook, draft) = ([], nil, nil) }
  }
  private struct Order: Sendable {
    var records: [NormalisedRecord]
    var outlook: IdentityOutlook
    var made: AsyncStream<IngestPipeline.Draft?>.Continuation
  }
  /// A draft that takes longer is not worth waiting for.
  private static let patience = Duration.milliseconds(200)
  /// Without drafts after a fault.
  private static let pause = Duration.seconds(5)

  private let state = Mutex(State())
  private let orders: AsyncStream<Order>
  private let orderMailbox: AsyncStream<Order>.Continuation
  private let pipeline: IngestPipeline
  private let db: PostgresConnection
  private let logger: Logger
  private let fresh: @Sendable () -> IDGenerator

  /// - Parameter fresh: of new random bits each time.
  init(pipeline: IngestPipeline, db: PostgresConnection, logger: Logger, fresh: @escaping @Sendable () -> IDGenerator) {
    self.pipeline = pipeline
    self.db = db
    self.logger = logger
    self.fresh = fresh
    (orders, orderMailbox) = AsyncStream.makeStream()
  }

  /// Makes drafts until it is cancelled.
  func run() async {
    for await order in orders {
      let made = await make(order.records, order.outlook)
      state.withLock { $0.isBusy = false }
      order.made.yield(made)
    }
  }

  /// These will be the next batch, while another one is being written.
  func expect(_ records: [NormalisedRecord]) {
    state.withLock {
      $0.records = records
      start(&$0)
    }
  }

  /// The batch that is being written will leave this behind; nil when that can be seen from now on, or nobody knows.
  func foresee(_ outlook: IdentityOutlook?) {
    state.withLock {
      $0.outlook = outlook
      start(&$0)
    }
  }

  private func start(_ state: inout State) {
    guard state.draft == nil, !state.isBusy, let outlook = state.outlook, !state.records.isEmpty, .now >= state.resumesAt
    else { return }
    state.isBusy = true
    let (made, mailbox) = AsyncStream<IngestPipeline.Draft?>.makeStream()
    state.draft = (state.records, made)
    orderMailbox.yield(Order(records: state.records, outlook: outlook, made: mailbox))
  }

  private func make(_ records: [NormalisedRecord], _ outlook: IdentityOutlook) async -> IngestPipeline.Draft? {
    let (pipeline, ids) = (pipeline, fresh())
    let settings = pipeline.transactionSettings + ["transaction_isolation = 'repeatable read'", "transaction_read_only = on"]
    let mustReconnect = state.withLock { state in
      defer { state.mustReconnect = false }
      return state.mustReconnect
    }
    if mustReconnect { await db.close() }
    do {
      return try await db.perform { db throws(PostgresFault) -> IngestPipeline.Draft? in
        try db.transaction(settings: settings) { () throws(PostgresFault) -> IngestPipeline.Draft? in
          // The snapshot is of this moment; had the batch been committed by then, what it does would be counted twice. (An order from
          // before may meet a later batch here; nobody takes that draft any more.)
          try db.execute("SELECT")
          guard self.state.withLock({ $0.outlook != nil }) else { return nil }
          return try pipeline.draft(records, after: outlook, ids: ids, on: db)
        }
      }
    } catch {
      state.withLock { $0.resumesAt = .now + Self.pause }
      logger.warning(
        "no draft of the next batch: \(error)", metadata: ["event.action": "draft_failed", "error.type": "\(error.sqlState)"])
      return nil
    }
  }

  /// The draft of exactly these records, for the batch that comes right after the one that it was made for. Nothing of it stays.
  func take(_ records: [NormalisedRecord]) async -> IngestPipeline.Draft? {
    let draft = state.withLock { state in
      // They are no more to come.
      if state.records.elementsEqual(records, by: ===) { state.records = [] }
      defer { state.draft = nil }
      return state.draft
    }
    guard let draft, draft.records.elementsEqual(records, by: ===) else { return nil }
    return await withTaskGroup(of: IngestPipeline.Draft?.self) { group in
      group.addTask {
        for await made in draft.made { return made }
        return nil
      }
      group.addTask {
        try? await Task.sleep(for: Self.patience)
        return nil
      }
      defer { group.cancelAll() }
      let made = await group.next() ?? nil
      // Who was late once will be late again.
      if made == nil { state.withLock { if $0.isBusy { $0.resumesAt = .now + Self.pause } } }
      return made
    }
  }

  /// The batch that is being written was not committed, or something else comes between it and the next.
  func drop() { state.withLock { $0.clear() } }

  /// What is written goes over another connection from now on, perhaps to another server.
  func reconnect() { state.withLock { $0.mustReconnect = true } }
}
