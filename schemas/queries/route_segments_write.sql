-- :exec  New ones, and the ends and queues of those that are there.
INSERT INTO throughline.conversation_segment AS s
  (tenant_id, conversation_id, position, owner_kind, owner_id, queue_id, started_at, ended_at, end_reason)
SELECT k.tenant_id, k.conversation_id, k.position, k.owner_kind::throughline.owner_kind, k.owner_id, k.queue_id, k.started_at,
  k.ended_at, k.end_reason
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS conversation_id, unnest($3::bigint[]) AS position,
    unnest($4::text[]) AS owner_kind, unnest($5::text[]) AS owner_id, unnest($6::text[]) AS queue_id,
    unnest($7::timestamptz[]) AS started_at, unnest($8::timestamptz[]) AS ended_at, unnest($9::text[]) AS end_reason
) k
ON CONFLICT (tenant_id, conversation_id, position) DO UPDATE
SET ended_at = excluded.ended_at, end_reason = excluded.end_reason, queue_id = coalesce(s.queue_id, excluded.queue_id);
