import Postgres
import TestSupport
import Testing

@testable import Store

@Suite struct MigrationTests {
  private let names = Migrations.all.map(\.name)

  @Test func `migrations are numbered from 1 without a gap`() {
    #expect(Migrations.all.map(\.version) == Array(1...Int32(Migrations.all.count)))
  }

  @Test func `of twenty that start at once each migration is applied by one, and all succeed`() async throws {
    let url = try await TestDatabase.bounded(isEmpty: true)
    let applied = try await withThrowingTaskGroup(of: [String].self) { group in
      for number in 0..<20 {
        group.addTask {
          let db = PostgresConnection(url: url, applicationName: "migrate-\(number)")
          let applied = try await apply(db)
          try await verify(db)
          await db.close()
          return applied
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(applied.count == 20)
    #expect(applied.flatMap { $0 }.sorted() == names)
    let alone = try await PostgresConnection.fresh()
    let db = PostgresConnection(url: url, applicationName: "compare")
    let schema = try await db.sql(Self.catalog)
    #expect(schema.count > 200)
    #expect(try await alone.sql(Self.catalog) == schema)
    #expect(
      try await db.sql("SELECT version, name FROM throughline.schema_migration ORDER BY 1")
        == Migrations.all.map { ["\($0.version)", $0.name] })
    #expect(try await db.value("SELECT count(*) FROM throughline.outbox_shard") == "\(OutboxShard.count)")
    await alone.close()
    await db.close()
  }

  @Test func `applying again is nothing`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    #expect(try await apply(db) == names)
    let before = try await db.sql("SELECT *, xmin FROM throughline.schema_migration")
    #expect(try await apply(db) == [])
    #expect(try await db.sql("SELECT *, xmin FROM throughline.schema_migration") == before)
    try await verify(db)
    await db.close()
  }

  @Test func `a worker does not start on a database that lacks migrations`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    await #expect(throws: Migrations.Fault.missing(name: names[0])) { try await verify(db) }
    try await db.sql("CREATE SCHEMA throughline")
    await #expect(throws: Migrations.Fault.missing(name: names[0])) { try await verify(db) }
    _ = try await apply(db)
    try await db.sql("DELETE FROM throughline.schema_migration WHERE version = \(names.count)")
    await #expect(throws: Migrations.Fault.missing(name: names[names.count - 1])) { try await verify(db) }
    await db.close()
  }

  @Test func `a migration that was applied with other contents stops everything`() async throws {
    let db = try await PostgresConnection.fresh()
    try await db.sql("UPDATE throughline.schema_migration SET checksum = encode(sha256('other'), 'hex') WHERE version = 1")
    await #expect(throws: Migrations.Fault.changed(name: names[0])) { try await verify(db) }
    await #expect(throws: Migrations.Fault.changed(name: names[0])) { try await apply(db) }
    await db.close()
  }

  @Test func `a database of a newer version stops everything`() async throws {
    let db = try await PostgresConnection.fresh()
    try await db.sql("INSERT INTO throughline.schema_migration VALUES (9999, '9999_later', 'x')")
    await #expect(throws: Migrations.Fault.newer(version: 9999)) { try await verify(db) }
    await #expect(throws: Migrations.Fault.newer(version: 9999)) { try await apply(db) }
    await db.close()
  }

  @Test func `a migration that fails leaves nothing behind`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    try await db.sql("CREATE SCHEMA throughline; CREATE TABLE throughline.outbox_publisher ()")
    let fault = await #expect(throws: Migrations.Fault.self) { try await apply(db) }
    guard case .postgres(let inner) = fault else { return #expect(Bool(false), "\(String(describing: fault))") }
    #expect(inner.sqlState == "42P07")
    #expect(
      try await db.value("SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'throughline'")
        == "outbox_publisher")
    await db.close()
  }

  @Test func `names and keys become one table, with what each of them had`() async throws {
    let db = try await PostgresConnection.fresh(isEmpty: true)
    try await db.sql("CREATE SCHEMA throughline")
    for migration in Migrations.all where migration.version < 12 { try await db.sql(migration.sql) }
    func id(_ digit: Int) -> String { "00000000-0000-0000-0000-00000000000\(digit)" }
    // A message by its key, a mail by another name, hearsay, a name that is waited for, a key that is no name; and another tenant.
    try await db.sql(
      """
      INSERT INTO throughline.message_ref VALUES ('t', '\(id(1))', '\(id(8))', '\(id(9))'), ('t', '\(id(2))', '\(id(8))', '\(id(9))'),
        ('t', '\(id(3))', '\(id(8))', NULL), ('t', '\(id(4))', NULL, NULL);
      INSERT INTO throughline.message_key VALUES ('t', '\(id(1))'), ('t', '\(id(5))'), ('u', '\(id(2))');
      """)
    for migration in Migrations.all where migration.version >= 12 { try await db.sql(migration.sql) }
    let rows = try await db.value(
      """
      SELECT string_agg(concat(tenant_id, right(key::text, 1), ' ', coalesce(right(conversation_id::text, 1), '-'),
        coalesce(right(message_id::text, 1), '-'), ' ', seen), ', ' ORDER BY tenant_id, key) FROM throughline.message_ref
      """)
    #expect(rows == "t1 89 t, t2 89 f, t3 8- f, t4 -- f, t5 -- t, u2 -- t")
    await db.close()
  }

  /// Everything that makes the schema what it is, one line each.
  private static let catalog = """
    SELECT format('%s.%s %s %s %s %s', table_name, column_name, udt_name, column_default, is_nullable, collation_name) AS line
    FROM information_schema.columns WHERE table_schema = 'throughline'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'throughline'
    UNION ALL SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE connamespace = 'throughline'::regnamespace
    UNION ALL SELECT format('%s %s', relname, reloptions) FROM pg_class WHERE relnamespace = 'throughline'::regnamespace
    UNION ALL SELECT format('%s %s %s', enumtypid::regtype, enumsortorder, enumlabel) FROM pg_enum
    ORDER BY 1
    """
}

private func apply(_ db: PostgresConnection) async throws(Migrations.Fault) -> [String] {
  try await db.perform({ db throws(Migrations.Fault) in try Migrations.apply(on: db) }, mapping: { .postgres($0) })
}

private func verify(_ db: PostgresConnection) async throws(Migrations.Fault) {
  try await db.perform({ db throws(Migrations.Fault) in try Migrations.verify(on: db) }, mapping: { .postgres($0) })
}
