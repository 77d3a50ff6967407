import Foundation
import Kafka
import Postgres

/// Something that goes wrong in a plant, and how it ends.
public struct Fault: Sendable {
  /// What it strikes: of two at a time, the first strikes a process.
  public enum Kind: Sendable {
    case process, database, broker
  }

  /// Ends the fault; throws when what had to follow from it was not seen.
  public typealias Heal = @Sendable () async throws -> Void

  public let name: String
  public let kind: Kind
  /// Others may strike while this one lasts.
  public let isShared: Bool
  /// Makes it happen, and returns when it has been seen to: by an exit, by a line of a worker's log, by what PostgreSQL or the broker
  /// says; throws when it has not. Wants load. The number chooses among workers and the like.
  public let strike: @Sendable (Plant, _ choice: Int) async throws -> Heal

  init(
    _ name: String, _ kind: Kind, isShared: Bool = false,
    _ strike: @escaping @Sendable (Plant, _ choice: Int) async throws -> Heal
  ) {
    self.name = name
    self.kind = kind
    self.isShared = isShared
    self.strike = strike
  }

  /// Which faults strike a run, and which do not.
  public struct Plan: Sendable {
    /// Those that take long or come seldom: before the others, so that a short run has them as well.
    public var first: [Fault] = []
    public var others: [Fault] = []
    /// By name, with the reason.
    public var leftOut: [(name: String, why: String)] = []
  }

  /// All that the plant is capable of, and that are over soon enough in a run of this length.
  public static func plan(_ plant: Plant, lasting length: Duration) -> Plan {
    var plan = Plan(others: processes + databases + brokers + [unreadableBatch])
    if plant.disk == nil {
      plan.leftOut.append((fullDisk.name, "this user may not mount a file system of its own"))
    } else {
      plan.others.append(fullDisk)
    }
    for (fault, minutes) in [(crashingRecord, 3), (hangingRecord, 5), (trimmedOffsets, 5)] {
      if fault.name != trimmedOffsets.name, !WorkerProcess.knowsFaultHeader {
        plan.leftOut.append((fault.name, "only debug builds know such records"))
      } else if length < .seconds(minutes * 60) {
        plan.leftOut.append((fault.name, "only in runs of \(minutes) minutes and more"))
      } else {
        plan.first.append(fault)
      }
    }
    return plan
  }

  static let nothing: Heal = {}

  // MARK: - Processes

  static let processes = [killedIngest, killedRouter, stoppedIngest, stoppedRouter, orderedStop]

  public static let killedIngest = Fault("ingest killed (-9)", .process, isShared: true) { plant, choice in
    try await kill(plant.ingest[choice % plant.ingest.count], plant)
  }

  public static let killedRouter = Fault("router killed (-9)", .process, isShared: true) { plant, choice in
    try await kill(plant.routers[choice % plant.routers.count], plant)
  }

  private static func kill(_ unit: Unit, _ plant: Plant) async throws -> Heal {
    try await plant.wait("\(unit.name) is there to be killed") { unit.isRunning }
    let starts = unit.starts
    unit.signal(SIGKILL)
    return { try await unit.waitForStart(after: starts) }
  }

  /// The zombie: its partitions are taken over while it stands still, and it has to notice.
  public static let stoppedIngest = Fault("ingest stopped past its session", .process, isShared: true) { plant, choice in
    let zombie = plant.ingest[choice % plant.ingest.count]
    // An instance is named by its host and its process.
    let held = """
      SELECT count(*) FROM throughline.ingest_offset WHERE owner LIKE '%-\(zombie.current?.process.processIdentifier ?? 0)-%'
      """
    try await plant.wait("a worker has partitions") { try await plant.cluster.number(held) > 0 }
    let seen = noticed(zombie)
    zombie.signal(SIGSTOP)
    let resume: Heal = { zombie.signal(SIGCONT) }
    _ = try await whenSeen(resume) {
      try await plant.wait("the others have the partitions of a stopped worker") { try await plant.cluster.number(held) == 0 }
    }
    return {
      try await resume()
      try await plant.wait("the stopped worker notices that its partitions are gone") { noticed(zombie) > seen }
    }
  }

  /// It goes on with what it knew: whoever has its tenants since, or nobody, and agents have acted meanwhile.
  public static let stoppedRouter = Fault("router stopped past its leases", .process, isShared: true) { plant, choice in
    let zombie = plant.routers[choice % plant.routers.count]
    let leased = "SELECT count(*) FROM throughline.router_lease WHERE expires_at > now()"
    let held = leased + " AND owner LIKE '%-\(zombie.current?.process.processIdentifier ?? 0)-%'"
    try await plant.wait("a router has tenants") { try await plant.cluster.number(held) > 0 }
    zombie.signal(SIGSTOP)
    let resume: Heal = { zombie.signal(SIGCONT) }
    _ = try await whenSeen(resume) {
      try await plant.wait("the leases of a stopped router have ended") { try await plant.cluster.number(held) == 0 }
    }
    return {
      try await resume()
      try await plant.wait("somebody has the tenants") { try await plant.cluster.number(leased) > 0 }
    }
  }

  private static func noticed(_ unit: Unit) -> Int {
    unit.logs.reduce(0) { count, log in
      count
        + [#""event.action":"fenced""#, #""event.action":"assignment_lost""#].reduce(0) {
          $0 + log.components(separatedBy: $1).count - 1
        }
    }
  }

  public static let orderedStop = Fault("worker stopped in order (SIGTERM)", .process) { plant, choice in
    let unit = plant.units[choice % plant.units.count]
    let starts = unit.starts
    try await unit.stop()
    return {
      unit.startAgain()
      try await unit.waitForStart(after: starts)
    }
  }

  // MARK: - Database

  static let databases = [
    crashedServer, terminatedBackends, readOnly, lostReply, lostConnectionAtCommit, exhaustedConnections, deadlock, refused,
    silent,
    slow,
  ]

  public static let crashedServer = Fault("PostgreSQL stopped at once", .database) { plant, _ in
    let before = plant.count(of: connectionFaults)
    try await plant.server.crash()
    try await plant.waitForLog(connectionFaults, beyond: before)
    return { try await plant.server.restart() }
  }

  public static let terminatedBackends = Fault("backends terminated", .database) { plant, _ in
    for _ in 0..<3 {
      let before = plant.count(of: connectionFaults)
      try await plant.sql(terminate)
      try await plant.waitForLog(connectionFaults, beyond: before)
    }
    return nothing
  }

  public static let readOnly = Fault("database gone read-only", .database) { plant, _ in
    let before = plant.count(of: states("25006"))
    try await plant.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    try await plant.sql("SELECT pg_reload_conf()")
    let heal: Heal = {
      try await plant.sql("ALTER SYSTEM RESET default_transaction_read_only")
      try await plant.sql("SELECT pg_reload_conf()")
    }
    return try await whenSeen(heal) { try await plant.waitForLog(states("25006"), beyond: before) }
  }

  public static let lostReply = Fault("reply to COMMIT lost", .database) { plant, _ in try await lose(.ofTheReply, plant) }

  public static let lostConnectionAtCommit = Fault("connection lost while COMMIT is under way", .database) { plant, _ in
    try await lose(.atOnce, plant)
  }

  private static func lose(_ loss: DatabaseProxy.Loss, _ plant: Plant) async throws -> Heal {
    for _ in 0..<3 {
      let before = (plant.proxy.lostReplies, plant.count(of: states("08006")))
      plant.proxy.loseReplyToCommit(of: "throughline-ingest", loss)
      try await plant.wait("a COMMIT whose reply is lost") { plant.proxy.lostReplies > before.0 }
      try await plant.waitForLog(states("08006"), beyond: before.1)
    }
    return nothing
  }

  public static let exhaustedConnections = Fault("connections exhausted", .database) { plant, _ in
    let words = ["remaining connection slots", "too many clients"]
    let before = plant.count(of: words)
    let hog = ConnectionHog(plant.server.url.replacing("//throughline@", with: "//worker@"))
    let heal: Heal = { await hog.close() }
    return try await whenSeen(heal) {
      try await plant.wait("a worker that finds no free connection") {
        await hog.takeAll()
        try await plant.sql("\(terminate) AND random() < 0.5")
        await hog.takeAll()
        return plant.count(of: words) > before
      }
    }
  }

  public static let fullDisk = Fault("disk full", .database) { plant, _ in
    guard let disk = plant.disk else { throw RigFault("no disk of its own") }
    let before = plant.count(of: states("53100"))
    try disk.fill()
    return try await whenSeen({ disk.free() }) { try await plant.waitForLog(states("53100"), beyond: before, seconds: 60) }
  }

  /// Somebody who locks conversations before customers, against the workers' order.
  public static let deadlock = Fault("deadlock", .database) { plant, _ in
    let before = plant.count(of: states("40P01"))
    // A connection of its own: the circle has to be closed within the second after which the worker looks for it.
    let lookout = PostgresConnection(url: plant.cluster.databaseURL, applicationName: "lookout")
    for _ in 0..<20 where plant.count(of: states("40P01")) <= before {
      let rival = PostgresConnection(url: plant.cluster.databaseURL, applicationName: "rival")
      try await rival.connect()
      // Whoever finds the circle gives in: that is not to be this one.
      try await rival.execute("BEGIN; SET LOCAL deadlock_timeout = '1h'; SET LOCAL statement_timeout = '3s'")
      try await rival.execute("SELECT FROM throughline.conversation ORDER BY id FOR UPDATE")
      let pid = try await rival.textRows("SELECT pg_backend_pid()")[0][0] ?? "0"
      let isAwaited =
        "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'throughline-ingest' AND \(pid) = ANY(pg_blocking_pids(pid))"
      try await plant.wait("a worker waits for the rival") {
        try await lookout.perform { db throws(PostgresFault) in try db.textRows(isAwaited) } == [["t"]]
      }
      // Waits for what that worker has locked already; its own look for circles finds this one.
      try? await rival.execute("SELECT FROM throughline.customer ORDER BY id FOR UPDATE")
      try? await rival.execute("ROLLBACK")
      await rival.close()
    }
    await lookout.close()
    try await plant.waitForLog(states("40P01"), beyond: before, seconds: 2)
    return nothing
  }

  public static let refused = Fault("database refuses connections", .database) { plant, _ in
    let before = plant.count(of: states("08001"))
    plant.proxy.set(.refusing)
    plant.proxy.cutAll()
    return try await whenSeen({ plant.proxy.set(.open) }) { try await plant.waitForLog(states("08001"), beyond: before) }
  }

  public static let silent = Fault("database silent", .database) { plant, _ in
    let before = plant.count(#""event.action":"paused""#)
    plant.proxy.set(.silent)
    return try await whenSeen({ plant.proxy.set(.open) }) {
      try await plant.waitForLog([#""event.action":"paused""#], beyond: before)
    }
  }

  /// So slow that a batch takes seconds: workers pause their partitions, and get on all the same.
  public static let slow = Fault("database slow", .database, isShared: true) { plant, _ in
    let (paused, resumed) = (#""event.action":"paused""#, #""event.action":"resumed""#)
    let before = plant.count(paused)
    plant.proxy.delay(.milliseconds(100))
    return try await whenSeen({ plant.proxy.delay(.zero) }) {
      try await plant.waitForLog([paused], beyond: before)
      let after = plant.count(resumed)
      try await plant.waitForLog([resumed], beyond: after)
      try await Task.sleep(for: .seconds(3))
    }
  }

  // MARK: - Broker

  static let brokers = [brokersDown, oneBrokerDown, movedLeaders, injectedErrors, slowBroker]

  public static let brokersDown = Fault("all brokers down and up", .broker) { plant, choice in
    let (away, back) = (#""event.action":"kafka_away""#, #""event.action":"kafka_back""#)
    let before = (away: plant.count(away), back: plant.count(back))
    try await plant.cluster.broker.takeDown(-1)
    let heal: Heal = {
      try await plant.cluster.broker.bringUp(-1)
      try await plant.waitForLog([back], beyond: before.back)
    }
    return try await whenSeen(heal) {
      // What readiness follows.
      try await plant.waitForLog([away], beyond: before.away)
      // Sometimes longer than a session lasts.
      try await Task.sleep(for: .seconds(1 + choice % 6))
    }
  }

  public static let oneBrokerDown = Fault("one broker down and up", .broker) { plant, choice in
    let (broker, number) = (plant.cluster.broker, Int32(1 + choice % Plant.brokers))
    try await broker.takeDown(number)
    let heal: Heal = { try await broker.bringUp(number) }
    return try await whenSeen(heal) {
      // What it leads can not be written until it is back: an answer from there would be the fault of this fault.
      try await broker.moveLeader(TopicPartition("rig.probe", 0), to: number)
      let answers = try await ProbeProducer.send(to: TopicPartition("rig.probe", 0), within: 1_000, plant)
      guard !answers else { throw RigFault("broker \(number) answers although it is down") }
      try await Task.sleep(for: .seconds(2))
    }
  }

  public static let movedLeaders = Fault("leaders moved", .broker) { plant, choice in
    let more = ["conversation.events", "routing.events", "outbound.chat", "agent.presence", "rig.probe"]
    for (number, topic) in (Cluster.topics + more).enumerated() {
      for partition in 0..<Int32(Cluster.partitions) {
        let leader = Int32(1 + (choice + number + Int(partition)) % Plant.brokers)
        try await plant.cluster.broker.moveLeader(TopicPartition(topic, partition), to: leader)
      }
    }
    // Writing to the new leader works, which only it takes.
    for partition in 0..<Int32(Cluster.partitions) {
      guard try await ProbeProducer.send(to: TopicPartition("rig.probe", partition), within: 20_000, plant) else {
        throw RigFault("the new leader of a partition takes no record")
      }
    }
    return nothing
  }

  /// Codes that pass, for every kind of request that workers make.
  public static let injectedErrors = Fault("requests answered with errors", .broker) { plant, _ in
    let broker = plant.cluster.broker
    let rebalances = ["partitions revoked", #""event.action":"assignment_lost""#]
    let before = plant.count(of: rebalances)
    // 0 Produce, 1 Fetch, 12 Heartbeat, 8 OffsetCommit, 11 JoinGroup, 14 SyncGroup; 6 not the leader, 7 timed out, 15 no coordinator,
    // 16 not the coordinator, 19 too few replicas, 25 unknown member, 27 rebalancing.
    let codes: [(apiKey: Int16, codes: [Int32])] = [
      (0, [6, 7, 19]), (1, [6, 6, 6]), (12, [27, 27, 27, 27]), (8, [16]), (11, [15]), (14, [27]),
    ]
    for (apiKey, codes) in codes {
      // Who is no group's coordinator still has those of the last time.
      for number in 1...Int32(Plant.brokers) where try await broker.pendingErrorCount(apiKey, at: number) == 0 {
        try await broker.pushErrors(apiKey, codes, at: number)
      }
    }
    try await plant.waitForLog(rebalances, beyond: before)
    // Each broker leads partitions that are written and read.
    try await plant.wait("the errors are given out") {
      for number in 1...Int32(Plant.brokers) {
        for apiKey: Int16 in [0, 1] where try await broker.pendingErrorCount(apiKey, at: number) > 0 { return false }
      }
      return true
    }
    return nothing
  }

  public static let slowBroker = Fault("brokers slow", .broker, isShared: true) { plant, _ in
    let broker = plant.cluster.broker
    try await broker.delay(-1, milliseconds: 300)
    let heal: Heal = { try await broker.delay(-1, milliseconds: 0) }
    return try await whenSeen(heal) {
      let duration = try await ContinuousClock().measure {
        _ = try await ProbeProducer.send(to: TopicPartition("rig.probe", 0), within: 20_000, plant)
      }
      guard duration >= .milliseconds(300) else { throw RigFault("slow brokers took a record within \(duration)") }
      try await Task.sleep(for: .seconds(3))
    }
  }

  // MARK: - Proof

  private static let connectionFaults = states("57P01", "57P02", "57P03", "08006", "08001")

  private static func states(_ codes: String...) -> [String] { codes.map { #""error.type":"\#($0)""# } }

  private static let terminate =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'worker' AND application_name LIKE 'throughline-%'"

  /// A fault that does not strike is ended before anybody hears of it.
  static func whenSeen(_ heal: @escaping Heal, _ proof: () async throws -> Void) async throws -> Heal {
    do {
      try await proof()
    } catch {
      try? await heal()
      throw error
    }
    return heal
  }
}

/// Takes all the connections that the server has for workers.
private actor ConnectionHog {
  private let url: String
  private var held: [PostgresConnection] = []

  init(_ url: String) { self.url = url }

  func takeAll() async {
    for _ in 0..<200 {
      let db = PostgresConnection(url: url, applicationName: "hog")
      guard (try? await db.connect()) != nil else { return }
      held.append(db)
    }
  }

  func close() async {
    for db in held { await db.close() }
    held = []
  }
}

/// A producer that gives up soon, for asking whether a leader answers.
private enum ProbeProducer {
  /// Whether a record (nothing that anybody heeds) is taken in time.
  static func send(to partition: TopicPartition, within milliseconds: Int, _ plant: Plant) async throws -> Bool {
    let producer = try KafkaProducer(
      configuration: KafkaConfiguration(
        bootstrapServers: plant.cluster.broker.bootstrapServers,
        properties: ["delivery.timeout.ms": "\(milliseconds)", "request.timeout.ms": "\(milliseconds)", "linger.ms": "0"],
        logger: .silent))
    let results = try await producer.send([
      ProducerRecord(topic: partition.topic, partition: partition.partition, key: nil, value: [])
    ])
    await producer.close(within: .seconds(1))
    return if case .success = results[0] { true } else { false }
  }
}
