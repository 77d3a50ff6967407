import Postgres
import TestSupport
import Testing

@testable import Store

/// The statements of `schemas/queries`, against a migrated database.
@Suite struct QueryTests {
  /// The tables that grow, and that a batch looks things up in: one scan per row of a batch is one too many.
  private static let tables: Set<Substring> = [
    "agent", "agent_channel", "agent_skill", "assignment", "attachment", "channel_account", "conversation",
    "conversation_segment", "customer", "identity", "message", "message_original", "message_ref", "organization", "outbox",
    "parked_event",
  ]

  @Test func `every statement prepares`() async throws {
    let db = try await PostgresConnection.fresh()
    #expect(Queries.all.count > 30)
    for statement in Queries.all {
      #expect(await db.fault { db throws(PostgresFault) in try db.prepare(statement) } == nil, "\(statement.name)")
    }
    await db.close()
  }

  @Test func `every look-up uses its whole key, planned without its values on empty tables`() async throws {
    let db = try await PostgresConnection.fresh()
    var lookedUp: Set<Substring> = []
    for statement in Queries.all {
      let plan = try await db.perform { db throws(PostgresFault) in try db.plan(of: statement) }
      #expect(Self.faults(plan, of: statement.name) == [], "\(statement.name)")
      lookedUp.formUnion(plan.compactMap(Self.scanned))
    }
    #expect(lookedUp.isSuperset(of: Self.tables))
    await db.close()
  }

  /// - Parameter count: rows of each table that `fill` fills, when it was counted.
  @Test(arguments: [0, 3, 60])
  func `a plan made while tables were empty, or nearly, is not kept when they fill`(count: Int) async throws {
    let db = try await PostgresConnection.fresh()
    // Now the statistics say that there is next to nothing: what autovacuum leaves when the outbox has run empty.
    try await db.sql(Self.fill(0..<count))
    try await db.sql("VACUUM ANALYZE")
    let statements = try await db.perform { db throws(PostgresFault) in
      var looksUp: [Statement] = []
      for statement in Queries.all where try db.plan(of: statement).contains(where: { Self.scanned($0) != nil }) {
        looksUp.append(statement)
        try db.run(statement)
      }
      return looksUp
    }
    #expect(statements.count > 10)
    try await db.sql(Self.fill(count..<5_000))
    for statement in statements {
      let plan = try await db.perform { db throws(PostgresFault) in try db.plan(of: statement) }
      #expect(Self.faults(plan, of: statement.name) == [], "\(statement.name)")
    }
    // Nor is one made for the values of a single batch.
    let custom = try await db.perform { db throws(PostgresFault) in
      try db.textRows("SELECT name FROM pg_prepared_statements WHERE custom_plans > 0")
    }
    #expect(custom.isEmpty, "\(custom)")
    await db.close()
  }

  @Test(arguments: [
    ["Index Scan using agent_pkey on agent a", "  Index Cond: (tenant_id = $1)", "  Filter: (state = $2)"],
    ["Bitmap Heap Scan on agent a", "  Recheck Cond: (tenant_id = k.tenant_id)", "  ->  Bitmap Index Scan on agent_pkey"],
  ])
  func `a tenant alone is no look-up`(plan: [String]) {
    #expect(Self.faults(plan) == ["reads all of a tenant's agent"])
  }

  @Test(arguments: [
    """
    UPDATE throughline.message m SET deleted_at = now() FROM unnest($1::text[], $2::uuid[]) AS k(tenant_id, id)
    WHERE m.tenant_id = k.tenant_id AND m.id = k.id AND m.text IS NULL
    """,
    "SELECT m.key FROM unnest($1::uuid[]) AS k(key) JOIN throughline.message_ref m ON m.key = k.key",
    "SELECT id FROM throughline.conversation WHERE status = $1::throughline.conversation_status",
    """
    SELECT i.kind FROM unnest($1::text[], $2::text[]) AS k(tenant_id, value)
    CROSS JOIN LATERAL (
      SELECT * FROM throughline.identity i
      WHERE i.tenant_id = k.tenant_id AND i.value = k.value AND i.valid_to IS NOT NULL OFFSET 0
    ) i
    """,
  ])
  func `a bad plan is seen as one`(sql: String) async throws {
    // Without the settings that would hide it.
    let db = PostgresConnection(url: try await TestDatabase.bounded(), applicationName: "bad")
    let plan = try await db.perform { db throws(PostgresFault) in
      try db.execute("SET plan_cache_mode = force_generic_plan")
      return try db.plan(of: Statement(name: "bad", sql: sql))
    }
    #expect(Self.faults(plan) != [])
    await db.close()
  }

  @Test func `a backlog of events is read from its beginning, and not sorted first, before anybody has counted it`() async throws
  {
    let db = PostgresConnection(
      url: try await TestDatabase.bounded(), applicationName: "backlog", settings: Queries.settings + Outbox.settings)
    let plan = try await db.perform { db throws(PostgresFault) in
      try db.execute(
        """
        INSERT INTO throughline.outbox (shard, topic, subjects, events)
        SELECT i % 16, 'conversation.events', '{s}', '{x}' FROM generate_series(1, 50000) i
        """)
      return try db.plan(of: Queries.named("outbox_read"))
    }
    #expect(plan.contains { $0.contains("Index Scan using outbox_pkey") }, "\(plan)")
    #expect(!plan.contains { $0.contains("Bitmap") || $0.contains("Sort Key") }, "\(plan)")
    await db.close()
  }

  // MARK: -

  /// The table of ours that this line of a plan scans.
  private static func scanned(_ line: String) -> Substring? {
    guard let scan = line.firstRange(of: "Scan "), let on = line[scan.lowerBound...].firstRange(of: " on ") else { return nil }
    let table = line[on.upperBound...].prefix { $0 != " " }
    return tables.contains(table) && !line.contains("Tid Scan") ? table : nil
  }

  /// What is wrong with a plan: tables read whole, joined whole, or looked up by a part of the key with the rest as a filter.
  private static func faults(_ plan: [String], of name: String = "") -> [String] {
    // People ask these, now and then: their sessions plan for what is asked.
    let isAsked = ["demo_", "dlq_", "timeline_"].contains(where: name.hasPrefix)
    // The one compares all agents, the other, which tests ask, everything with all of them.
    let readsTenant = isAsked || ["route_agent_versions", "route_audit"].contains(name)
    guard plan.contains(where: { scanned($0) != nil }) else { return [] }
    var faults: [String] = []
    for (position, line) in plan.enumerated() {
      let depth = line.prefix { $0 == " " }.count
      if line.contains("Seq Scan"), let table = scanned(line) { faults.append("reads all of \(table)") }
      // The tenant alone leaves everything that a tenant has to the filter.
      if let table = scanned(line), !readsTenant, let condition = plan[(position + 1)...].first,
        condition.contains(" Cond: (tenant_id = "), !condition.contains(" AND ")
      {
        faults.append("reads all of a tenant's \(table)")
      }
      if line.contains("Filter:") && line.contains("= k.") { faults.append(String(line.drop { $0 == " " })) }
      let isLookedUp = plan[(position + 1)...].first?.contains(" Cond: ") ?? false
      if line.contains("Index"), let table = scanned(line), !isLookedUp, !isAsked {
        faults.append("reads all of an index of \(table)")
      }
      guard line.contains("Hash Join") || line.contains("Merge Join") else { continue }
      let below = plan[(position + 1)...].prefix { $0.prefix { $0 == " " }.count > depth }
      faults += below.compactMap(scanned).map { "joins all of \($0)" }
    }
    return faults
  }

  /// These rows of each of some tables.
  private static func fill(_ rows: Range<Int>) -> String {
    let series = "generate_series(\(rows.lowerBound + 1), \(rows.upperBound)) i"
    return """
      INSERT INTO throughline.tenant VALUES ('t') ON CONFLICT DO NOTHING;
      INSERT INTO throughline.channel_account SELECT 't', 'email', i || '@shop.example' FROM \(series);
      INSERT INTO throughline.customer (tenant_id, id, verified, created_at)
      SELECT 't', md5('c' || i)::uuid, true, now() FROM \(series);
      INSERT INTO throughline.identity
        (tenant_id, kind, scope, value, customer_id, origin_customer_id, assurance, first_seen_at, last_seen_at)
      SELECT 't', 'email', '', i || '@mail.example', md5('c' || i)::uuid, md5('c' || i)::uuid, 'A2', now(), now()
      FROM \(series);
      INSERT INTO throughline.conversation
        (tenant_id, id, customer_id, lane, status, version, event_seq, last_channel, opened_at, last_message_at)
      SELECT 't', md5('v' || i)::uuid, md5('c' || i)::uuid, '', 'open', 1, 1, 'chat', now(), now() FROM \(series);
      INSERT INTO throughline.agent
        (tenant_id, id, state, capacity, names_channels, teams, profile, lease_expires_at, reported_at, idle_since)
      SELECT 't', 'a' || i, 'online', 100, false, '{}', '', now(), now(), now() FROM \(series);
      INSERT INTO throughline.assignment (tenant_id, id, conversation_id, agent_id, state, epoch, channel, units, offered_at)
      SELECT 't', md5('s' || i)::uuid, md5('v' || i)::uuid, 'a' || i, 'active', 1, 'chat', 30, now() FROM \(series);
      INSERT INTO throughline.message_ref (tenant_id, key, seen) SELECT 't', md5('k' || i)::uuid, true FROM \(series);
      INSERT INTO throughline.message_ref SELECT 't', md5('r' || i)::uuid, md5('v' || i)::uuid FROM \(series);
      INSERT INTO throughline.outbox (shard, topic, subjects, events)
      SELECT i % 16, 'conversation.events', '{s}', '{x}' FROM \(series)
      """
  }
}

extension PostgresConnection {
  /// The plan of a statement with NULL for each parameter, a line each.
  fileprivate func plan(of statement: Statement) throws(PostgresFault) -> [String] {
    try textRows("EXPLAIN (COSTS OFF) " + execution(of: statement)).map { $0[0] ?? "" }
  }

  fileprivate func run(_ statement: Statement) throws(PostgresFault) { try execute(execution(of: statement)) }

  private func execution(of statement: Statement) throws(PostgresFault) -> String {
    try prepare(statement)
    let count = try textRows("SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = '\(statement.name)'")
    let nulls = Array(repeating: "NULL", count: Int(count[0][0] ?? "") ?? 0)
    return "EXECUTE \(statement.name)" + (nulls.isEmpty ? "" : "(\(nulls.joined(separator: ", ")))")
  }
}
