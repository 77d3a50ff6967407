-- :exec  Under conversations_lock, before new conversations are inserted: at most one is live in a lane at any instant.
UPDATE throughline.conversation c
SET status = k.status::throughline.conversation_status, version = k.version, event_seq = k.event_seq, last_channel = k.last_channel,
  language = k.language, subject = k.subject, opened_at = k.opened_at, first_response_at = k.first_response_at,
  resolved_at = k.resolved_at, last_message_at = k.last_message_at
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
    $10::timestamptz[], $11::timestamptz[], $12::timestamptz[])
  AS k(tenant_id, id, status, version, event_seq, last_channel, language, subject, opened_at, first_response_at, resolved_at,
    last_message_at)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.conversation t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0
) t
WHERE c.ctid = t.ctid;
