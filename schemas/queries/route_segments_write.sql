-- :exec  New ones, and the ends and queues of those that are there.
INSERT INTO throughline.conversation_segment AS s
  (tenant_id, conversation_id, position, owner_kind, owner_id, queue_id, started_at, ended_at, end_reason)
SELECT k.tenant_id, k.conversation_id, k.position, k.owner_kind::throughline.owner_kind, k.owner_id, k.queue_id, k.started_at,
  k.ended_at, k.end_reason
FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[],
    $9::text[])
  AS k(tenant_id, conversation_id, position, owner_kind, owner_id, queue_id, started_at, ended_at, end_reason)
ON CONFLICT (tenant_id, conversation_id, position) DO UPDATE
SET ended_at = excluded.ended_at, end_reason = excluded.end_reason, queue_id = coalesce(s.queue_id, excluded.queue_id);
