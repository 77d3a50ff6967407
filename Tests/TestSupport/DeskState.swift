import Postgres

/// What a database holds, as text that two runs can be compared by: everything but the ids that workers make.
///
/// Customers are named by their identities and conversations by their messages, since ids differ from run to run.
public enum DeskState {
  /// One line a row of every table that ingest writes.
  public static func lines(_ url: String) async throws -> [String] {
    let db = PostgresConnection(url: url, applicationName: "desk-state")
    let rows = try await db.perform { db throws(PostgresFault) in
      // The joins are of whole tables.
      try db.execute("ANALYZE; SET enable_nestloop = off; SET enable_mergejoin = off; SET jit = off")
      return try db.textRows(Self.sql)
    }
    await db.close()
    return rows.map { $0.compactMap { $0 }.joined() }.sorted()
  }

  /// External ids grouped by customer, and by conversation.
  public static func partition(_ url: String, by column: String) async throws -> Set<Set<String>> {
    let db = PostgresConnection(url: url, applicationName: "desk-state")
    let rows = try await db.perform { db throws(PostgresFault) in
      try db.textRows("SELECT \(column), external_id FROM throughline.message WHERE external_id IS NOT NULL")
    }
    await db.close()
    var groups: [String: Set<String>] = [:]
    for row in rows { groups[row[0] ?? "", default: []].insert(row[1] ?? "") }
    return Set(groups.values)
  }

  private static let sql = """
    WITH customers AS (
      SELECT c.*, md5(
        coalesce((SELECT string_agg(concat_ws('|', i.kind, i.scope, i.value), ',' ORDER BY i.kind, i.scope, i.value)
          FROM throughline.identity i WHERE i.tenant_id = c.tenant_id AND i.customer_id = c.id), '')
        || coalesce(m.first, '')
      ) AS label
      FROM throughline.customer c
      LEFT JOIN (SELECT tenant_id, customer_id, min(external_id) AS first FROM throughline.message GROUP BY 1, 2) m
        ON m.tenant_id = c.tenant_id AND m.customer_id = c.id
    ), conversations AS (
      SELECT v.*, m.label
      FROM throughline.conversation v
      LEFT JOIN (SELECT tenant_id, conversation_id, min(concat_ws('|', external_id, received_at, text)) AS label
        FROM throughline.message GROUP BY 1, 2) m ON m.tenant_id = v.tenant_id AND m.conversation_id = v.id
    ), messages AS (
      SELECT m.*, c.label AS customer, v.label AS conversation
      FROM throughline.message m
      JOIN customers c ON c.tenant_id = m.tenant_id AND c.id = m.customer_id
      JOIN conversations v ON v.tenant_id = m.tenant_id AND v.id = m.conversation_id
    )
    SELECT concat_ws(' ', 'customer', tenant_id, label, display_name, verified, language, organization_id, traits, profile_updated_at, created_at)
    FROM customers
    UNION ALL SELECT concat_ws(' ', 'identity', i.tenant_id, i.kind, i.scope, i.value, c.label, i.assurance, i.first_seen_at, i.last_seen_at)
    FROM throughline.identity i JOIN customers c ON c.tenant_id = i.tenant_id AND c.id = i.customer_id
    UNION ALL SELECT concat_ws(' ', 'conversation', v.tenant_id, v.label, c.label, v.lane, v.status, v.language, v.subject, v.version,
      v.event_seq, v.last_channel, p.label, v.opened_at, v.first_response_at, v.resolved_at, v.last_message_at)
    FROM conversations v JOIN customers c ON c.tenant_id = v.tenant_id AND c.id = v.customer_id
    LEFT JOIN conversations p ON p.tenant_id = v.tenant_id AND p.id = v.previous_conversation_id
    UNION ALL SELECT concat_ws(' ', 'message', tenant_id, external_id, conversation, customer, channel, account, direction, author_kind,
      author_id, sent_at, received_at, ordered_at, md5(text), reply_to_external_id, details, visibility, reply_address)
    FROM messages
    UNION ALL SELECT concat_ws(' ', 'original', o.tenant_id, m.external_id, o.content_type, md5(o.bytes))
    FROM throughline.message_original o JOIN messages m ON m.tenant_id = o.tenant_id AND m.id = o.message_id
    UNION ALL SELECT concat_ws(' ', 'attachment', a.tenant_id, m.external_id, a.position, a.kind, a.name, a.type, a.size_bytes, a.provider_id, a.url)
    FROM throughline.attachment a JOIN messages m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
    UNION ALL SELECT concat_ws(' ', 'key', tenant_id, key) FROM throughline.message_ref WHERE seen
    UNION ALL SELECT concat_ws(' ', 'ref', r.tenant_id, r.key, v.label, m.external_id)
    FROM throughline.message_ref r JOIN conversations v ON v.tenant_id = r.tenant_id AND v.id = r.conversation_id
    LEFT JOIN messages m ON m.tenant_id = r.tenant_id AND m.id = r.message_id
    UNION ALL SELECT concat_ws(' ', 'claim', k.tenant_id, c.label, m.external_id, k.kind, k.scope, k.value, k.created_at)
    FROM throughline.identity_claim k JOIN customers c ON c.tenant_id = k.tenant_id AND c.id = k.customer_id
    LEFT JOIN messages m ON m.tenant_id = k.tenant_id AND m.id = k.message_id
    UNION ALL SELECT concat_ws(' ', 'suggestion', s.tenant_id, least(a.label, b.label), greatest(a.label, b.label), s.rule, s.evidence, s.created_at)
    FROM throughline.merge_suggestion s JOIN customers a ON a.tenant_id = s.tenant_id AND a.id = s.customer_id
    JOIN customers b ON b.tenant_id = s.tenant_id AND b.id = s.other_customer_id
    UNION ALL SELECT concat_ws(' ', 'link', l.tenant_id, (SELECT label FROM conversations v WHERE v.id = l.conversation_id),
      (SELECT label FROM conversations v WHERE v.id = l.linked_conversation_id), l.reason,
      (SELECT external_id FROM throughline.message m WHERE m.tenant_id = l.tenant_id AND m.id = l.message_id))
    FROM throughline.conversation_link l
    UNION ALL SELECT concat_ws(' ', 'parked', p.tenant_id, p.kind, p.channel, p.account, p.target_external_id, p.sent_at, p.details, p.element)
    FROM throughline.parked_event p
    UNION ALL SELECT concat_ws(' ', 'letter', d.tenant_id, d.topic, d.partition, d.record_offset, d.element, d.reason, d.detail)
    FROM throughline.dead_letter d
    UNION ALL SELECT concat_ws(' ', 'event', e->>'tenantid', v.label, e->'data'->>'seq', e->>'type')
    FROM throughline.outbox_event o CROSS JOIN LATERAL (SELECT convert_from(o.value, 'UTF8')::jsonb AS e) e JOIN conversations v ON v.id::text = o.subject
    """
}
