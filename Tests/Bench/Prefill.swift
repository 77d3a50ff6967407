import Foundation
import Postgres

/// A desk with a past: customers with ten messages each in two conversations, one over and one live, all before the load begins.
///
/// The customers of the load are among them, under the identifiers that the load knows them by.
struct Prefill {
  let messages: Int
  private var customers: Int { max(Load.customers, messages / 10) }
  private static let chunk = 500_000

  init(messages: Int) { self.messages = messages }

  func run(_ database: Database, in name: String) async throws {
    let start = ContinuousClock.now
    try await database.sql(Self.functions + accounts, in: name)
    try await chunks(customers, database, name) { customerRows($0) }
    try await chunks(messages, database, name) { messageRows($0) }
    FileHandle.standardError.write(Data("prefill: \(messages) messages, vacuum\n".utf8))
    try await database.sql("DROP SCHEMA bench_prefill CASCADE", in: name)
    try await database.sql("VACUUM ANALYZE", in: name)
    FileHandle.standardError.write(Data("prefill: \(messages) messages in \(ContinuousClock.now - start)\n".utf8))
  }

  /// Runs the statements for ranges of rows, two at a time.
  private func chunks(
    _ count: Int, _ database: Database, _ name: String, _ sql: @Sendable @escaping (Range<Int>) -> String
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (index, first) in stride(from: 0, to: count, by: Self.chunk).enumerated() {
        if index >= 2 { try await group.next() }
        group.addTask {
          try await database.sql(
            "SET session_replication_role = replica;" + sql(first..<min(first + Self.chunk, count)), in: name)
        }
      }
      try await group.waitForAll()
    }
  }

  /// Ids as workers make them: a time, then what tells them apart.
  private static let functions = """
    CREATE SCHEMA bench_prefill;
    CREATE FUNCTION bench_prefill.id(at timestamptz, name text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
      SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(name), 1, 3) || '8'
        || substr(md5(name), 4, 15))::uuid
    $$;
    -- Two months: the second half ends a day before the load begins.
    CREATE FUNCTION bench_prefill.at(place float8) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
      SELECT to_timestamp(\(Load.start / 1_000)) - interval '61 days' + place * interval '60 days'
    $$;
    CREATE FUNCTION bench_prefill.customer(i bigint) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
      SELECT bench_prefill.id(bench_prefill.at(0) - interval '1 day', 'customer ' || i)
    $$;
    CREATE FUNCTION bench_prefill.conversation(i bigint, half int) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
      SELECT bench_prefill.id(bench_prefill.at(half * 0.5), 'conversation ' || i || ' ' || half)
    $$;
    CREATE FUNCTION bench_prefill.channel(i bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
      SELECT (ARRAY['chat', 'chat', 'chat', 'chat', 'email', 'email', 'chat', 'chat', 'chat', 'email', 'whatsapp', 'whatsapp',
        'whatsapp', 'whatsapp', 'messenger', 'messenger', 'messenger', 'sms', 'sms', 'voice'])[i % 20 + 1]
    $$;
    CREATE FUNCTION bench_prefill.account(channel text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
      SELECT CASE channel WHEN 'chat' THEN 'w_shop' WHEN 'email' THEN '\(Load.mailbox)' WHEN 'whatsapp' THEN '\(Load.phoneNumberID)'
        WHEN 'messenger' THEN '\(Load.page)' ELSE '\(Load.number)' END
    $$;

    """

  private var accounts: String {
    """
    INSERT INTO throughline.tenant (id) VALUES ('default');
    INSERT INTO throughline.channel_account (tenant_id, channel, account)
    SELECT 'default', c, bench_prefill.account(c) FROM unnest(ARRAY['chat', 'email', 'whatsapp', 'messenger', 'sms', 'voice']) c;
    """
  }

  private func customerRows(_ range: Range<Int>) -> String {
    let rows = "FROM generate_series(\(range.lowerBound)::bigint, \(range.upperBound - 1)::bigint) i"
    let kinds = [
      ("i % 20 < 9", "'visitor'", "'w_shop'", "'v_' || i", "bearer"),
      ("i % 20 < 6", "'external_id'", "''", "'C-' || i", "A3"),
      ("i % 20 < 6", "'email'", "''", "'person' || i || '@mail.example'", "A3"),
      ("i % 20 = 9", "'claimed_email'", "'email/\(Load.mailbox)'", "'person' || i || '@mail.example'", "A0"),
      ("i % 20 >= 10", "'phone'", "''", "'+346' || right((100000000 + i)::text, 8)", "A2"),
      ("i % 20 >= 10", "'whatsapp'", "'\(Load.business)'", "'346' || right((100000000 + i)::text, 8)", "A2"),
      ("i % 20 >= 10", "'whatsapp'", "'\(Load.business)'", "'ES.13491' || (1000000 + i)", "A2"),
      ("i % 20 >= 10", "'messenger'", "'\(Load.page)'", "'7488' || (1000000 + i)", "A2"),
    ]
    let identities = kinds.map { condition, kind, scope, value, assurance in
      """
      INSERT INTO throughline.identity (tenant_id, kind, scope, value, customer_id, assurance, origin_customer_id, first_seen_at, last_seen_at)
      SELECT 'default', \(kind), \(scope), \(value), bench_prefill.customer(i), '\(assurance)', bench_prefill.customer(i),
        bench_prefill.at(0), date_trunc('hour', bench_prefill.at(1)) \(rows) WHERE \(condition);
      """
    }
    let conversations = [0, 1].map { half in
      // The first half is over; what came in the second has been answered.
      """
      INSERT INTO throughline.conversation (tenant_id, id, customer_id, lane, status, language, subject, version, event_seq, last_channel,
        previous_conversation_id, opened_at, first_response_at, resolved_at, last_message_at, last_account, customer_version)
      SELECT 'default', bench_prefill.conversation(i, \(half)), bench_prefill.customer(i),
        CASE WHEN i % 20 = 9 THEN 'email/\(Load.mailbox)' ELSE '' END, '\(half == 0 ? "closed" : "pending")', 'en', NULL, 6, 6,
        bench_prefill.channel(i), \(half == 0 ? "NULL" : "bench_prefill.conversation(i, 0)"), bench_prefill.at(\(half) * 0.5),
        bench_prefill.at(\(half) * 0.5 + 0.1), \(half == 0 ? "bench_prefill.at(0.5)" : "NULL"), bench_prefill.at(\(half) * 0.5 + 0.5),
        bench_prefill.account(bench_prefill.channel(i)), 6 \(rows);
      """
    }
    return """
      INSERT INTO throughline.customer (tenant_id, id, display_name, verified, created_at)
      SELECT 'default', bench_prefill.customer(i), 'Person ' || i, i % 20 < 6 OR i % 20 >= 10, bench_prefill.at(0) \(rows);
      """ + identities.joined() + conversations.joined()
  }

  private func messageRows(_ range: Range<Int>) -> String {
    // A customer's messages are spread over all the time, as their ids are over the tables.
    """
    CREATE TEMP TABLE made AS
    SELECT n, i, at, half, channel, bench_prefill.account(channel) AS account, bench_prefill.id(at, 'message ' || n) AS id,
      bench_prefill.conversation(i, half) AS conversation, bench_prefill.customer(i) AS customer
    FROM (
      SELECT n, n * 7919 % \(customers) AS i, bench_prefill.at(n::float8 / \(messages)) AS at, (n * 2 / \(messages))::int AS half,
        bench_prefill.channel(n * 7919 % \(customers)) AS channel
      FROM generate_series(\(range.lowerBound)::bigint, \(range.upperBound - 1)::bigint) n OFFSET 0
    ) x;
    INSERT INTO throughline.message (tenant_id, id, conversation_id, customer_id, channel, account, external_id, direction, author_kind,
      sent_at, received_at, ordered_at, text, details, address)
    SELECT 'default', id, conversation, customer, channel, account, 'p-' || n, 'inbound', 'customer', at, at, at,
      'Where is my order ' || n || '? I have been waiting since ' || at || ' and nobody answers me. ' || md5(n::text) || md5('x' || n),
      jsonb_build_object('visitor', jsonb_build_object('id', 'v_' || i, 'name', 'Person ' || i), 'page', 'https://shop.example/' || n),
      'v_' || i
    FROM made ORDER BY id;
    INSERT INTO throughline.message_original (tenant_id, message_id, content_type, bytes)
    SELECT 'default', id, 'message/rfc822', convert_to((SELECT string_agg(md5(n || ' ' || k), '') FROM generate_series(1, 40) k), 'UTF8')
    FROM made WHERE channel = 'email' ORDER BY id;
    INSERT INTO throughline.message_ref (tenant_id, key, conversation_id, message_id, seen)
    SELECT 'default', md5('key ' || n)::uuid, conversation, id, true FROM made;
    DROP TABLE made;
    """
  }
}
