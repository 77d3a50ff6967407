import ArgumentParser
import Canonical
import Foundation
import Operations
import Parsing
import Postgres
import Store

/// Which dead letters a command is about.
struct DeadLetterOptions: ParsableArguments {
  @Option(help: "Of this topic; the prefix may be left out.") var topic: String?
  @Option(help: "Of this partition of --topic.") var partition: Int32?
  @Option(help: "Of the record at this offset of --partition.") var offset: Int64?
  @Option(help: "With this reason.") var reason: Rejection.Reason?
  @Option(help: "Of this tenant.") var tenant: String?
  @Option(help: "From this time on: 2026-05-12T09:14:07Z, 2026-05-12 (UTC), or so long ago: 90s, 30m, 2h, 7d.") var since: Moment?
  @Option(help: "Before this time, in the same way.") var until: Moment?

  func validate() throws {
    guard topic != nil || partition == nil else { throw ValidationError("--partition needs --topic") }
    guard partition != nil || offset == nil else { throw ValidationError("--offset needs --topic and --partition") }
    guard partition ?? 0 >= 0, offset ?? 0 >= 0 else { throw ValidationError("--partition and --offset count from 0") }
  }

  /// What changes something is told what to change: ids, a filter or all.
  func validate(ids: [ID], all: Bool) throws {
    let isFilter = topic != nil || reason != nil || tenant != nil || since != nil || until != nil || all
    guard ids.isEmpty != !isFilter else {
      throw ValidationError(isFilter ? "give ids or a filter, not both" : "which? Give ids, a filter, or --all")
    }
  }

  func filter(_ configuration: Operations.Configuration, now: Timestamp = Timestamp(Date())) -> DeadLetters.Filter {
    var filter = DeadLetters.Filter()
    let prefix = configuration.topicPrefix
    filter.topic = topic.map { $0.hasPrefix(prefix) ? $0 : prefix + $0 }
    (filter.partition, filter.offset, filter.reason, filter.tenant) = (partition, offset, reason, tenant)
    (filter.since, filter.until) = (since?.time(at: now), until?.time(at: now))
    return filter
  }
}

/// A point in time as operators give it: itself, or how long ago it was.
enum Moment: Equatable, ExpressibleByArgument {
  case at(Timestamp)
  case ago(seconds: Int64)

  /// An RFC 3339 date-time, a date (midnight UTC), or a whole number up to 999999 of `s`, `m`, `h` or `d`.
  init?(argument: String) {
    if let microseconds = ISO8601.microseconds(argument) ?? ISO8601.microseconds(argument + "T00:00:00Z") {
      self = .at(Timestamp(microseconds: microseconds))
      return
    }
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
    let digits = argument.dropLast()
    guard let unit = argument.last.flatMap({ units[$0] }), (1...6).contains(digits.utf8.count),
      digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let count = Int64(digits)
    else { return nil }
    self = .ago(seconds: count * unit)
  }

  func time(at now: Timestamp) -> Timestamp {
    switch self {
    case .at(let time): time
    case .ago(let seconds): now.advanced(by: .seconds(-seconds))
    }
  }
}

extension Rejection.Reason: ExpressibleByArgument {}

extension ID: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension Timestamp {
  init(_ date: Date) { self.init(microseconds: Int64(date.timeIntervalSince1970 * 1_000_000)) }
}

/// What ends a command with exit code 1, in words for the operator.
struct Failure: Error {
  var words: String
  init(_ words: String) { self.words = words }
}

/// Runs `body` on a database that has the right schema; faults become problems on standard error and exit code 1.
func withDatabase(_ configuration: Operations.Configuration, _ body: (PostgresConnection) async throws -> Void) async throws {
  let db = PostgresConnection(
    url: configuration.databaseURL, applicationName: "throughline-dlq",
    // Counting millions in an index takes its time, and filters differ: each is planned for what it asks.
    settings: Queries.settings + ["statement_timeout = '5min'", "plan_cache_mode = auto"])
  do {
    try await db.perform({ db throws(Migrations.Fault) in try Migrations.verify(on: db) }, mapping: { .postgres($0) })
    try await body(db)
    await db.close()
  } catch {
    await db.close()
    switch error {
    case let failure as Failure: problem(failure.words)
    case let fault as PostgresFault: problem("the database failed: \(fault)")
    case let fault as Migrations.Fault: problem("\(fault)")
    default: throw error
    }
    throw ExitCode.failure
  }
}

/// Standard output; whoever reads it may have gone away, which is no reason to stop half way.
func put(_ bytes: some Sequence<UInt8>) { try? FileHandle.standardOutput.write(contentsOf: Data(bytes)) }
func put(_ text: String) { put(text.utf8) }

/// A line on standard error.
func problem(_ words: String) {
  try? FileHandle.standardError.write(contentsOf: Data("throughline: \(LogText.escaped(words))\n".utf8))
}

extension PostgresConnection {
  /// Walks through the letters of a filter that are there now, topic after topic in the order of the log.
  ///
  /// - Parameter few: so many are found by the index of kinds; for more, every letter of their topics is looked at.
  nonisolated func forEachPage(
    _ filter: DeadLetters.Filter, few: Int = 10_000, _ body: ([DeadLetter]) async throws -> Void
  ) async throws {
    let (kinds, found) = try await perform { db throws(PostgresFault) in
      (try DeadLetters.kinds(of: filter, on: db), try DeadLetters.newest(filter, limit: few + 1, on: db))
    }
    guard found.count > few else { return try await body(found.sorted { $0.isBefore($1) }) }
    for topic in kinds.topics {
      var place: DeadLetters.Place?
      repeat {
        let after = place
        let page = try await perform { db throws(PostgresFault) in
          try DeadLetters.scan(filter, topic: topic, after: after, asOf: kinds.asOf, on: db)
        }
        if !page.letters.isEmpty { try await body(page.letters) }
        place = page.next
      } while place != nil
    }
  }

  nonisolated func count(_ filter: DeadLetters.Filter) async throws -> Int {
    try await perform { db throws(PostgresFault) in
      guard filter.offset == nil else { return try DeadLetters.newest(filter, limit: .max, on: db).count }
      return try DeadLetters.summary(filter, on: db).reduce(0) { $0 + Int($1.letters) }
    }
  }
}

extension DeadLetter {
  /// In the order of the log.
  fileprivate func isBefore(_ other: DeadLetter) -> Bool {
    (topic, partition, offset, createdAt, id) < (other.topic, other.partition, other.offset, other.createdAt, other.id)
  }
}

extension Array {
  /// The elements in order, in batches that are bounded in number and, but for a single element, in weight.
  func batches(_ weight: (Element) -> Int64, maximumCount: Int, maximumWeight: Int64 = .max) -> [[Element]] {
    var batches: [[Element]] = []
    var filled: Int64 = 0
    for element in self {
      let more = weight(element)
      if let last = batches.last, last.count < maximumCount, more <= maximumWeight - filled {
        batches[batches.count - 1].append(element)
        filled += more
      } else {
        batches.append([element])
        filled = more
      }
    }
    return batches
  }
}
