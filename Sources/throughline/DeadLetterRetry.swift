import Canonical
import Kafka
import Postgres
import Store

/// Publishes the records of dead letters again, and counts what became of them.
struct DeadLetterRetry {
  /// A record and those of its letters that were asked for.
  struct Group {
    var letters: [DeadLetter]
    var first: DeadLetter { letters[0] }
    var attempt: Int32 { min(first.attempt, Retry.highestAttempt - 1) + 1 }
    var name: String {
      "\(first.topic)/\(first.partition)/\(first.offset), letter \(first.id)"
        + (letters.count > 1 ? " and \(letters.count - 1) more" : "")
    }
  }

  static let maximumRecords = 100
  static let maximumBytes: Int64 = 16 << 20
  /// Lines about single letters; after that only their number is told.
  private static let maximumProblems = 20

  let db: PostgresConnection
  let producer: KafkaProducer
  let isForced: Bool
  let isDryRun: Bool
  /// By ids: then whatever is left out was asked for, and is a failure.
  let isNamed: Bool
  /// Ids that no letter has.
  var missing: [ID] = []

  private var published = 0
  private var publishedLetters = 0
  private var exhausted = 0
  private var replayed = 0
  private var unknown = 0
  private var failed = 0
  private var problems = 0
  /// nil: there is no such topic.
  private var partitions: [String: Int32?] = [:]

  init(db: PostgresConnection, producer: KafkaProducer, isForced: Bool, isDryRun: Bool, isNamed: Bool) {
    (self.db, self.producer, self.isForced, self.isDryRun, self.isNamed) = (db, producer, isForced, isDryRun, isNamed)
  }

  var hasFailed: Bool { failed > 0 || !missing.isEmpty || isNamed && exhausted + replayed + unknown > 0 }

  /// Publishes the records of these letters, which stand in the order of the log.
  ///
  /// - Throws: `PostgresFault`, and `KafkaFault` where no record would get through. What was published before stays marked.
  mutating func publish(_ letters: [DeadLetter]) async throws {
    var groups: [Group] = []
    for letter in letters {
      if groups.last?.first.record == letter.record {
        groups[groups.count - 1].letters.append(letter)
      } else {
        groups.append(Group(letters: [letter]))
      }
    }
    groups = groups.filter { isDue($0) }
    for batch in groups.batches({ $0.first.valueBytes }, maximumCount: Self.maximumRecords, maximumWeight: Self.maximumBytes) {
      try await publish(batch: batch)
    }
  }

  private mutating func isDue(_ group: Group) -> Bool {
    if group.letters.contains(where: { $0.replayedAt != nil }) && !isForced {
      replayed += group.letters.count
      return false
    }
    if group.first.attempt >= Retry.maximumAttempts && !isForced {
      exhausted += group.letters.count
      return false
    }
    return true
  }

  private mutating func publish(batch: [Group]) async throws {
    let letters = batch.map(\.first)
    let contents = try await db.perform { db throws(PostgresFault) in try DeadLetters.contents(of: letters, on: db) }
    var groups: [Group] = []
    var records: [ProducerRecord] = []
    for group in batch {
      guard let content = contents[group.first.record], content.isWhole else {
        // The broker deleted it or could not hand it over, or its topic was made anew.
        unknown += group.letters.count
        tell("\(group.name): its bytes are not known (\(group.first.reason))")
        continue
      }
      guard let count = try await partitionCount(of: group.first.topic) else {
        failed += group.letters.count
        tell("\(group.name): the topic does not exist any more")
        continue
      }
      groups.append(group)
      records.append(
        ProducerRecord(
          topic: group.first.topic,
          // Where the sender's other records are; by the key where the topic has fewer partitions now.
          partition: group.first.partition < count ? group.first.partition : nil, key: content.key, value: content.value,
          headers: Retry.headers(content.headers, attempt: group.attempt, of: group.first.id).map {
            KafkaHeader($0.name, $0.value)
          }))
    }
    guard !isDryRun else {
      for (group, record) in zip(groups, records) {
        count(group)
        let place = record.partition == nil ? ", by its key" : ""
        put("would publish \(group.name), as attempt \(group.attempt)\(place), \(group.first.valueBytes) bytes\n")
      }
      return
    }
    // Marked after the broker has them: who dies in between publishes twice, and the message keys make the second a duplicate.
    let results = try await producer.send(records)
    var done: [DeadLetter.RecordKey] = []
    var fault: KafkaFault?
    for (group, result) in zip(groups, results) {
      switch result {
      case .success:
        done.append(group.first.record)
        count(group)
      case .failure(let error):
        failed += group.letters.count
        tell("\(group.name): \(error.words)")
        // Only a record that is refused for itself says nothing about the others.
        if error.disposition != .deadLetter { fault = error }
      }
    }
    let delivered = done
    try await db.perform { db throws(PostgresFault) in try DeadLetters.markReplayed(delivered, on: db) }
    if let fault { throw fault }
  }

  private mutating func count(_ group: Group) {
    published += 1
    publishedLetters += group.letters.count
  }

  private mutating func partitionCount(of topic: String) async throws -> Int32? {
    if let known = partitions[topic] { return known }
    var count: Int32?
    do throws(KafkaFault) {
      count = try await producer.partitionCount(of: topic)
    } catch {
      guard error.isUnknownTopic else { throw error }
    }
    partitions[topic] = .some(count)
    return count
  }

  private mutating func tell(_ words: String) {
    problems += 1
    if problems <= Self.maximumProblems { problem(words) }
  }

  /// Tells what was done, and what was left.
  func report() {
    let done = DeadLetterText.number(published, "record") + " of " + DeadLetterText.number(publishedLetters, "dead letter")
    put("\(isDryRun ? "would publish" : "published") \(done)\n")
    for id in missing { problem("no dead letter \(id)") }
    if problems > Self.maximumProblems { problem("and \(problems - Self.maximumProblems) more") }
    if exhausted > 0 {
      problem("left out \(exhausted) after \(Retry.maximumAttempts) attempts or more: --force retries them, too")
    }
    if replayed > 0 { problem("left out \(replayed) that were published again already: --force does it once more") }
    if unknown > 0 { problem("left out \(unknown) whose bytes are not known") }
    if failed > 0 { problem("\(failed) failed, and can be retried again") }
  }
}

extension KafkaFault {
  /// What the operator can do.
  fileprivate var words: String {
    disposition == .deadLetter
      ? "\(name): raise message.max.bytes, here (THROUGHLINE_KAFKA_PROPERTIES) and of the topic, or drop it" : "\(self)"
  }
}
