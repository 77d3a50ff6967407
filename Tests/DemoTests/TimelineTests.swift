import Canonical
import Postgres
import Store
import TestSupport
import Testing

/// The views `customer_timeline` and `conversation_overview`, and their reads.
@Suite struct TimelineTests {
  private static let ann = ID(Bytes16(high: 0, low: 1))
  private static let stranger = ID(Bytes16(high: 0, low: 2))
  private static let conversation = ID(Bytes16(high: 0, low: 10))

  /// Ann, who was a stranger on Messenger before; one conversation over three channels, with a note, a call, a claim and an echo.
  private static let day = """
    INSERT INTO throughline.tenant VALUES ('t');
    INSERT INTO throughline.customer (tenant_id, id, display_name, verified, created_at, merged_into) VALUES
      ('t', '\(ann)', 'Ann', true, '2026-05-12T06:00Z', NULL), ('t', '\(stranger)', NULL, true, '2026-05-12T08:00Z', '\(ann)');
    INSERT INTO throughline.merge_event (tenant_id, id, survivor_id, loser_id, rule, evidence, moved, created_at) VALUES
      ('t', gen_random_uuid(), '\(ann)', '\(stranger)', 'record_evidence', '[{"kind":"phone"},{"kind":"messenger"}]', '{}',
        '2026-05-12T08:02Z');
    INSERT INTO throughline.conversation
      (tenant_id, id, reference, customer_id, lane, status, version, event_seq, last_channel, opened_at, last_message_at, waiting_since,
        owner_kind, owner_id, queue_id, priority, queue_priority)
      VALUES ('t', '\(conversation)', 'TL-7', '\(ann)', '', 'open', 9, 9, 'voice', '2026-05-12T08:00Z', '2026-05-12T08:20Z',
        '2026-05-12T08:00Z', 'agent', 'a_1', 'q', 1, 2);
    INSERT INTO throughline.queue VALUES ('t', 'q', 'Queue', 1, '{}', '{}');
    INSERT INTO throughline.agent
      (tenant_id, id, name, state, capacity, names_channels, teams, profile, lease_expires_at, reported_at, idle_since)
      VALUES ('t', 'a_1', 'Lena', 'online', 100, false, '{}', '', now(), now(), now());
    INSERT INTO throughline.assignment
      (tenant_id, id, conversation_id, agent_id, queue_id, state, epoch, channel, units, offered_at, accepted_at)
      VALUES ('t', gen_random_uuid(), '\(conversation)', 'a_1', 'q', 'active', 1, 'messenger', 20, '2026-05-12T08:05Z', '2026-05-12T08:06Z');
    INSERT INTO throughline.conversation_segment VALUES
      ('t', '\(conversation)', 0, 'queue', NULL, 'q', '2026-05-12T08:01Z', '2026-05-12T08:05Z', 'routed');
    INSERT INTO throughline.message
      (tenant_id, id, conversation_id, customer_id, channel, account, external_id, direction, author_kind, author_id, received_at,
        ordered_at, text, details, deleted_at)
      SELECT 't', id, '\(conversation)', '\(ann)', channel, 'x', external_id, direction::throughline.direction,
        author_kind::throughline.author_kind, author_id, at::timestamptz, at::timestamptz, text, details::jsonb, deleted_at::timestamptz
      FROM (VALUES
        ('00000000-0000-0000-0000-0000000000a1'::uuid, 'messenger', 'm1', 'inbound', 'customer', NULL, '2026-05-12T08:00Z', 'Hello', '{}', NULL),
        ('00000000-0000-0000-0000-0000000000a2', 'messenger', 'm2', 'outbound', 'agent', 'a_1', '2026-05-12T08:10Z', 'Hi', '{}', NULL),
        ('00000000-0000-0000-0000-0000000000a3', 'messenger', 'm2', 'outbound', 'agent', NULL, '2026-05-12T08:10Z', 'Hi', '{}', '2026-05-12T08:11Z'),
        ('00000000-0000-0000-0000-0000000000a4', 'desk', NULL, 'internal', 'agent', 'a_1', '2026-05-12T08:15Z', 'Nice', '{}', NULL),
        ('00000000-0000-0000-0000-0000000000a5', 'voice', 'CA1', 'inbound', 'customer', NULL, '2026-05-12T08:20Z', NULL,
          '{"call":{"duration_seconds":74}}', NULL)
      ) AS v(id, channel, external_id, direction, author_kind, author_id, at, text, details, deleted_at);
    INSERT INTO throughline.identity_claim VALUES
      ('t', gen_random_uuid(), '\(stranger)', '00000000-0000-0000-0000-0000000000a1', 'email', '', 'ann@mail.example', '2026-05-12T08:00Z')
    """

  private func filled() async throws -> PostgresConnection {
    let db = PostgresConnection(url: try await TestDatabase.make(), applicationName: "timeline", settings: Queries.settings)
    try await db.perform { db throws(PostgresFault) in try db.execute(Self.day) }
    return db
  }

  @Test func `a customer's timeline is that of all who became them, over all channels, without what is deleted`() async throws {
    let db = try await filled()
    let (entries, others) = try await db.perform { db throws(PostgresFault) in
      (
        try TimelineReads.timeline(of: Self.ann, tenant: "t", on: db),
        try TimelineReads.timeline(of: Self.stranger, tenant: "t", on: db)
      )
    }
    let lines = entries.map { entry in
      [
        String(entry.at.iso8601.dropFirst(11).prefix(5)), entry.kind, entry.channel, entry.author, entry.text, entry.subject,
        entry.reason,
      ]
      .compactMap { $0 }.joined(separator: " ")
    }
    #expect(
      lines.sorted() == [
        "08:00 claim messenger ann@mail.example email", "08:00 message messenger Ann Hello", "08:00 opened",
        "08:01 queued Queue q",
        "08:02 merged messenger, phone record_evidence", "08:06 assigned messenger Lena a_1 q", "08:10 message messenger Lena Hi",
        "08:15 note desk Lena Nice", "08:20 call voice Ann", "08:20 channel_switched voice messenger",
      ])
    #expect(entries.first { $0.kind == "call" }?.durationSeconds == 74)
    #expect(entries.map(\.at) == entries.map(\.at).sorted())
    #expect(entries.filter { $0.kind != "merged" }.allSatisfy { $0.conversation == "TL-7" })
    // Who is part of another has no timeline of their own.
    #expect(others == [])
    await db.close()
  }

  @Test func `the overview has one row per live conversation`() async throws {
    let db = try await filled()
    func overview() async throws -> [[String?]] {
      try await db.perform { db throws(PostgresFault) in
        try db.textRows(
          """
          SELECT reference, customer_name, status, channels, owner, queue, priority, to_char(waiting_since AT TIME ZONE 'UTC', 'HH24:MI')
          FROM throughline.conversation_overview
          """)
      }
    }
    #expect(try await overview() == [["TL-7", "Ann", "open", "{messenger,voice}", "Lena", "Queue", "3", "08:00"]])
    try await db.perform { db throws(PostgresFault) in
      try db.execute("UPDATE throughline.conversation SET status = 'resolved', resolved_at = now()")
    }
    #expect(try await overview() == [])
    await db.close()
  }

  @Test func `conversations and messages are found by what providers call them, and identifiers by themselves`() async throws {
    let db = try await filled()
    try await db.perform { db throws(PostgresFault) in
      try db.execute(
        """
        INSERT INTO throughline.identity
          (tenant_id, kind, scope, value, customer_id, assurance, origin_customer_id, first_seen_at, last_seen_at)
        VALUES ('t', 'messenger', 'page', '70', '\(Self.ann)', 'A2', '\(Self.stranger)', now(), now())
        """)
    }
    let known = Identifier(.messenger, scope: "page", "70")
    let (messages, conversations, owners) = try await db.perform { db throws(PostgresFault) in
      (
        try TimelineReads.messages(["m2", "CA1", "gone"], tenant: "t", on: db),
        try TimelineReads.conversations([Self.conversation, Self.ann], tenant: "t", on: db),
        try TimelineReads.owners(of: [known, Identifier(.messenger, scope: "other", "70")], tenant: "t", on: db)
      )
    }
    #expect(messages.map(\.externalID) == ["m2", "CA1"])
    #expect(messages.allSatisfy { $0.conversation == Self.conversation && $0.customer == Self.ann })
    let conversation = try #require(conversations[Self.conversation])
    #expect(conversations.count == 1 && conversation.owner == "a_1" && !conversation.isOffer)
    #expect(conversation.receivedIDs == ["m1", "CA1"])
    #expect(owners.count == 1 && owners[known]?.customer == Self.ann && owners[known]?.assurance == "A2")
    await db.close()
  }
}
