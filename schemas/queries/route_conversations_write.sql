-- :exec  Under route_conversations_lock.
UPDATE throughline.conversation c
SET status = k.status::throughline.conversation_status, owner_kind = k.owner_kind::throughline.owner_kind, owner_id = k.owner_id,
  ownership_epoch = k.epoch, queue_id = k.queue_id, version = k.version, event_seq = k.event_seq, routing_seq = k.routing_seq,
  queued_at = k.queued_at, resolved_at = k.resolved_at, snoozed_until = k.snoozed_until,
  held_for = ARRAY(SELECT jsonb_array_elements_text(k.held_for::jsonb)), held_until = k.held_until,
  waiting_since = k.waiting_since
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS id, unnest($3::text[]) AS status, unnest($4::text[]) AS owner_kind,
    unnest($5::text[]) AS owner_id, unnest($6::bigint[]) AS epoch, unnest($7::text[]) AS queue_id, unnest($8::bigint[]) AS version,
    unnest($9::bigint[]) AS event_seq, unnest($10::bigint[]) AS routing_seq, unnest($11::timestamptz[]) AS queued_at,
    unnest($12::timestamptz[]) AS resolved_at, unnest($13::timestamptz[]) AS snoozed_until, unnest($14::text[]) AS held_for,
    unnest($15::timestamptz[]) AS held_until, unnest($16::timestamptz[]) AS waiting_since
) k
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.conversation t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0
) t
WHERE c.ctid = t.ctid;
