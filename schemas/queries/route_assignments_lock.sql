-- :many  Under route_conversations_lock: what these conversations have that has not ended. Said so that
-- no index of the tenant's and no partial one is taken for this, whose plan would be kept when the table fills.
SELECT k.position, a.id, a.agent_id, a.queue_id, a.state = 'offered', a.epoch, a.channel, a.units, a.offered_at, a.accept_by,
  -- The agent has written to the customer since.
  a.state = 'offered' AND EXISTS (
    SELECT FROM throughline.message m
    WHERE m.conversation_id = a.conversation_id AND m.ordered_at >= a.offered_at AND m.tenant_id IS NOT DISTINCT FROM a.tenant_id
      AND m.direction = 'outbound' AND m.author_kind = 'agent' AND m.author_id = a.agent_id)
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS id, generate_series(1, cardinality($1::text[])::bigint) AS position
) k
CROSS JOIN LATERAL (
  SELECT a.* FROM throughline.assignment a
  WHERE a.conversation_id = k.id AND a.tenant_id IS NOT DISTINCT FROM k.tenant_id AND a.ended_at IS NULL
  FOR NO KEY UPDATE OFFSET 0
) a;
