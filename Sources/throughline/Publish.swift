import ArgumentParser
import Canonical
import Channels
import Foundation
import Kafka
import Operations
import Parsing

/// Payloads on their topic, as an adapter would publish them.
struct Publish: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Publish payloads as an adapter would.",
    discussion: """
      Reads providers' bodies as they came, from files, from every file of a folder, or from standard input. NAME.headers.json
      beside NAME.json is an object of headers that only this one has; null takes one away. Neither it nor NAME.expected.json is
      a payload.
        throughline publish --type whatsapp.cloud --source /channels/whatsapp/1065 --attested signature body.json
      When the workers would reject anything, nothing is published, and it exits with 1. Prints topic, partition and offset of
      each record and what it holds, never a text.
      """)

  @OptionGroup var options: SettingsOptions
  @OptionGroup var payload: PayloadOptions
  @Option(help: "Where it came through: /channels/<channel>/<account>.") var source: String
  @Option(help: "The records' key; without it each one's customer, else what it is about, else the account.") var key: String?
  @Option(help: "The id of the event, when it is one; a new UUID without it.") var id: String?
  @Option(help: "The content mode, binary or structured; what already is a structured CloudEvent goes as it is in that mode.")
  var mode = PayloadRecord.Mode.binary
  @Flag(help: "Every line is a record.") var lines = false
  @Flag(name: .customLong("no-validate"), help: "Publishes what the workers would reject, too.") var skipsValidation = false
  @Flag(help: "Publishes nothing, and says what would be.") var dryRun = false
  @Argument(help: "Files and folders; standard input without any.") var paths: [String] = []

  /// A payload and where it is from.
  private struct Input {
    var name: String
    var bytes: [UInt8]
    var headers: [(name: String, value: String?)] = []
  }

  /// A record and what the operator is told of it.
  private struct Prepared {
    var name: String
    var record: Record
    /// What it holds, in numbers alone.
    var content: String
  }

  func run() async throws {
    do {
      let configuration = try options.configuration(requiring: dryRun ? [] : [.kafkaBootstrapServers])
      let records = try prepared(configuration)
      if dryRun {
        for one in records { put("\(one.record.topic)  \(one.content)  \(one.name)\n") }
        put("would publish \(DeadLetterText.number(records.count, "record"))\n")
      } else {
        try await publish(records, configuration)
      }
    } catch let failure as Failure {
      problem(failure.words)
      throw ExitCode.failure
    }
  }

  // MARK: - What is published

  /// Every record, or a failure when the workers would reject anything in any of them.
  private func prepared(_ configuration: Operations.Configuration) throws -> [Prepared] {
    let inputs = try inputs()
    guard !inputs.isEmpty else { throw Failure("there is nothing to publish") }
    let normaliser = Normaliser(
      topicPrefix: configuration.topicPrefix, tokenKey: configuration.tokenSecret.map { TokenKey(secret: Array($0.utf8)) },
      mail: MailPolicy(configuration))
    var records: [Prepared] = []
    var ids: Set<String> = []
    var isRefused = false
    for input in inputs {
      var payload = try PayloadRecord(input.bytes, self.payload, source: source, id: id ?? UUID().uuidString.lowercased())
      for header in input.headers { payload.set(header.name, header.value) }
      // Whoever said it, an id is of one record: of two that have it, one is a repeat.
      if let id = payload["ce_id"], !ids.insert(id).inserted {
        throw ValidationError("several of the \(inputs.count) records would have the id \(LogText.escaped(id))")
      }
      if mode == .structured, payload.isCloudEvent {
        let named = self.payload.headers.map { $0.lowercased() } + input.headers.map { $0.name.lowercased() }
        guard id == nil, self.payload.attested.isEmpty, !named.contains(where: { $0.hasPrefix("ce_") }) else {
          throw Failure("\(input.name) is a CloudEvent and goes as it is: --id, --attested and headers ce_… can not change it")
        }
      }
      var record = payload.record(mode, topicPrefix: configuration.topicPrefix)
      let elements = normaliser.normalise(record).elements
      let rejections: [Rejection] = elements.compactMap { if case .rejected(let rejection) = $0 { rejection } else { nil } }
      if !skipsValidation, let first = rejections.first {
        let more = rejections.count > 1 ? ", and \(rejections.count - 1) more" : ""
        problem("\(input.name): \(first.reason.rawValue): \(first.detail)\(more)")
        isRefused = true
      }
      let events: [Event] = elements.compactMap { if case .event(let event) = $0 { event } else { nil } }
      let own = events.lazy.compactMap(\.customerKey).first ?? events.lazy.compactMap(\.placeKey).first ?? events.first?.account
      record.key = (key ?? own).map { Array($0.utf8) }
      records.append(Prepared(name: LogText.escaped(input.name), record: record, content: Self.content(elements)))
    }
    guard !isRefused else { throw Failure("nothing was published") }
    return records
  }

  private func inputs() throws -> [Input] {
    guard !paths.isEmpty else {
      let bytes = Array(try FileHandle.standardInput.readToEnd() ?? Data())
      return parts(of: Input(name: "standard input", bytes: bytes))
    }
    return try paths.flatMap { try files(at: $0) }.flatMap { try parts(of: input(at: $0)) }
  }

  /// The file itself, or those of a folder by their names; none for what only stands beside a payload.
  private func files(at path: String) throws -> [String] {
    guard Self.isFolder(path) else { return Self.isBeside(path) ? [] : [path] }
    let folder = URL(filePath: path)
    return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
      .filter { !$0.hasPrefix(".") && !Self.isBeside($0) }
      .map { folder.appending(path: $0).path }
      .filter { path in
        guard Self.isFolder(path) else { return true }
        problem("\(path) is a folder inside a folder, and skipped")
        return false
      }
  }

  private func input(at path: String) throws -> Input {
    let limit = Limits().bodyBytes
    var status = stat()
    if !lines, stat(path, &status) == 0, Int(status.st_size) > limit {
      throw Failure("\(path) has \(status.st_size) bytes, and no worker takes more than \(limit)")
    }
    guard let data = FileManager.default.contents(atPath: path) else { throw Failure("\(path) can not be read") }
    var input = Input(name: path, bytes: Array(data))
    let beside = URL(filePath: path).deletingPathExtension().appendingPathExtension(Self.headersEnding).path
    if let data = FileManager.default.contents(atPath: beside) {
      let root = try? JSONParser(maximumBytes: data.count).parse(Array(data))
      guard let root, root.isObject else { throw Failure("\(beside) is no JSON object") }
      for (name, value) in root.members {
        guard !value.isObject, !value.isArray else {
          throw Failure("\(beside): \(name) is neither a string nor a number, true, false or null")
        }
        let text = value.string ?? String(decoding: value.utf8, as: UTF8.self)
        input.headers.append((name, value.isNull ? nil : text))
      }
    }
    return input
  }

  private func parts(of input: Input) -> [Input] {
    guard lines else { return [input] }
    let parts = input.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    return parts.enumerated().compactMap { number, line in
      guard line.contains(where: { !" \t\r".utf8.contains($0) }) else { return nil }
      return Input(name: "\(input.name), line \(number + 1)", bytes: Array(line), headers: input.headers)
    }
  }

  private static let headersEnding = "headers.json"

  private static func isBeside(_ path: String) -> Bool { path.hasSuffix("." + headersEnding) || path.hasSuffix(".expected.json") }

  private static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  /// How many there are of each kind, in the order of the first ones.
  private static func content(_ elements: [NormalisedElement]) -> String {
    var counts: [(word: String, count: Int)] = []
    for element in elements {
      if let position = counts.firstIndex(where: { $0.word == element.word }) {
        counts[position].count += 1
      } else {
        counts.append((element.word, 1))
      }
    }
    return counts.map { DeadLetterText.number($0.count, $0.word) }.joined(separator: ", ")
  }

  // MARK: - Publishing

  private func publish(_ records: [Prepared], _ configuration: Operations.Configuration) async throws {
    let topic = records[0].record.topic
    let surroundings = Surroundings(service: "throughline-publish", level: configuration.logLevel, to: 2)
    let producer = try KafkaProducer.ofOperator(configuration, surroundings)
    var published = 0
    var fault: KafkaFault?
    do throws(KafkaFault) {
      let partitions = try await max(1, producer.partitionCount(of: topic))
      for batch in records.batches({ Int64($0.record.byteCount) }, maximumCount: 100, maximumWeight: 16 << 20) {
        // What follows a failed one of the same customer would come before it.
        if fault != nil { break }
        let sent = batch.map { Self.placed($0.record, among: partitions) }
        let results = try await producer.send(sent)
        for (position, one) in batch.enumerated() {
          switch results[position] {
          case .success(let offset):
            published += 1
            put("\(topic)/\(sent[position].partition ?? 0)/\(offset)  \(one.content)  \(one.name)\n")
          case .failure(let error):
            problem("\(one.name): \(error)")
            fault = error
          }
        }
      }
    } catch {
      fault = error
    }
    await producer.close()
    put("published \(DeadLetterText.number(published, "record"))\n")
    if let fault {
      let words = fault.isUnknownTopic ? "there is no topic \(topic)" : "\(fault)"
      throw Failure("\(words): \(records.count - published) of \(records.count) were not published")
    }
  }

  /// Where the key belongs, so that the partition can be told.
  private static func placed(_ record: Record, among partitions: Int32) -> ProducerRecord {
    ProducerRecord(
      topic: record.topic,
      partition: record.key.map { KafkaProducer.partition(of: $0, among: partitions) } ?? Int32.random(in: 0..<partitions),
      key: record.key, value: record.value, headers: record.headers.map { KafkaHeader($0.name, $0.value) })
  }
}

extension NormalisedElement {
  /// One of them in a word that takes an s.
  fileprivate var word: String {
    switch self {
    case .ignored: "ignored element"
    case .rejected: "rejected element"
    case .event(let event):
      switch event.body {
      case .message: "message"
      case .contact: "contact"
      case .order: "order"
      case .survey: "survey answer"
      case .change(let change): change.kind.replacing("_", with: " ")
      case .unknown: "unknown element"
      case .action: "action"
      case .result: "result"
      case .presence: "presence"
      }
    }
  }
}

extension Event {
  /// What an adapter would key the record by: the sender or, of the desk, the conversation or the agent.
  fileprivate var customerKey: String? {
    switch body {
    case .message(let message): message.customer.first?.identifier.value
    case .contact(let contact): contact.identifiers.first?.identifier.value
    case .order(let order): order.customer.first?.identifier.value
    case .survey(let response): response.customer.first?.identifier.value
    case .change(let change): change.customer.first?.identifier.value
    case .action(let action): action.conversation.description
    case .result(let result): result.message.description
    case .presence(let presence): presence.agent
    case .unknown: nil
    }
  }

  /// The session, ticket or message that it is about, where it names no customer: all that is said of one stays in its order.
  fileprivate var placeKey: String? {
    switch body {
    case .message(let message): message.session.map { ID($0.raw).description }
    // What is said in a ticket has an id of its own, and the ticket's is the target.
    case .change(let change): change.target.map { ID($0.raw).description } ?? change.targetExternalID
    default: nil
    }
  }
}
