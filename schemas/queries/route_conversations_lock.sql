-- :many  In id order, the same in every process.
SELECT k.position, c.customer_id, c.status::text, c.merged_into IS NOT NULL, c.owner_kind::text, c.owner_id, c.ownership_epoch,
  c.queue_id, c.version, c.event_seq, c.routing_seq, c.last_channel, c.handoff IS NOT NULL, c.opened_at, c.last_message_at,
  c.waiting_since, c.resolved_at, c.snoozed_until, c.queued_at,
  c.held_for, c.held_until
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS id, generate_series(1, cardinality($1::text[])::bigint) AS position
) k
CROSS JOIN LATERAL (
  SELECT c.* FROM throughline.conversation c WHERE c.tenant_id = k.tenant_id AND c.id = k.id
  FOR NO KEY UPDATE OFFSET 0
) c;
