-- :exec  Under conversations_lock; those that end first, and new ones after: at most one is live in a lane at any instant.
UPDATE throughline.conversation c
SET status = k.status::throughline.conversation_status, version = k.version, event_seq = k.event_seq, last_channel = k.last_channel,
  language = k.language, subject = k.subject, opened_at = k.opened_at, first_response_at = k.first_response_at,
  resolved_at = k.resolved_at, last_message_at = k.last_message_at, last_account = k.last_account, priority = k.priority,
  customer_version = k.customer_version, waiting_since = k.waiting_since, snoozed_until = k.snoozed_until,
  handoff = k.handoff::jsonb, customer_id = k.customer_id, lane = k.lane, merged_into = k.merged_into,
  origin_customer_id = k.origin_customer_id, automatic_count = k.automatic_count, automatic_since = k.automatic_since
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
    $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::text[], $14::smallint[], $15::bigint[], $16::timestamptz[],
    $17::timestamptz[], $18::text[], $19::uuid[], $20::text[], $21::uuid[], $22::uuid[], $23::int[], $24::timestamptz[])
  AS k(tenant_id, id, status, version, event_seq, last_channel, language, subject, opened_at, first_response_at, resolved_at,
    last_message_at, last_account, priority, customer_version, waiting_since, snoozed_until, handoff, customer_id, lane,
    merged_into, origin_customer_id, automatic_count, automatic_since)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.conversation t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0
) t
WHERE c.ctid = t.ctid;
