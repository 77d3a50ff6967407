import CRdKafka
import Canonical
import Postgres

@testable import Engine
@testable import Kafka
@testable import Store
@testable import Workers

/// Ingest workers on a clock of dice, against a model broker and a model store: `IngestMachine`, `BatchMachine` and the planners as they
/// are, and around them everything that can happen to a worker between any two steps.
///
/// Workers crash, hang, freeze and come back, stop and start; partitions are rebalanced while batches are in flight; transactions lose
/// races, time out, are ended by claimants, and commit with their reply lost; the database and the publishers' broker go away; deliveries
/// come twice, on any partition; records are poison, deadly, unreadable or trimmed away. Then everything rests, and all must be done.
final class Simulation {
  /// In how many steps what rests must be done.
  private static let restingSteps = 60_000
  /// In how many steps a frozen worker loses its membership and its leases; after how many tries a claimant loses its patience.
  private static let session = 60
  private static let patience = 5
  private static let batchRecords = 6
  private static let shards = 4

  private enum Killer { case crash, hang }

  private enum Command {
    case claim([TopicAndPartition])
    case write([NormalisedRecord], [OffsetClaim])
    case probe(Record, OffsetClaim)
    /// `reposition` and `stepOver`.
    case move(OffsetClaim, to: Int64, NormalisedRecord)
  }

  private struct Transaction {
    var locks: Set<TopicAndPartition>
    /// Somebody has ended its backend, or the server is gone.
    var isBroken = false
  }

  private enum Membership: Equatable {
    case outside, joining, waiting, revoking, assigned
    case mustRevoke
    case mustAssign([TopicAndPartition])
  }

  private struct Worker {
    /// Another one after each start.
    var name: Int
    var machine = IngestMachine(batchRecords: Simulation.batchRecords)
    var membership = Membership.outside
    var mailbox: [IngestMachine.Event] = []
    var poll: IngestMachine.Poll?
    var commands: [Command] = []
    /// The course of the first command, when it is a write.
    var batch: (machine: BatchMachine, step: BatchMachine.Step)?
    var isProbed = false
    var transaction: Transaction?
    var waitedSteps = 0
    var isAbandoned = false
    /// The first command has begun.
    var isUnderWay = false
    var positions: [TopicAndPartition: Int64] = [:]
    /// Its session ended while it was frozen: it had partitions, and is told so by its next poll.
    var isLost = false
    var isPaused = false
    /// Stands still until then, and hangs where it is killed then.
    var frozenUntil = 0
    var isHanging = false
    var isStopping = false
    // The publisher.
    var leased: Set<Int> = []
    var leasedAt = -1_000
    var flight = OutboxFlight()
    var flights: [[OutboxRecord]] = []
    /// What has failed, and is sent again after a while.
    var failed: [(records: [OutboxRecord], done: [OutboxRecord])] = []
  }

  /// A row of `ingest_offset`.
  private struct Row {
    var epoch: Int64 = 0
    var owner: Int?
    var next: Int64?
    var crashOffset: Int64?
    var crashCount: Int32 = 0
    var probe: (offset: Int64, epoch: Int64?, count: Int32)?
  }

  private let story: Story
  private let partitions: [TopicAndPartition]
  private var logs: [TopicAndPartition: [NormalisedRecord]] = [:]
  /// What the broker still has begins there.
  private var low: [TopicAndPartition: Int64] = [:]
  private var ends: [TopicAndPartition: Int64] = [:]
  private var unreadable: [Place: Int64] = [:]
  private var killers: [Place: Killer] = [:]
  /// Deliveries that the database never takes, and that lose every race.
  private var poison: Set<MessageKey> = []
  private var unlucky: Set<MessageKey> = []

  private var store = Story.beginning
  private var rows: [TopicAndPartition: Row] = [:]
  private var workers: [Worker] = []
  private var lastName = 0
  /// Workers who have ended in order.
  private var released: Set<Int> = []
  private var step = 0
  private var quietFrom = 1_000
  private var databaseBackAt = 0
  private var random: SplitMix64

  /// What was committed, in order: records, and what agents did in between.
  private enum Entry {
    case records([NormalisedRecord])
    case interlude(Int)
  }
  private var journal: [Entry] = []
  private var outcomes: [Place: Int] = [:]
  /// Readings alone whose worker lost the partition in the midst, for whatever reason.
  private var unfinishedProbes: [Place: Int] = [:]
  /// The records of each row.
  private var outbox: [[OutboxRecord]] = []
  private var eventCount = 0
  /// What each row of the outbox tells of, by its id.
  private var events: [[(subject: String, seq: Int64)]] = []
  private var owners: [(worker: Int?, until: Int)] = Array(repeating: (nil, 0), count: Simulation.shards)
  private var published: [(subject: String, seq: Int64)] = []
  private var flaw: String?
  private var faults: [String: Int] = [:]
  private let isLogging: Bool
  private(set) var log: [String] = []

  private struct Place: Hashable, CustomStringConvertible {
    var partition: TopicAndPartition
    var offset: Int64
    init(_ record: Record) { (partition, offset) = (record.topicAndPartition, record.offset) }
    init(_ partition: TopicAndPartition, _ offset: Int64) { (self.partition, self.offset) = (partition, offset) }
    var description: String { "\(partition.topic):\(offset)" }
  }

  init(seed: UInt64, isLogging: Bool = false) {
    random = SplitMix64(seed: seed ^ 0x5117)
    story = Story(seed: seed)
    self.isLogging = isLogging
    partitions = ["a", "b", "c"].map { TopicAndPartition($0, 0) }
    for partition in partitions {
      logs[partition] = []
      rows[partition] = Row()
      low[partition] = 0
      ends[partition] = 0
    }
    var published: [NormalisedRecord] = []
    for record in story.chapters.flatMap({ $0 }) {
      append(record)
      published.append(record)
      if one(in: 4), let again = published.randomElement(using: &random) { append(again) }
    }
    for _ in 0..<2 { start() }
  }

  /// On any partition; some offsets are never taken, as a compacted topic's.
  private func append(_ record: NormalisedRecord) {
    let partition = pick(partitions)
    let offset = (ends[partition] ?? 0) + (one(in: 12) ? 1 : 0)
    let record = NormalisedRecord(
      record: Record(
        topic: partition.topic, partition: partition.partition, offset: offset, timestamp: nil, key: nil, headers: [], value: nil),
      tenant: record.tenant, elements: record.elements)
    let place = Place(record.record)
    if one(in: 60) { killers[place] = one(in: 2) ? .crash : .hang }
    // A batch that does not unpack is told of by its first record, whichever of it is asked for.
    if let batch = unreadable[Place(partition, offset - 1)], one(in: 2) { unreadable[place] = batch }
    if one(in: 60) { unreadable[place] = offset }
    for event in record.events {
      if one(in: 40) { poison.insert(event.key) }
      if one(in: 80) { unlucky.insert(event.key) }
    }
    logs[partition, default: []].append(record)
    ends[partition] = offset + 1
  }

  // MARK: - Dice

  private func one(in sides: Int) -> Bool { Int.random(in: 0..<sides, using: &random) == 0 }
  private func pick<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &random)] }
  /// A fault that strikes now, while faults do.
  private func strikes(_ fault: String, in sides: Int) -> Bool {
    guard step < quietFrom, one(in: sides) else { return false }
    faults[fault, default: 0] += 1
    return true
  }
  private func note(_ line: @autoclosure () -> String) { if isLogging { log.append("\(step) \(line())") } }

  // MARK: - The run

  /// What is wrong, if anything is.
  func run() -> String? {
    while flaw == nil && step < quietFrom + Self.restingSteps {
      step += 1
      mishap()
      if workers.isEmpty || workers.count < 2 && one(in: 40) { start() }
      guard !workers.isEmpty else { continue }
      let index = Int.random(in: 0..<workers.count, using: &random)
      if workers[index].isHanging && workers[index].frozenUntil <= step {
        // The watchdog.
        crash(index, "killed by the watchdog")
        continue
      }
      guard workers[index].frozenUntil <= step else { continue }
      switch Int.random(in: 0..<10, using: &random) {
      case 0: workers[index].mailbox.append(.tick)
      case 1...2: if workers[index].poll != nil { poll(index) }
      case 3...5: if !workers[index].commands.isEmpty { work(index) }
      case 6: publish(index)
      default: deliver(index)
      }
      if step > quietFrom && step % 64 == 0 && isDone { break }
    }
    return flaw ?? (isDone ? nil : unfinished) ?? verdict() ?? stop()
  }

  var struck: Set<String> { Set(faults.keys) }

  private var isDone: Bool {
    partitions.allSatisfy { (rows[$0]?.next ?? 0) >= ends[$0] ?? 0 } && outbox.isEmpty
  }
  private var unfinished: String {
    "not done: " + partitions.map { "\($0.topic) \(rows[$0]?.next ?? 0) of \(ends[$0] ?? 0)" }.joined(separator: ", ")
      + ", \(outbox.joined().count) events unpublished"
  }

  private func start() {
    lastName += 1
    var worker = Worker(name: lastName)
    let actions = worker.machine.start()
    workers.append(worker)
    note("worker \(lastName) starts")
    carryOut(actions, workers.count - 1)
  }

  /// Hands one event to the machine.
  private func deliver(_ index: Int) {
    guard !workers[index].mailbox.isEmpty else { return }
    let event = workers[index].mailbox.removeFirst()
    note("\(workers[index].name) < \(Self.words(event))")
    let actions = workers[index].machine.handle(event)
    carryOut(actions, index)
  }

  private func carryOut(_ actions: [IngestMachine.Action], _ index: Int) {
    for action in actions {
      note("\(workers[index].name) > \(Self.words(action))")
      switch action {
      case .poll(let poll): workers[index].poll = poll
      case .claim(let partitions): order(.claim(partitions), index)
      case .assign(let claims):
        workers[index].positions = Dictionary(uniqueKeysWithValues: claims.map { ($0.key, $0.nextOffset ?? 0) })
      case .seek(let claims):
        for claim in claims where workers[index].positions[claim.key] != nil {
          workers[index].positions[claim.key] = claim.nextOffset ?? 0
        }
      case .write(let records, let claims): order(.write(records, claims), index)
      case .probe(let record, let claim): order(.probe(record, claim), index)
      case .acquit(let claims): for claim in claims where holds(claim) { rows[claim.key]?.crashCount = 0 }
      case .reposition(let claim, let low, _):
        if low...(ends[claim.key] ?? low) ~= claim.nextOffset ?? 0 {
          // As `BatchWriter.reposition`.
          workers[index].mailbox.append(.repositioned(claim.key, claim))
        } else {
          order(.move(claim, to: low, letter(claim.key, at: claim.nextOffset ?? 0, .offsetsTrimmed)), index)
        }
      case .stepOver(let claim, let base):
        let offset = max(base, claim.nextOffset ?? base)
        order(.move(claim, to: offset + 1, letter(claim.key, at: offset, .unreadable)), index)
      case .abandon: workers[index].isAbandoned = true
      case .release(let claims):
        guard databaseBackAt <= step else { continue }
        for claim in claims where holds(claim) { release(claim.key) }
      case .unassign:
        workers[index].positions = [:]
        workers[index].isPaused = false
        if workers[index].membership == .revoking { workers[index].membership = .waiting }
        balance()
      case .pause: workers[index].isPaused = true
      case .resume: workers[index].isPaused = false
      case .report: break
      case .stop:
        note("worker \(workers[index].name) ends in order")
        if databaseBackAt <= step {
          released.insert(workers[index].name)
          for partition in partitions where rows[partition]?.owner == workers[index].name { release(partition) }
        }
        leave(index)
        return
      }
    }
  }

  private func release(_ partition: TopicAndPartition) {
    rows[partition]?.owner = nil
    guard let probe = rows[partition]?.probe, probe.epoch == rows[partition]?.epoch else { return }
    rows[partition]?.probe = (probe.offset, nil, probe.count - 1)
  }

  private func holds(_ claim: OffsetClaim) -> Bool { rows[claim.key]?.epoch == claim.epoch }

  private func letter(_ partition: TopicAndPartition, at offset: Int64, _ reason: Rejection.Reason) -> NormalisedRecord {
    NormalisedRecord(
      record: Record(
        topic: partition.topic, partition: partition.partition, offset: offset, timestamp: nil, key: nil, headers: [], value: nil),
      tenant: "shop", elements: [.rejected(Rejection(reason, ""))])
  }

  private func order(_ command: Command, _ index: Int) { workers[index].commands.append(command) }

  private static func words(_ claims: [OffsetClaim]) -> String {
    claims.map { "\($0.topic)#\($0.epoch)@\($0.nextOffset.map(String.init) ?? "start")\($0.crashCount > 2 ? "!" : "")" }.sorted()
      .joined(separator: " ")
  }
  private static func words(_ records: [NormalisedRecord]) -> String {
    records.map { Place($0.record).description }.joined(separator: " ")
  }
  private static func words(_ event: IngestMachine.Event) -> String {
    switch event {
    case .polled(let records): "polled " + words(records)
    case .fetched(let record): "fetched " + (record.map { Place($0).description } ?? "nothing")
    case .claimed(let claims, _): "claimed " + words(claims)
    case .written(.committed(let advanced, let fenced)): "committed \(words(advanced)) fenced \(words(fenced))"
    default: String("\(event)".prefix(120))
    }
  }
  private static func words(_ action: IngestMachine.Action) -> String {
    switch action {
    case .assign(let claims): "assign " + words(claims)
    case .seek(let claims): "seek " + words(claims)
    case .write(let records, let claims): "write \(words(records)) under \(words(claims))"
    case .probe(let record, _): "probe \(Place(record))"
    case .release(let claims): "release " + words(claims)
    case .report(let claims): "report " + words(claims)
    default: String("\(action)".prefix(120))
    }
  }

  // MARK: - The group

  private func leave(_ index: Int) {
    let worker = workers.remove(at: index)
    for shard in owners.indices where owners[shard].worker == worker.name && !worker.isHanging { owners[shard] = (nil, 0) }
    rebalance()
  }

  /// Everybody gives back what they have; who has nothing waits.
  private func rebalance() {
    for index in workers.indices {
      switch workers[index].membership {
      case .assigned: workers[index].membership = .mustRevoke
      case .mustAssign: workers[index].membership = .waiting
      case .outside, .joining, .waiting, .revoking, .mustRevoke: break
      }
    }
    balance()
  }

  /// When all have given back, the partitions are shared out.
  private func balance() {
    let members = workers.indices.filter { workers[$0].membership != .outside }
    guard !members.isEmpty, members.allSatisfy({ workers[$0].membership == .waiting }) else { return }
    var shares = members.map { _ in [TopicAndPartition]() }
    for (number, partition) in partitions.shuffled(using: &random).enumerated() {
      shares[number % members.count].append(partition)
    }
    for (index, share) in zip(members, shares) { workers[index].membership = .mustAssign(share) }
  }

  /// Answers a poll: a rebalance in two steps, or what there is to read.
  private func poll(_ index: Int) {
    guard let poll = workers[index].poll else { return }
    var answer: IngestMachine.Event
    switch workers[index].membership {
    case .outside where workers[index].isLost:
      workers[index].isLost = false
      answer = .revoked
    case .outside:
      workers[index].membership = .waiting
      answer = poll == .single ? .fetched(nil) : .polled([])
      rebalance()
    case .mustRevoke:
      workers[index].membership = .revoking
      answer = .revoked
    case .mustAssign(let share):
      workers[index].membership = .assigned
      answer = .assigned(share)
    case .joining, .waiting, .revoking: answer = poll == .single ? .fetched(nil) : .polled([])
    case .assigned:
      guard let read = read(index, poll) else { return }
      answer = read
    }
    workers[index].poll = nil
    workers[index].mailbox.append(answer)
  }

  /// Nil when it did not survive what it read.
  private func read(_ index: Int, _ poll: IngestMachine.Poll) -> IngestMachine.Event? {
    var batch: [NormalisedRecord] = []
    let limit = poll == .single ? 1 : Int.random(in: 0...Self.batchRecords, using: &random)
    for (partition, position) in workers[index].positions.sorted(by: { $0.key.topic < $1.key.topic })
    where !workers[index].isPaused && poll != .paused && batch.count < limit {
      guard position >= low[partition] ?? 0 else {
        return batch.isEmpty ? .outOfRange(partition, low: low[partition] ?? 0, high: ends[partition] ?? 0) : .polled(batch)
      }
      for record in logs[partition] ?? [] where record.record.offset >= position && batch.count < limit {
        if let first = unreadable[Place(record.record)] {
          if batch.isEmpty { return .unreadable(partition, offset: first) }
          break
        }
        workers[index].positions[partition] = record.record.offset + 1
        // A record alone is normalised when its row says so.
        if poll != .single, dies(index, record.record) { return nil }
        batch.append(record)
      }
    }
    return poll == .single ? .fetched(batch.first?.record) : .polled(batch)
  }

  private func dies(_ index: Int, _ record: Record) -> Bool {
    switch killers[Place(record)] {
    case .crash: crash(index, "reads \(Place(record))")
    case .hang:
      note("\(workers[index].name) hangs at \(Place(record))")
      workers[index].isHanging = true
      workers[index].frozenUntil = step + 2 * Self.session
    case nil: return false
    }
    return true
  }

  // MARK: - What happens to workers and servers

  private func crash(_ index: Int, _ why: String) {
    note("worker \(workers[index].name) crashes: \(why)")
    // The broker finds out by and by; here it does at once, and the frozen ones are those whom nobody misses at first.
    workers[index].isHanging = true
    leave(index)
  }

  private func mishap() {
    for index in workers.indices.reversed() where workers[index].frozenUntil > step && workers[index].membership != .outside {
      // Frozen beyond its session: the group goes on without it, and it learns of that when it polls again.
      guard workers[index].frozenUntil - step > Self.session, one(in: 20) else { continue }
      let hadNothing = workers[index].membership == .waiting
      workers[index].membership = .outside
      workers[index].isLost = !hadNothing
      rebalance()
    }
    if strikes("kill", in: 150), let index = workers.indices.randomElement(using: &random) {
      crash(index, "kill -9")
    }
    if strikes("freeze", in: 150), let index = workers.indices.filter({ !workers[$0].isHanging }).randomElement(using: &random) {
      workers[index].frozenUntil = step + Int.random(in: 1...(4 * Self.session), using: &random)
      note("worker \(workers[index].name) freezes until \(workers[index].frozenUntil)")
    }
    if strikes("stop", in: 300), let index = workers.indices.randomElement(using: &random), !workers[index].isStopping {
      workers[index].isStopping = true
      workers[index].mailbox.append(.stopRequested)
    }
    if strikes("scale", in: 300), workers.count < 4 { start() }
    if strikes("database away", in: 250) {
      databaseBackAt = step + Int.random(in: 1...120, using: &random)
      for index in workers.indices { workers[index].transaction?.isBroken = true }
      note("the database is away until \(databaseBackAt)")
    }
    if strikes("backend terminated", in: 100), let index = workers.indices.randomElement(using: &random) {
      workers[index].transaction?.isBroken = true
    }
    if strikes("trimmed", in: 600), let partition = partitions.randomElement(using: &random) {
      let end = ends[partition] ?? 0
      low[partition] = max(low[partition] ?? 0, min(end, (rows[partition]?.next ?? 0) + Int64.random(in: 0...3, using: &random)))
      note("\(partition.topic) begins at \(low[partition] ?? 0)")
    }
    if strikes("lifecycle", in: 200) {
      let chapter = journal.count
      story.interlude(chapter, &store)
      journal.append(.interlude(chapter))
      collectEvents()
    }
  }

  // MARK: - The database

  /// One step of the first command: its transaction begins, or ends.
  private func work(_ index: Int) {
    // To be abandoned is said of what is under way, never of the command after it.
    if !workers[index].isUnderWay { workers[index].isAbandoned = false }
    workers[index].isUnderWay = true
    switch workers[index].commands[0] {
    case .claim(let partitions): claim(index, partitions)
    case .write(let records, let claims): write(index, records, claims)
    case .probe(let record, let claim):
      if workers[index].isProbed {
        write(index, [], [])
      } else {
        probe(index, record, claim)
      }
    case .move(let claim, let next, let letter): move(index, claim, next, letter)
    }
  }

  private func finish(_ index: Int, _ event: IngestMachine.Event) {
    workers[index].commands.removeFirst()
    workers[index].batch = nil
    workers[index].isProbed = false
    workers[index].transaction = nil
    workers[index].waitedSteps = 0
    workers[index].isUnderWay = false
    workers[index].mailbox.append(event)
  }

  /// The fault that hits a transaction now; nil for none.
  private func fault(_ index: Int) -> String? {
    let isBroken = workers[index].transaction?.isBroken ?? false
    if databaseBackAt > step { return pick(["08006", "08001", "57P03", "53300", "53100", "25006"]) }
    if isBroken { return pick(["57P01", "08006"]) }
    if strikes("race", in: 25) { return pick(["40001", "40P01", "23505"]) }
    if strikes("timeout", in: 60) { return pick(["57014", "55P03"]) }
    return nil
  }

  /// Locks the rows; false while somebody else holds one. Who waits too long ends the holders, if `isClaim`.
  private func lock(_ index: Int, _ wanted: Set<TopicAndPartition>, isClaim: Bool) -> Bool {
    let holders = workers.indices.filter { other in
      other != index && workers[other].transaction.map { !$0.isBroken && !$0.locks.isDisjoint(with: wanted) } ?? false
    }
    if holders.isEmpty {
      workers[index].transaction = Transaction(locks: wanted)
      workers[index].waitedSteps = 0
      return true
    }
    workers[index].waitedSteps += 1
    if isClaim && workers[index].waitedSteps > Self.patience {
      faults["holder terminated", default: 0] += 1
      for other in holders { workers[other].transaction?.isBroken = true }
    }
    return false
  }

  private func claim(_ index: Int, _ partitions: [TopicAndPartition]) {
    if workers[index].transaction == nil {
      if fault(index) == nil { _ = lock(index, Set(partitions), isClaim: true) } else { giveUp(index, .claimed([])) }
      return
    }
    if fault(index) != nil { return giveUp(index, .claimed([])) }
    let name = workers[index].name
    let claims = partitions.map { partition in
      var row = rows[partition] ?? Row()
      if let probe = row.probe, probe.epoch == row.epoch { unfinishedProbes[Place(partition, probe.offset), default: 0] += 1 }
      row.epoch += 1
      row.crashCount = (row.crashOffset == row.next ? row.crashCount : 0) + (row.owner != nil && row.owner != name ? 1 : 0)
      row.crashOffset = row.next
      row.owner = name
      rows[partition] = row
      return OffsetClaim(
        topic: partition.topic, partition: partition.partition, epoch: row.epoch, nextOffset: row.next, crashCount: row.crashCount
      )
    }
    if strikes("lost reply", in: 10) { return giveUp(index, .claimed([])) }
    finish(index, .claimed(claims, ends: one(in: 8) ? [:] : ends))
  }

  /// As `BatchWriter.persevere`: tries again, unless abandoned.
  private func giveUp(_ index: Int, _ answer: IngestMachine.Event) {
    workers[index].transaction = nil
    if workers[index].isAbandoned { finish(index, answer) }
  }

  private func move(_ index: Int, _ claim: OffsetClaim, _ next: Int64, _ letter: NormalisedRecord) {
    if workers[index].transaction == nil {
      if fault(index) == nil {
        _ = lock(index, [claim.key], isClaim: false)
      } else {
        giveUp(index, .repositioned(claim.key, nil))
      }
      return
    }
    if fault(index) != nil { return giveUp(index, .repositioned(claim.key, nil)) }
    guard holds(claim) else { return finish(index, .repositioned(claim.key, nil)) }
    var moved = claim
    moved.nextOffset = rows[claim.key]?.next
    guard moved.nextOffset == claim.nextOffset else { return finish(index, .repositioned(claim.key, moved)) }
    // What lies between was not read, and is accounted for by the letter.
    let from = rows[claim.key]?.next ?? 0
    for offset in from..<max(from, next) where isIn(claim.key, offset) && offset != letter.record.offset {
      outcomes[Place(claim.key, offset), default: 0] += 1
    }
    if commit([letter]) == nil { rows[claim.key]?.next = next }
    if strikes("lost reply", in: 10) { return giveUp(index, .repositioned(claim.key, nil)) }
    moved.nextOffset = next
    finish(index, .repositioned(claim.key, moved))
  }

  private func probe(_ index: Int, _ record: Record, _ claim: OffsetClaim) {
    guard fault(index) == nil else { return giveUp(index, .written(.abandoned)) }
    guard holds(claim) else { return finish(index, .written(.committed(advanced: [], fenced: [claim]))) }
    let earlier = rows[claim.key]?.probe
    let count = earlier.map { $0.offset != record.offset ? 0 : $0.epoch == claim.epoch ? $0.count : $0.count + 1 } ?? 0
    rows[claim.key]?.probe = (record.offset, claim.epoch, count)
    if strikes("lost reply", in: 10) { return giveUp(index, .written(.abandoned)) }
    faults["probe", default: 0] += 1
    workers[index].isProbed = true
    guard let original = logs[claim.key]?.first(where: { $0.record.offset == record.offset }) else {
      flaw = "a record that is not there is read alone"
      return
    }
    var normalised = original
    if count >= BatchWriter.maximumProbes {
      let isUnlucky = unfinishedProbes[Place(record), default: 0] >= Int(BatchWriter.maximumProbes)
      if killers[Place(record)] == nil && !isUnlucky { flaw = "\(Place(record)) is quarantined and did nothing" }
      normalised = normalised.with([.rejected(Rejection(.quarantined, ""))])
      faults["quarantine", default: 0] += 1
    } else if dies(index, record) {
      return
    }
    let machine = BatchMachine([normalised], under: [claim])
    workers[index].batch = (machine, machine.next())
  }

  private func write(_ index: Int, _ records: [NormalisedRecord], _ held: [OffsetClaim]) {
    if workers[index].batch == nil {
      let machine = BatchMachine(records, under: held)
      workers[index].batch = (machine, machine.next())
    }
    guard let step = workers[index].batch?.step else { return }
    switch step {
    case .pause:
      if one(in: 4), let next = workers[index].batch?.machine.next() { workers[index].batch?.step = next }
    case .done(let written): finish(index, .written(written))
    case .stop(let fault): flaw = "stops for \(fault)"
    case .commit(let records, let claims, let isProbe):
      if workers[index].transaction == nil {
        if let state = fault(index) { return failed(index, state) }
        _ = lock(index, Set(claims.filter(holds).map(\.key)), isClaim: false)
        return
      }
      if let state = fault(index) { return failed(index, state) }
      attempt(index, records, claims, isProbe)
    }
  }

  private func failed(_ index: Int, _ state: String) {
    note("\(workers[index].name) ! \(state)")
    workers[index].transaction = nil
    let fault = state == PostgresFault.probed.sqlState ? PostgresFault.probed : PostgresFault(sqlState: state, message: "")
    let isAbandoned = workers[index].isAbandoned
    if let step = workers[index].batch?.machine.failed(fault, isAbandoned: isAbandoned) {
      workers[index].batch?.step = step
    }
  }

  /// As `IngestPipeline.commit`, under the locks.
  private func attempt(_ index: Int, _ records: [NormalisedRecord], _ held: [OffsetClaim], _ isProbe: Bool) {
    var commit = IngestPipeline.Commit()
    commit.fenced = held.filter { !holds($0) }
    let live = records.filter { record in
      held.contains { $0.key == record.record.topicAndPartition && holds($0) }
        && record.record.offset >= rows[record.record.topicAndPartition]?.next ?? 0
    }
    let keys = Set(live.flatMap(\.events).map(\.key))
    if !keys.isDisjoint(with: poison) { return failed(index, "22021") }
    if !keys.isDisjoint(with: unlucky) { return failed(index, "23505") }
    let (before, journalled) = (store, journal.count)
    do {
      commit.rest = try store.plan(live)
    } catch {
      flaw = "the plan is refused: \(error)"
      return
    }
    if isProbe {
      store = before
      return failed(index, PostgresFault.probed.sqlState)
    }
    let done = Array(live.prefix(live.count - commit.rest.count))
    journal.append(.records(done))
    assert(journal.count == journalled + 1)
    for record in done {
      let place = Place(record.record)
      outcomes[place, default: 0] += 1
      rows[place.partition]?.next = place.offset + 1
      if let problem = misjudged(record) { flaw = problem }
    }
    collectEvents()
    let touched = Set(done.map(\.record.topicAndPartition))
    commit.advanced = held.filter { touched.contains($0.key) && holds($0) }.map { claim in
      var claim = claim
      claim.nextOffset = rows[claim.key]?.next
      return claim
    }
    note("\(workers[index].name) commits \(done.map { Place($0.record) })")
    if strikes("kill after commit", in: 100) { return crash(index, "after its commit") }
    if strikes("lost reply", in: 15) { return failed(index, "08006") }
    workers[index].transaction = nil
    if let step = workers[index].batch?.machine.committed(commit) { workers[index].batch?.step = step }
  }

  /// An element that was given up and is innocent, or the other way round.
  private func misjudged(_ record: NormalisedRecord) -> String? {
    guard let original = logs[record.record.topicAndPartition]?.first(where: { $0.record.offset == record.record.offset }) else {
      return "a record that nobody has published"
    }
    for (now, then) in zip(record.elements, original.elements) {
      switch (now, then) {
      case (.rejected(let rejection), .event(let event)):
        let isGuilty =
          switch rejection.reason {
          case .databaseRejected: poison.contains(event.key)
          case .internal: unlucky.contains(event.key)
          case .quarantined: true
          default: false
          }
        if !isGuilty { return "\(Place(record.record)) is a dead letter, \(rejection.reason), and did nothing" }
      case (.event(let event), _) where poison.contains(event.key) || unlucky.contains(event.key):
        return "what the database refuses is stored"
      default: break
      }
    }
    return nil
  }

  /// A letter that is about no record of the log.
  private func commit(_ letters: [NormalisedRecord]) -> String? {
    do { try store.commit(letters) } catch { flaw = "a letter is refused: \(error)" }
    journal.append(.records(letters))
    for letter in letters where isIn(letter.record.topicAndPartition, letter.record.offset) {
      outcomes[Place(letter.record), default: 0] += 1
    }
    return flaw
  }

  private func isIn(_ partition: TopicAndPartition, _ offset: Int64) -> Bool {
    logs[partition]?.contains { $0.record.offset == offset } ?? false
  }

  // MARK: - The outbox

  /// As `OutboxEvents` does: of a transaction, a shard and a topic some together.
  private func collectEvents() {
    let first = outbox.count
    for event in store.events[eventCount...] {
      let shard = Int16(event.subject.utf8.reduce(UInt32(7)) { $0 &* 31 &+ UInt32($1) } % UInt32(Self.shards))
      let known = outbox.indices.dropFirst(first).last { outbox[$0][0].topic == event.topic && outbox[$0][0].row.shard == shard }
      let isNew = known.map { outbox[$0].count == 3 } ?? true
      let row = isNew ? OutboxRow(shard: shard, id: Int64(events.count)) : outbox[known ?? 0][0].row
      let record = OutboxRecord(
        row: row, position: isNew ? 0 : outbox[known ?? 0].count, topic: event.topic, subject: event.subject,
        key: Array(event.subject.utf8), value: nil, headers: [])
      if isNew {
        outbox.append([record])
        events.append([])
      } else {
        outbox[known ?? 0].append(record)
      }
      events[Int(row.id)].append((event.topic + event.subject, event.seq))
    }
    eventCount = store.events.count
  }

  /// One step of the worker's publisher: it renews its leases and reads, or hears of something that it has sent and deletes it.
  private func publish(_ index: Int) {
    guard databaseBackAt <= step, workers[index].membership != .outside else { return }
    if !workers[index].failed.isEmpty && one(in: 4) {
      let (records, done) = workers[index].failed.removeFirst()
      return land(index, records, done)
    }
    if workers[index].flights.isEmpty || one(in: 2) { return send(index) }
    let records = workers[index].flights.remove(at: Int.random(in: 0..<workers[index].flights.count, using: &random))
    // What the broker has not taken before it went away has not been taken of any later one of the same partition.
    let reached = strikes("broker away", in: 12) ? Int.random(in: 0...records.count, using: &random) : records.count
    var results: [Result<Int64, KafkaFault>] = records.indices.map {
      $0 < reached ? .success(0) : .failure(KafkaFault(RD_KAFKA_RESP_ERR__TRANSPORT))
    }
    // What the broker refuses, it refuses with all that came with it, of which the publisher sends again what is not of its subject.
    if reached > 0, strikes("refusal", in: 15) {
      let refused = Int.random(in: 0..<reached, using: &random)
      for index in refused..<reached where records[index].orderedBy == records[refused].orderedBy {
        results[index] = .failure(KafkaFault(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE))
      }
    }
    for (record, result) in zip(records, results) {
      if case .success = result { published.append(events[Int(record.row.id)][record.position]) }
    }
    if strikes("kill before delete", in: 40) { return crash(index, "before it deletes what it has published") }
    let (whole, broken, doneOfBroken) = OutboxFlight.separate(records, done: OutboxFlight.settle(records, results).done)
    if !broken.isEmpty { workers[index].failed.append((broken, doneOfBroken)) }
    land(index, whole, whole)
  }

  private func land(_ index: Int, _ records: [OutboxRecord], _ done: [OutboxRecord]) {
    let finished = workers[index].flight.land(records, done: done)
    // What could not be deleted is published again.
    if !strikes("delete fails", in: 40) { outbox.removeAll { finished.contains($0[0].row) } }
    workers[index].flight.close(finished)
  }

  /// Sent by whoever has read it, however long ago that was.
  private func send(_ index: Int) {
    let name = workers[index].name
    if step - workers[index].leasedAt > Self.session / 3 {
      workers[index].leasedAt = step
      let share = (Self.shards + workers.count - 1) / workers.count
      let mine = owners.indices.filter { owners[$0].worker == name }
      let free = owners.indices.filter { owners[$0].worker == nil || owners[$0].until < step }
      for shard in mine.dropFirst(share) { owners[shard] = (nil, 0) }
      let kept = Set((mine + free).prefix(share))
      for shard in kept { owners[shard] = (name, step + Self.session) }
      workers[index].leased = kept
      workers[index].flight.keep(kept.map { Int16($0) })
    }
    let known = Set(workers[index].flight.rows)
    workers[index].flight.take(
      Array(outbox.filter { workers[index].leased.contains(Int($0[0].row.shard)) && !known.contains($0[0].row) }.prefix(4)))
    workers[index].flights += workers[index].flight.depart()
  }

  // MARK: - The verdict

  private func verdict() -> String? {
    // Every element of every record has one outcome.
    for partition in partitions {
      for record in logs[partition] ?? [] where outcomes[Place(record.record)] != 1 {
        return "\(Place(record.record)) has \(outcomes[Place(record.record)] ?? 0) outcomes"
      }
    }
    // P1: what is stored is what processing the records one by one, in the order of their commits, leaves.
    var again = Story.beginning
    var committed: [NormalisedRecord] = []
    for entry in journal {
      switch entry {
      case .interlude(let chapter): story.interlude(chapter, &again)
      case .records(let records):
        for record in records {
          do { try again.commit([record]) } catch { return "one by one it is refused: \(error)" }
        }
        committed += records
      }
    }
    let (left, expected) = (Snapshot(store), Snapshot(again))
    if left != expected { return "one by one something else is left:\n" + expected.difference(from: left) }
    if let flaw = store.flaw(after: committed) { return flaw }
    // Every partition in its order.
    for partition in partitions {
      let offsets = committed.filter { $0.record.topicAndPartition == partition }.map(\.record.offset)
      if offsets != offsets.sorted() { return "\(partition.topic) was not read in order" }
    }
    // Whoever drops what they have seen sees every event once and in order.
    var seen: [String: Int64] = [:]
    for (subject, seq) in published where seq > seen[subject, default: 0] {
      if seq != seen[subject, default: 0] + 1 { return "a gap before \(seq) of \(subject)" }
      seen[subject] = seq
    }
    let expectedSeqs = Dictionary(store.events.map { ($0.topic + $0.subject, $0.seq) }) { max($0, $1) }
    return seen == expectedSeqs ? nil : "an event was not published"
  }

  /// Everybody ends in order, and holds nothing.
  private func stop() -> String? {
    for index in workers.indices { workers[index].mailbox.append(.stopRequested) }
    for _ in 0..<20_000 where !workers.isEmpty {
      step += 1
      let index = Int.random(in: 0..<workers.count, using: &random)
      if !workers[index].mailbox.isEmpty { deliver(index) } else if !workers[index].commands.isEmpty { work(index) }
    }
    guard workers.isEmpty else { return "a worker does not stop" }
    let isHeld = rows.values.contains { row in row.owner.map { released.contains($0) } ?? false }
    return flaw ?? (isHeld ? "a worker has stopped and holds a partition" : nil)
  }
}
