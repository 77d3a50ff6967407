-- :exec  Under route_conversations_lock.
UPDATE throughline.conversation c
SET status = k.status::throughline.conversation_status, owner_kind = k.owner_kind::throughline.owner_kind, owner_id = k.owner_id,
  ownership_epoch = k.epoch, queue_id = k.queue_id, version = k.version, event_seq = k.event_seq, routing_seq = k.routing_seq,
  queued_at = k.queued_at, resolved_at = k.resolved_at, snoozed_until = k.snoozed_until,
  held_for = ARRAY(SELECT jsonb_array_elements_text(k.held_for::jsonb)), held_until = k.held_until,
  waiting_since = k.waiting_since
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[],
    $10::bigint[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::timestamptz[],
    $16::timestamptz[])
  AS k(tenant_id, id, status, owner_kind, owner_id, epoch, queue_id, version, event_seq, routing_seq, queued_at, resolved_at,
    snoozed_until, held_for, held_until, waiting_since)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.conversation t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0
) t
WHERE c.ctid = t.ctid;
