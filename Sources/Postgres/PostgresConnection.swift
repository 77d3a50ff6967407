import Blocking
import CPostgres
import Glibc

/// A named SQL text, prepared once per connection at its first use.
public struct Statement: Sendable, Hashable {
  public let name: String
  public let sql: String
  public init(name: String, sql: String) {
    self.name = name
    self.sql = sql
  }
}

/// The owner of one `PGconn`: all calls block its own thread, never the shared pool.
///
/// The synchronous methods are for code that runs inside `perform`: a whole transaction is one hop.
public actor PostgresConnection {
  private let thread: BlockingThread
  private let url: String
  private let applicationName: String
  private let settings: [String]
  private var handle: Handle?
  private var prepared: Set<String> = []
  private struct Sent {
    var affecting: Int?
  }
  /// A command whose result nobody has read yet.
  private var underWay: Sent?
  /// How often it has connected: whoever keeps something about the backend sees that it is another one.
  public private(set) var generation = 0

  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// - Parameters:
  ///   - url: a libpq connection string or URL; TLS by its `sslmode`.
  ///   - applicationName: shown in `pg_stat_activity`, and the name of the thread.
  ///   - settings: assignments for the whole session, such as `jit = off`.
  public init(url: String, applicationName: String, settings: [String] = []) {
    self.url = url
    self.applicationName = applicationName
    self.settings = settings
    thread = BlockingThread(name: applicationName)
  }

  deinit { thread.close() }

  /// Connects, unless connected already. A server that refuses, for whatever reason, is the fault `08001`: it may be told to change
  /// its mind.
  public func connect() throws(PostgresFault) {
    guard handle == nil else { return }
    // Later keywords override earlier ones, so the URL has the last word on these.
    let options: [(String, String)] = [
      ("connect_timeout", "5"), ("tcp_user_timeout", "10000"), ("keepalives_idle", "10"), ("keepalives_interval", "5"),
      ("target_session_attrs", "read-write"), ("client_encoding", "UTF8"), ("application_name", applicationName), ("dbname", url),
    ]
    let keywords = options.map { strdup($0.0) }
    let values = options.map { strdup($0.1) }
    defer { (keywords + values).forEach { free($0) } }
    var keywordList: [UnsafePointer<CChar>?] = keywords.map { UnsafePointer($0) } + [nil]
    var valueList: [UnsafePointer<CChar>?] = values.map { UnsafePointer($0) } + [nil]
    guard let pg = PQconnectStartParams(&keywordList, &valueList, 1) else { throw .connectionLost(nil) }
    let new = Handle(pg: pg)
    // Notices would go to stderr, where every line has to be one of ours: also those of a server that dies while we connect. What blocks
    // alone gives each of several hosts its time, so the connection begins once more with it.
    PQsetNoticeReceiver(pg, { _, _ in }, nil)
    if PQstatus(pg) != CONNECTION_BAD { PQreset(pg) }
    guard PQstatus(pg) == CONNECTION_OK else {
      throw PostgresFault(sqlState: "08001", message: String(cString: PQerrorMessage(pg)))
    }
    handle = consume new
    prepared = []
    underWay = nil
    generation += 1
    do throws(PostgresFault) {
      if !settings.isEmpty { try execute(settings.map { "SET " + $0 }.joined(separator: ";")) }
    } catch {
      handle = nil
      throw error
    }
  }

  public func close() { handle = nil }

  /// Runs `body` on the connection's thread, connected. A fault that says so closes the connection; the next call opens it again.
  public func perform<R: Sendable, E: Error>(
    _ body: @Sendable (isolated PostgresConnection) throws(E) -> R, mapping: (PostgresFault) -> E
  ) throws(E) -> R {
    do throws(PostgresFault) { try connect() } catch { throw mapping(error) }
    defer { closeIfBroken() }
    let result = try body(self)
    do throws(PostgresFault) { try settle() } catch { throw mapping(error) }
    return result
  }

  /// `perform` for bodies that fail with nothing but a `PostgresFault`.
  public func perform<R: Sendable>(
    _ body: @Sendable (isolated PostgresConnection) throws(PostgresFault) -> R
  ) throws(PostgresFault) -> R {
    do throws(PostgresFault) {
      return try perform(body, mapping: { $0 })
    } catch {
      // Such as 25006: the server on this connection is not the one to write to any more, however well it answers.
      if error.disposition == .reconnect { handle = nil }
      throw error
    }
  }

  /// Runs `body` between BEGIN and COMMIT, or rolls back and passes its error on.
  ///
  /// - Parameters:
  ///   - settings: `SET LOCAL` assignments, such as `lock_timeout = '5s'`.
  ///   - meanwhile: runs while the server commits, which may fail yet, and may change the result; it must not use the connection.
  public func transaction<R, E: Error>(
    settings: [String] = [], _ body: () throws(E) -> R, meanwhile: (inout R) -> Void = { _ in }, mapping: (PostgresFault) -> E
  ) throws(E) -> R {
    do throws(PostgresFault) {
      try execute((["BEGIN"] + settings.map { "SET LOCAL " + $0 }).joined(separator: ";"))
    } catch { throw mapping(error) }
    var result: R
    do throws(E) {
      result = try body()
      do throws(PostgresFault) { try settle() } catch { throw mapping(error) }
    } catch {
      // What was sent before may be what failed first.
      var earlier: PostgresFault?
      do throws(PostgresFault) { try settle() } catch { earlier = error }
      // A rollback that fails leaves a broken connection, which is closed after this.
      try? execute("ROLLBACK")
      throw earlier.map(mapping) ?? error
    }
    do throws(PostgresFault) { try commit { meanwhile(&result) } } catch { throw mapping(error) }
    return result
  }

  /// `transaction` for bodies that fail with nothing but a `PostgresFault`.
  public func transaction<R>(
    settings: [String] = [], _ body: () throws(PostgresFault) -> R, meanwhile: (inout R) -> Void = { _ in }
  ) throws(PostgresFault) -> R {
    try transaction(settings: settings, body, meanwhile: meanwhile, mapping: { $0 })
  }

  /// A server whose transaction has failed rolls it back, and calls that no error.
  private func commit(_ meanwhile: () -> Void) throws(PostgresFault) {
    let pg = try connection()
    guard PQsendQuery(pg, "COMMIT") == 1 else { throw .connectionLost(pg) }
    underWay = Sent()
    meanwhile()
    let result = try receive()
    guard String(cString: PQcmdStatus(result.raw)) == "COMMIT" else {
      throw PostgresFault(sqlState: "25P02", message: "the transaction had failed before its end")
    }
  }

  /// SQL text without parameters, one or several statements; rows are dropped.
  public func execute(_ sql: String) throws(PostgresFault) {
    try settle()
    let pg = try connection()
    _ = try check(PQexec(pg, sql), pg)
  }

  /// Rows of ad-hoc SQL in text format, for tools and tests; nil is NULL.
  public func textRows(_ sql: String) throws(PostgresFault) -> [[String?]] {
    try settle()
    let pg = try connection()
    let result = try check(PQexec(pg, sql), pg)
    return (0..<result.count).map { row in
      (0..<Int(PQnfields(result.raw))).map { result.optionalText(row, $0) }
    }
  }

  /// Prepares the statement at its first use and runs it.
  public func query(_ statement: Statement, _ parameters: [PostgresParameter] = []) throws(PostgresFault) -> PostgresResult {
    try send(statement, parameters)
    return try receive()
  }

  /// Sends the statement and returns while the server works on it. Its rows are dropped and its fault, if any, is that of the next call:
  /// of the end of the transaction at the latest.
  ///
  /// - Parameter affecting: so many rows must have been written; 40001 where they are not.
  public func send(
    _ statement: Statement, _ parameters: [PostgresParameter] = [], affecting: Int? = nil
  ) throws(PostgresFault) {
    try settle()
    let pg = try connection()
    try prepare(statement)
    let lengths = parameters.map { Int32($0.bytes?.count ?? 0) }
    let formats = [Int32](repeating: 1, count: parameters.count)
    // One block holds all values, so that their addresses stay put during the call.
    var block: [UInt8] = []
    block.reserveCapacity(lengths.reduce(1) { $0 + Int($1) })
    for parameter in parameters { block += parameter.bytes ?? [] }
    block.append(0)
    let isSent = block.withUnsafeBytes { base in
      var offset = 0
      let values: [UnsafePointer<CChar>?] = parameters.map { parameter in
        guard let bytes = parameter.bytes else { return nil }
        defer { offset += bytes.count }
        return base.baseAddress?.advanced(by: offset).assumingMemoryBound(to: CChar.self)
      }
      return PQsendQueryPrepared(pg, statement.name, Int32(parameters.count), values, lengths, formats, 1)
    }
    guard isSent == 1 else { throw .connectionLost(pg) }
    underWay = Sent(affecting: affecting)
  }

  /// The rows of the statement that was sent last, when the server has them.
  public func receive() throws(PostgresFault) -> PostgresResult {
    let pg = try connection()
    let raw = PQgetResult(pg)
    var fault: PostgresFault?
    do throws(PostgresFault) { try settle() } catch { fault = error }
    let result = try check(raw, pg)
    if let fault { throw fault }
    return result
  }

  /// Waits for what was sent, and throws what it failed with.
  public func settle() throws(PostgresFault) {
    guard let sent = underWay else { return }
    underWay = nil
    let pg = try connection()
    var fault: PostgresFault?
    // Drained to the end, or the next command fails.
    while let raw = PQgetResult(pg) {
      do throws(PostgresFault) {
        let result = try check(raw, pg)
        if let count = sent.affecting, result.affected != count {
          fault = fault ?? PostgresFault(sqlState: "40001", message: "\(result.affected) rows written, not \(count)")
        }
      } catch { fault = fault ?? error }
    }
    if let fault { throw fault }
  }

  /// Prepares without running: what the first `query` does, and a test for every statement.
  public func prepare(_ statement: Statement) throws(PostgresFault) {
    guard !prepared.contains(statement.name) else { return }
    try settle()
    let pg = try connection()
    _ = try check(PQprepare(pg, statement.name, statement.sql, 0, nil), pg)
    prepared.insert(statement.name)
  }

  /// Copies rows into `target`, a table with its column list. Like that of `send`, its fault is that of the next call.
  ///
  /// All rows are made before it begins: a server that waits for more is not idle, and no timeout of ours would end it.
  public func copy(_ rows: CopyRows, into target: String) throws(PostgresFault) {
    try execute("COPY \(target) FROM STDIN (FORMAT binary)")
    let pg = try connection()
    let isSent = rows.encoder.bytes.withUnsafeBytes { bytes in
      // libpq copies each piece into its own buffer; pieces keep that buffer small.
      stride(from: 0, to: bytes.count, by: 1 << 20).allSatisfy { start in
        let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 1 << 20, bytes.count)])
        return PQputCopyData(pg, piece.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(piece.count)) == 1
      }
    }
    let trailer: [UInt8] = [0xff, 0xff]
    let ended =
      isSent && trailer.withUnsafeBytes { PQputCopyData(pg, $0.baseAddress?.assumingMemoryBound(to: CChar.self), 2) } == 1
    guard ended, PQputCopyEnd(pg, nil) == 1 else { throw .connectionLost(pg) }
    underWay = Sent()
  }

  private func connection() throws(PostgresFault) -> OpaquePointer {
    switch handle {
    case .some(let handle): return handle.pg
    case nil: throw PostgresFault(sqlState: "08003", message: "not connected")
    }
  }

  private func closeIfBroken() {
    let isUsable =
      switch handle {
      case .some(let handle): PQstatus(handle.pg) == CONNECTION_OK && PQtransactionStatus(handle.pg) == PQTRANS_IDLE
      case nil: true
      }
    if !isUsable { handle = nil }
  }

  private func check(_ raw: OpaquePointer?, _ pg: OpaquePointer) throws(PostgresFault) -> PostgresResult {
    guard let raw else { throw .connectionLost(pg) }
    let result = PostgresResult(raw)
    switch PQresultStatus(raw) {
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_COPY_IN, PGRES_EMPTY_QUERY: return result
    default:
      // 67 is PG_DIAG_SQLSTATE ('C'), a macro that is not imported.
      let state = PQresultErrorField(raw, 67).map { String(cString: $0) }
      let message = PQresultErrorField(raw, 77 /* PG_DIAG_MESSAGE_PRIMARY, 'M' */).map { String(cString: $0) }
      // Without one it is libpq's own word: the connection broke, though its status need not say so yet when a write was what failed.
      throw PostgresFault(
        sqlState: state ?? "08006",
        message: message ?? String(cString: PQresultErrorMessage(raw)))
    }
  }
}

private struct Handle: ~Copyable {
  let pg: OpaquePointer
  deinit { PQfinish(pg) }
}
