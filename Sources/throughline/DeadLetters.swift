import ArgumentParser
import Canonical
import Foundation
import Kafka
import Operations
import Postgres
import Store

struct DeadLetterCommands: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dlq", abstract: "Look at dead letters, publish their records again, or delete them.",
    discussion: "Exits with 0 when all was done, and with 1 when something failed or was not found.",
    subcommands: [List.self, Show.self, Republish.self, Drop.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "The newest dead letters that were not published again yet.")
    @OptionGroup var options: SettingsOptions
    @OptionGroup var which: DeadLetterOptions
    @Flag(help: "Those that were published again.") var replayed = false
    @Flag(help: "Those that were published again, too.") var all = false
    @Option(help: "At most so many, 1 to 10000.") var limit = 50
    @Flag(help: "How many there are of each topic and reason.") var summary = false
    @Flag(help: "One JSON object a line.") var json = false

    func validate() throws {
      guard (1...10_000).contains(limit) else { throw ValidationError("--limit is from 1 to 10000") }
      guard !(replayed && all) else { throw ValidationError("--all includes --replayed: give one of them") }
      guard !summary || which.offset == nil else {
        throw ValidationError("--summary counts whole partitions: leave --offset out")
      }
    }

    func run() async throws {
      let configuration = try options.configuration(requiring: [.databaseURL])
      var filter = which.filter(configuration)
      filter.isReplayed = all ? nil : replayed
      try await withDatabase(configuration) { [filter] db in
        if summary {
          let counts = try await db.perform { db throws(PostgresFault) in try DeadLetters.summary(filter, on: db) }
          put(json ? counts.map { $0.json.string + "\n" }.joined() : DeadLetterText.table(counts))
        } else {
          let (limit, json) = (limit, json)
          let letters = try await db.perform { db throws(PostgresFault) in
            try DeadLetters.newest(filter, limit: limit + 1, on: db)
          }
          let shown = Array(letters.prefix(limit))
          put(json ? shown.map { $0.json().string + "\n" }.joined() : DeadLetterText.table(shown))
          if letters.count > limit { problem("there are more: narrow it down, or give a higher --limit or --summary") }
        }
      }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Everything about a dead letter, its key, headers and value among it.",
      discussion: "What a terminal would obey is escaped; --raw and --json hold the bytes as they came.")
    @OptionGroup var options: SettingsOptions
    @Argument(help: "Its id.") var id: ID
    @Flag(help: "One JSON object; what is not UTF-8 is base64.") var json = false
    @Flag(help: "The bytes of the value, and nothing else.") var raw = false

    func validate() throws {
      guard !(json && raw) else { throw ValidationError("give one of --json and --raw") }
    }

    func run() async throws {
      let id = id
      try await withDatabase(try options.configuration(requiring: [.databaseURL])) { db in
        let (letter, content) = try await db.perform { db throws(PostgresFault) in
          let letters = try DeadLetters.find([id], on: db)
          return (letters.first, try DeadLetters.contents(of: letters, on: db).first?.value)
        }
        guard let letter, let content else { throw Failure("no dead letter \(id)") }
        if raw {
          guard content.isWhole else { throw Failure("the bytes of \(id) are not known, or not all of them") }
          do { try FileHandle.standardOutput.write(contentsOf: Data(content.value ?? [])) } catch {
            throw Failure("standard output does not take all of it")
          }
          if content.value == nil { problem("a tombstone: it has no value") }
        } else {
          put(json ? letter.json(content).string + "\n" : DeadLetterText.page(letter, content))
        }
      }
    }
  }

  struct Republish: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "retry", abstract: "Publish the records of dead letters again, where they came from.",
      discussion: """
        By ids, or by a filter: those that were not published again yet. A record goes to its partition once, whole, however many of its \
        elements are dead letters; elements that are stored already are duplicates and change nothing. One that fails again is a new dead \
        letter, of the next attempt.
        """)
    @OptionGroup var options: SettingsOptions
    @OptionGroup var which: DeadLetterOptions
    @Argument(help: "The ids of dead letters.") var ids: [ID] = []
    @Flag(help: "Every one that was not published again yet.") var all = false
    @Flag(help: "Also after \(Retry.maximumAttempts) attempts, and, by id, what was published again already.") var force = false
    @Flag(help: "Publishes nothing, and says what would be.") var dryRun = false

    func validate() throws { try which.validate(ids: ids, all: all) }

    func run() async throws {
      let configuration = try options.configuration()
      // librdkafka's own lines.
      let surroundings = Surroundings(service: "throughline-dlq", level: configuration.logLevel, to: 2)
      var filter = which.filter(configuration)
      filter.isReplayed = false
      let producer = try KafkaProducer.ofOperator(configuration, surroundings)
      let (ids, isDryRun, force) = (Set(ids), dryRun, force)
      try await withDatabase(configuration) { [filter] db in
        var retry = DeadLetterRetry(db: db, producer: producer, isForced: force, isDryRun: isDryRun, isNamed: !ids.isEmpty)
        do {
          if ids.isEmpty {
            try await db.forEachPage(filter) { try await retry.publish($0) }
          } else {
            let letters = try await db.perform { db throws(PostgresFault) in try DeadLetters.find(ids, on: db) }
            retry.missing = ids.subtracting(letters.map(\.id)).sorted()
            try await retry.publish(letters)
          }
        } catch {
          await producer.close()
          retry.report()
          switch error {
          case let fault as KafkaFault: throw Failure("\(fault): what is not published can be retried again")
          case let fault as PostgresFault:
            throw Failure("the database failed: \(fault); what was published last may be once more, which changes nothing")
          default: throw error
          }
        }
        await producer.close()
        retry.report()
        if retry.hasFailed { throw ExitCode.failure }
      }
    }
  }

  struct Drop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Delete dead letters for ever, with their bytes.",
      discussion: """
        By ids, or by a filter: those that were not published again yet. What was published to dlq.<topic> stays there for as long as the \
        broker keeps it.
        """)
    @OptionGroup var options: SettingsOptions
    @OptionGroup var which: DeadLetterOptions
    @Argument(help: "The ids of dead letters.") var ids: [ID] = []
    @Flag(help: "Those that were published again.") var replayed = false
    @Flag(help: "Those that were published again, too; without any filter: every one.") var all = false
    @Flag(help: "Does not ask.") var yes = false

    func validate() throws {
      guard !(replayed && all) else { throw ValidationError("--all includes --replayed: give one of them") }
      try which.validate(ids: ids, all: all || replayed)
      guard yes || isatty(0) == 1 else { throw ValidationError("nobody is there to be asked: --yes deletes without asking") }
    }

    func run() async throws {
      let configuration = try options.configuration(requiring: [.databaseURL])
      var filter = which.filter(configuration)
      filter.isReplayed = all ? nil : replayed
      let (ids, yes) = (Set(ids), yes)
      try await withDatabase(configuration) { [filter] db in
        var dropped = 0
        func drop(_ letters: [DeadLetter]) async throws {
          for batch in letters.map(\.id).batches({ _ in 0 }, maximumCount: 500) {
            var attempt = 0
            while true {
              do throws(PostgresFault) {
                dropped += try await db.perform { db throws(PostgresFault) in try DeadLetters.drop(batch, on: db) }
                break
              } catch {
                // A publisher may be deleting the same rows of the outbox in another order.
                attempt += 1
                guard error.disposition == .replan, attempt < 5 else { throw error }
              }
            }
          }
        }
        do {
          if ids.isEmpty {
            if !yes { try confirm(try await db.count(filter)) }
            try await db.forEachPage(filter) { try await drop($0) }
          } else {
            let letters = try await db.perform { db throws(PostgresFault) in try DeadLetters.find(ids, on: db) }
            if !yes && !letters.isEmpty { try confirm(letters.count) }
            try await drop(letters)
            for id in ids.subtracting(letters.map(\.id)).sorted() { problem("no dead letter \(id)") }
          }
        } catch let fault as PostgresFault {
          put("dropped \(dropped)\n")
          throw fault
        }
        put("dropped \(dropped)\n")
        if dropped < ids.count { throw ExitCode.failure }
      }
    }

    private func confirm(_ count: Int) throws {
      let letters = DeadLetterText.number(count, "dead letter")
      FileHandle.standardError.write(Data("Delete \(letters) for ever, bytes and all? [y/N] ".utf8))
      guard ["y", "yes"].contains(readLine()?.lowercased()) else { throw Failure("nothing was deleted") }
    }
  }
}
