import Canonical
import Channels
import Engine
import Logging
import Postgres
import Store
import TestSupport
import Testing

@testable import Workers

/// Property P1: the state is what processing the records one by one leaves behind, however they are cut into batches.
@Suite struct BatchCutTests {
  /// 10,000 records, replies and impostors, contacts and conflicts, and every tenth record delivered twice.
  private static let records: [NormalisedRecord] = {
    var random = SplitMix64(seed: 7)
    let items = Traffic(seed: 20_261_122, records: 9_000, people: 700, includesMergeEvidence: true).items
    var delivered: [Traffic.Item] = []
    for item in items {
      delivered.append(item)
      if Int.random(in: 0..<9, using: &random) == 0, let again = delivered.randomElement(using: &random) {
        delivered.append(again)
      }
    }
    let normaliser = Normaliser()
    return delivered.enumerated().map { offset, item in
      normaliser.normalise(
        Record(
          topic: item.topic, partition: 0, offset: Int64(offset), timestamp: nil, key: Array(item.key.utf8),
          headers: item.headers,
          value: item.value))
    }
  }()

  @Test func `ten thousand records leave the same state in batches of 1, 7, 100 and 1000`() async throws {
    #expect(Self.records.count >= 9_900)
    #expect(!Self.records.contains { $0.isRejected })
    // One after the other: more at once than there are cores only makes each slower.
    async let singles = Self.state(cut: 1)
    let thousands = try await Self.state(cut: 1_000)
    #expect(thousands.count > 40_000)
    #expect(thousands.contains { $0.hasPrefix("suggestion") })
    #expect(thousands.contains { $0.hasPrefix("link") })
    // Each begun while the one before is written.
    #expect(Self.difference(try await Self.state(cut: 7, isAhead: true), thousands) == [], "batches of 7")
    // Two take turns: what each knows of identities the other changes behind its back.
    let hundreds = try await Self.state(cut: 100, workers: 2)
    #expect(Self.difference(hundreds, thousands) == [], "batches of 100")
    #expect(Self.difference(try await singles, thousands) == [], "batches of 1")
  }

  @Test func `who loses a race to an identifier looks again in the same transaction, and finds the winner's customer`()
    async throws
  {
    let url = try await TestDatabase.make()
    let batch = Array(Self.records.prefix(50))
    let identifier = try #require(
      IdentityLookups(batch, policy: Policy()).identifiers.map(\.value).filter { $0.kind == .whatsapp }.min {
        $0.value < $1.value
      })
    let (winner, watcher) = (
      PostgresConnection(url: url, applicationName: "winner"), PostgresConnection(url: url, applicationName: "watcher")
    )
    try await watcher.perform { db throws(PostgresFault) in try db.execute("SELECT pg_advisory_lock(1)") }
    let customer = "01970000-0000-7000-8000-000000000001"
    // Commits when it is told to.
    async let won: Void = winner.perform { db throws(PostgresFault) in
      try db.execute(
        """
        INSERT INTO throughline.tenant VALUES ('default'); COMMIT; BEGIN;
        \(Self.rows(of: customer, identifier, "A2"));
        SELECT pg_advisory_xact_lock(1); COMMIT
        """)
    }
    try await watcher.wait(untilLocked: "winner")
    let db = PostgresConnection(url: url, applicationName: "loser", settings: Queries.settings)
    let claims = OffsetClaims(group: "race", owner: "test")
    let held = try await db.perform { db throws(PostgresFault) in
      try claims.claim(Set(batch.map(\.record.topic)).map { ($0, 0) }, patienceMilliseconds: 1_000, on: db)
    }
    async let commit = db.perform { db throws(PostgresFault) in
      try Self.pipeline(claims)
        .commit(batch, under: held, milliseconds: 1_778_577_242_000, seed: 1, on: db)
    }
    try await watcher.wait(untilLocked: "loser")
    try await watcher.perform { db throws(PostgresFault) in try db.execute("SELECT pg_advisory_unlock(1)") }
    try await won
    #expect(try await commit.outcomes.count == batch.flatMap(\.elements).count)
    let found = try await db.perform { db throws(PostgresFault) in
      try db.textRows(
        """
        SELECT count(*) FILTER (WHERE m.customer_id = '\(customer)') > 0,
          (SELECT count(*) FROM throughline.identity WHERE value = '\(identifier.value)' AND kind = '\(identifier.kind.rawValue)')
        FROM throughline.message m
        """)
    }
    #expect(found == [["t", "1"]])
    for connection in [db, winner, watcher] { await connection.close() }
  }

  @Test func `nobody takes a draft of other records, of after a failure, or from a time when its batch was there already`()
    async throws
  {
    let url = try await TestDatabase.make()
    let db = PostgresConnection(url: url, applicationName: "draft", settings: Queries.settings)
    let pipeline = Self.pipeline(OffsetClaims(group: "draft", owner: "test"))
    let ids = IDGenerator(milliseconds: 1_778_577_242_000, seed: 1)
    let ahead = DraftAhead(pipeline: pipeline, db: db, logger: Logger(label: "draft")) { ids }
    async let _: Void = ahead.run()
    let (batch, other) = (Array(Self.records.prefix(20)), Array(Self.records.dropFirst(20).prefix(20)))
    let outlook = IdentityOutlook(
      IdentityResolver(facts: .init(), policy: Policy(), ids: ids), identities: [:], writes: WriteSet())

    ahead.expect(batch)
    #expect(await ahead.take(batch)?.recordCount == nil, "of which nobody knows what comes before it")
    ahead.foresee(outlook)
    ahead.expect(batch)
    #expect(await ahead.take(other)?.recordCount == nil)
    ahead.expect(batch)
    ahead.foresee(outlook)
    ahead.drop()
    #expect(await ahead.take(batch)?.recordCount == nil)
    // Its connection is busy until the batch before is committed.
    let watcher = PostgresConnection(url: url, applicationName: "watcher")
    try await watcher.sql("SELECT pg_advisory_lock(1)")
    async let busy = db.sql("SELECT pg_advisory_lock(1)")
    try await watcher.wait(untilLocked: "draft")
    ahead.foresee(outlook)
    ahead.expect(batch)
    ahead.foresee(nil)
    try await watcher.sql("SELECT pg_advisory_unlock(1)")
    _ = try await busy
    #expect(await ahead.take(batch)?.recordCount == nil)

    // An earlier order may be under way still.
    let deadline = ContinuousClock.now + .seconds(30)
    var draft: IngestPipeline.Draft?
    while draft == nil, .now < deadline {
      ahead.foresee(outlook)
      ahead.expect(batch)
      draft = await ahead.take(batch)
      if draft == nil { try await Task.sleep(for: .milliseconds(5)) }
    }
    #expect(draft?.plan.elements.count == batch.flatMap(\.elements).count)
    for connection in [db, watcher] { await connection.close() }
  }

  private static func record(
    _ event: Event, _ topic: String, partition: Int32 = 0, offset: Int64 = 0
  ) -> NormalisedRecord {
    NormalisedRecord(
      record: Record(topic: topic, partition: partition, offset: offset, timestamp: nil, key: nil, headers: [], value: nil),
      tenant: "default", elements: [.event(event)])
  }

  /// A batch of one record with this event, and the claim of its partition.
  private func claimed(
    _ event: Event, by claims: OffsetClaims, on db: PostgresConnection
  ) async throws -> ([NormalisedRecord], [OffsetClaim]) {
    let topic = "channel." + event.channel.rawValue
    let record = Self.record(event, topic)
    let held = try await db.perform { db throws(PostgresFault) in
      try claims.claim([(topic, 0)], patienceMilliseconds: 1_000, on: db)
    }
    return ([record], held)
  }

  @Test(arguments: [false, true])
  func `a name that somebody takes after the draft ends its plan, whether the batch writes the name or only asks for it`(
    isTranscript: Bool
  ) async throws {
    let url = try await TestDatabase.make()
    let db = PostgresConnection(url: url, applicationName: "draft", settings: Queries.settings)
    let time = Timestamp(microseconds: 1_778_577_242_000_000)
    let name = ReferenceKey.message(.whatsapp, account: "1", id: "wamid.1")
    var message = Message(
      direction: .inbound, authorKind: .customer, customer: [StatedIdentifier(Identifier(.whatsapp, "34600000001"), .a2)],
      names: [name], text: "Hello")
    message.isTranscript = isTranscript
    let event = Event(
      tenant: "default", channel: .whatsapp, account: "1", key: MessageKey(Bytes16(high: 1, low: 1)), sentAt: time,
      receivedAt: time, body: .message(message))
    let claims = OffsetClaims(group: "race", owner: "test")
    let pipeline = Self.pipeline(claims)
    let ids = IDGenerator(milliseconds: 1_778_577_242_000, seed: 1)
    let outlook = IdentityOutlook(
      IdentityResolver(facts: .init(), policy: Policy(), ids: ids), identities: [:], writes: WriteSet())
    let (batch, held) = try await claimed(event, by: claims, on: db)
    let draft = try await db.perform { db throws(PostgresFault) in
      try pipeline.draft(batch, after: outlook, ids: ids, on: db)
    }
    #expect(draft.absent == [InTenant("default", name)])
    let key = ID(name.raw)
    try await db.sql("INSERT INTO throughline.message_ref VALUES ('default', '\(key)', '\(key)', NULL)")
    let fault = await db.fault { db throws(PostgresFault) in
      _ = try pipeline.commit(batch, under: held, milliseconds: 1_778_577_242_000, seed: 1, draft: draft, on: db)
    }
    #expect(fault?.disposition == .replan)
    #expect(fault?.sqlState == (isTranscript ? "40001" : "23505"))
    await db.close()
  }

  @Test(arguments: [false, true])
  func `a delivery that somebody else stores after the draft ends its plan; a row that is but awaited becomes the key's`(
    isStored: Bool
  ) async throws {
    let db = PostgresConnection(url: try await TestDatabase.make(), applicationName: "draft", settings: Queries.settings)
    let time = Timestamp(microseconds: 1_778_577_242_000_000)
    let contact = Event(
      tenant: "default", channel: .crm, account: "crm", key: MessageKey(Bytes16(high: 1, low: 1)), sentAt: time, receivedAt: time,
      body: .contact(Contact(identifiers: [StatedIdentifier(Identifier(.email, "ana@mail.example"), .a3)], updatedAt: time)))
    let claims = OffsetClaims(group: "race", owner: "test")
    let pipeline = Self.pipeline(claims)
    let (batch, held) = try await claimed(contact, by: claims, on: db)
    let draft = try await db.perform { db throws(PostgresFault) in
      try pipeline.draft(batch, ids: IDGenerator(milliseconds: 1_778_577_242_000, seed: 1), on: db)
    }
    let key = ID(contact.key.raw)
    try await db.sql("INSERT INTO throughline.message_ref (tenant_id, key, seen) VALUES ('default', '\(key)', \(isStored))")
    let fault = await db.fault { db throws(PostgresFault) in
      _ = try pipeline.commit(batch, under: held, milliseconds: 1_778_577_242_000, seed: 1, draft: draft, on: db)
    }
    #expect(fault?.disposition == (isStored ? .replan : nil))
    #expect(try await db.value("SELECT count(*) FROM throughline.customer") == (isStored ? "0" : "1"))
    #expect(try await db.value("SELECT string_agg(key || ' ' || seen, ',') FROM throughline.message_ref") == "\(key) true")
    await db.close()
  }

  @Test func `whoever a suggestion would lead to is locked: who became surer meanwhile is merged`() async throws {
    let url = try await TestDatabase.make()
    let (rival, watcher) = (
      PostgresConnection(url: url, applicationName: "rival"), PostgresConnection(url: url, applicationName: "watcher")
    )
    let customers = ["01970000-0000-7000-8000-000000000001", "01970000-0000-7000-8000-000000000002"]
    let stated = [Identifier(.phone, "+34600000001"), Identifier(.messenger, scope: "page", "2")]
    try await watcher.perform { db throws(PostgresFault) in
      try db.execute("INSERT INTO throughline.tenant VALUES ('default')")
      for (customer, (identifier, assurance)) in zip(customers, zip(stated, ["A2", "A1"])) {
        try db.execute(Self.rows(of: customer, identifier, assurance))
      }
      try db.execute("SELECT pg_advisory_lock(1)")
    }
    // Commits when it is told to.
    async let raised: Void = rival.perform { db throws(PostgresFault) in
      try db.execute(
        """
        BEGIN;
        SELECT FROM throughline.customer WHERE id = '\(customers[1])' FOR NO KEY UPDATE;
        UPDATE throughline.identity SET assurance = 'A2';
        SELECT pg_advisory_xact_lock(1); COMMIT
        """)
    }
    try await watcher.wait(untilLocked: "rival")
    let time = Timestamp(microseconds: 1_778_577_242_000_000)
    let contact = Event(
      tenant: "default", channel: .crm, account: "crm", key: MessageKey(Bytes16(high: 1, low: 1)), sentAt: time, receivedAt: time,
      body: .contact(Contact(identifiers: stated.map { StatedIdentifier($0, .a3) }, updatedAt: time)))
    let db = PostgresConnection(url: url, applicationName: "loser", settings: Queries.settings)
    let claims = OffsetClaims(group: "race", owner: "test")
    let (batch, held) = try await claimed(contact, by: claims, on: db)
    @Sendable func commit() async -> PostgresFault? {
      await db.fault { db throws(PostgresFault) in
        _ = try Self.pipeline(claims)
          .commit(batch, under: held, milliseconds: 1_778_577_242_000, seed: 1, on: db)
      }
    }
    async let lost = commit()
    try await watcher.wait(untilLocked: "loser")
    try await watcher.perform { db throws(PostgresFault) in try db.execute("SELECT pg_advisory_unlock(1)") }
    try await raised
    #expect(await lost?.disposition == .replan)
    #expect(await commit() == nil)
    let found = try await db.perform { db throws(PostgresFault) in
      try db.textRows(
        "SELECT (SELECT count(*) FROM throughline.merge_event), (SELECT count(*) FROM throughline.merge_suggestion)")
    }
    #expect(found == [["1", "0"]])
    for connection in [db, rival, watcher] { await connection.close() }
  }

  @Test(arguments: [
    ("shared = true", 1, 2, 0), ("valid_to = now()", 1, 2, 1), ("customer_id = '\(strangerID)'", 1, 2, 1), ("", 1, 2, 1),
    ("assurance = 'A0'", 1, 1, 2), ("last_seen_at = last_seen_at + '1 day', assurance = 'A3'", 0, 1, 2),
  ])
  func `what somebody takes from a customer by hand is not remembered as theirs`(
    change: String, noticed: Int, customers: Int, ours: Int
  ) async throws {
    let url = try await TestDatabase.make()
    let db = PostgresConnection(url: url, applicationName: "worker", settings: Queries.settings)
    let receive = try await receiver(on: db)
    #expect(await receive(0) == nil)
    try await db.sql(
      "INSERT INTO throughline.customer (tenant_id, id, verified, created_at) VALUES ('default', '\(Self.strangerID)', true, now())"
    )
    try await db.sql(change.isEmpty ? "DELETE FROM throughline.identity" : "UPDATE throughline.identity SET " + change)
    let fault = await receive(1)
    #expect((fault?.disposition == .replan) == (noticed == 1))
    if fault != nil { #expect(await receive(1) == nil) }
    let found = try await db.perform { db throws(PostgresFault) in
      try db.textRows(
        """
        SELECT count(*), count(DISTINCT m.customer_id), max(c.identities_version), count(*) FILTER (WHERE c.id = i.customer_id)
        FROM throughline.message m JOIN throughline.customer c ON c.id = m.customer_id
        LEFT JOIN throughline.identity i ON i.valid_to IS NULL AND i.kind = 'phone' AND NOT i.shared
        """)
    }
    #expect(found == [["2", "\(customers)", "\(noticed)", "\(ours)"]])
    #expect(try await db.value("SELECT count(*) FROM throughline.identity WHERE assurance < 'A2'") == (ours == 0 ? "1" : "0"))
    await db.close()
  }
  private static let strangerID = "01970000-0000-7000-8000-000000000009"

  @Test func `a conversation that changes while it is waited for is written where it is then`() async throws {
    let url = try await TestDatabase.make()
    let db = PostgresConnection(url: url, applicationName: "worker", settings: Queries.settings)
    let (rival, watcher) = (
      PostgresConnection(url: url, applicationName: "rival"), PostgresConnection(url: url, applicationName: "watcher")
    )
    let receive = try await receiver(on: db)
    #expect(await receive(0) == nil)
    try await watcher.sql("SELECT pg_advisory_lock(1)")
    // Commits when it is told to.
    async let changed = rival.sql(
      "BEGIN; UPDATE throughline.conversation SET priority = 3; SELECT pg_advisory_xact_lock(1); COMMIT")
    try await watcher.wait(untilLocked: "rival")
    async let received = receive(1)
    try await watcher.wait(untilLocked: "worker")
    try await watcher.sql("SELECT pg_advisory_unlock(1)")
    _ = try await changed
    #expect(await received == nil)
    #expect(try await watcher.sql("SELECT priority, customer_version > 1 FROM throughline.conversation") == [["3", "t"]])
    #expect(try await watcher.value("SELECT count(*) FROM throughline.message") == "2")
    for connection in [db, rival, watcher] { await connection.close() }
  }

  @Test func `a conversation that is over is not remembered as live, whether another has been opened or not`() async throws {
    let url = try await TestDatabase.make()
    let (db, otherDB) = (
      PostgresConnection(url: url, applicationName: "worker", settings: Queries.settings),
      PostgresConnection(url: url, applicationName: "other", settings: Queries.settings)
    )
    let (receive, receiveElsewhere) = (try await receiver(on: db), try await receiver(on: otherDB, partition: 1))
    let close = "UPDATE throughline.conversation SET status = 'closed', resolved_at = now()"
    #expect(await receive(0) == nil)
    try await otherDB.sql(close)
    #expect(await receive(1) == nil)
    try await otherDB.sql(close)
    #expect(await receiveElsewhere(2) == nil)
    #expect(await receive(3) == nil)
    let found = try await otherDB.sql(
      """
      SELECT c.status, count(*) FROM throughline.conversation c JOIN throughline.message m ON m.conversation_id = c.id
      GROUP BY c.id, c.status ORDER BY c.id
      """)
    #expect(found == [["closed", "1"], ["closed", "1"], ["open", "2"]])
    for connection in [db, otherDB] { await connection.close() }
  }

  /// Commits the message of that number, all of one sender, as a batch of its own; one worker receives them all.
  private func receiver(
    on db: PostgresConnection, partition: Int32 = 0
  ) async throws -> @Sendable (UInt64) async -> PostgresFault? {
    let claims = OffsetClaims(group: "sms", owner: "test-\(partition)")
    let pipeline = Self.pipeline(claims)
    let time = Timestamp(microseconds: 1_778_577_242_000_000)
    let sender = StatedIdentifier(Identifier(.phone, "+34600000001"), .a2)
    let held = try await db.perform { db throws(PostgresFault) in
      try claims.claim([("channel.sms", partition)], patienceMilliseconds: 1_000, on: db)
    }
    return { number in
      let event = Event(
        tenant: "default", channel: .sms, account: "1", key: MessageKey(Bytes16(high: 1, low: number)), sentAt: time,
        receivedAt: time, body: .message(Message(direction: .inbound, authorKind: .customer, customer: [sender])))
      let record = Self.record(event, "channel.sms", partition: partition, offset: Int64(number))
      return await db.fault { db throws(PostgresFault) in
        _ = try pipeline.commit([record], under: held, milliseconds: 1_778_577_242_000 + number, seed: number, on: db)
      }
    }
  }

  /// One that waits for locks for as long as a busy machine takes to give them.
  private static func pipeline(_ claims: OffsetClaims) -> IngestPipeline {
    IngestPipeline(claims: claims, policy: Policy(), topicPrefix: "", lockTimeoutMilliseconds: 60_000)
  }

  /// SQL for a customer with one identity.
  private static func rows(of customer: String, _ identifier: Identifier, _ assurance: String) -> String {
    """
    INSERT INTO throughline.customer (tenant_id, id, verified, created_at) VALUES ('default', '\(customer)', true, now());
    INSERT INTO throughline.identity
      (tenant_id, kind, scope, value, customer_id, origin_customer_id, assurance, first_seen_at, last_seen_at)
    VALUES ('default', '\(identifier.kind.rawValue)', '\(identifier.scope)', '\(identifier.value)', '\(customer)', '\(customer)',
      '\(assurance)', now(), now())
    """
  }

  /// The first lines that only one of them has.
  private static func difference(_ a: [String], _ b: [String]) -> [String] {
    Array(Set(a).symmetricDifference(b).sorted().prefix(6)) + (a.count == b.count ? [] : ["\(a.count) lines against \(b.count)"])
  }

  private static func state(cut: Int, workers: Int = 1, isAhead: Bool = false) async throws -> [String] {
    let url = try await TestDatabase.make()
    let db = PostgresConnection(url: url, applicationName: "cut-\(cut)", settings: Queries.settings)
    let claims = OffsetClaims(group: "cuts", owner: "test")
    let pipelines = (0..<workers).map { _ in Self.pipeline(claims) }
    var (replanCount, draftCount) = (0, 0)
    let draftDB = PostgresConnection(url: url, applicationName: "draft-\(cut)", settings: Queries.settings)
    let ahead = DraftAhead(pipeline: pipelines[0], db: draftDB, logger: Logger(label: "draft")) {
      IDGenerator(milliseconds: 1_778_577_242_000, seed: .random(in: 0 ... .max))
    }
    let topics = Set(records.map(\.record.topic))
    let held = try await db.perform { db throws(PostgresFault) in
      try claims.claim(topics.map { ($0, 0) }, patienceMilliseconds: 1_000, on: db)
    }
    async let _: Void = ahead.run()
    for start in stride(from: 0, to: records.count, by: cut) {
      let batch = Array(records[start..<min(start + cut, records.count)])
      let pipeline = pipelines[start / cut % workers]
      let seed = UInt64(start + cut * 1_000_000)
      let draft = isAhead ? await ahead.take(batch) : nil
      if isAhead { ahead.expect(Array(records.dropFirst(start + cut).prefix(cut))) }
      draftCount += draft == nil ? 0 : 1
      // The second attempt begins with the rows, and there is nobody else.
      for attempt in 1...2 {
        let fault = await db.fault { db throws(PostgresFault) in
          _ = try pipeline.commit(
            batch, under: held, milliseconds: 1_778_577_242_000, seed: seed, draft: attempt == 1 ? draft : nil,
            foresee: ahead.foresee, on: db)
        }
        guard let fault else { break }
        guard fault.disposition == .replan, workers > 1, attempt == 1 else { throw fault }
        replanCount += 1
      }
    }
    #expect((replanCount > 0) == (workers > 1))
    #expect((draftCount > 0) == isAhead)
    for connection in [db, draftDB] { await connection.close() }
    return try await DeskState.lines(url)
  }
}
