-- :many  In id order, the same in every process.
SELECT k.position, c.customer_id, c.status::text, c.merged_into IS NOT NULL, c.owner_kind::text, c.owner_id, c.ownership_epoch,
  c.queue_id, c.version, c.event_seq, c.routing_seq, c.last_channel, c.handoff IS NOT NULL, c.opened_at, c.last_message_at,
  c.waiting_since, c.resolved_at, c.snoozed_until, c.queued_at,
  c.held_for, c.held_until
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, id, position)
CROSS JOIN LATERAL (
  SELECT c.* FROM throughline.conversation c WHERE c.tenant_id = k.tenant_id AND c.id = k.id
  FOR NO KEY UPDATE OFFSET 0
) c;
