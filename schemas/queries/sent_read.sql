-- :many  The conversations of messages of ours.
SELECT k.position, m.conversation_id
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, id, position)
CROSS JOIN LATERAL (
  SELECT m.conversation_id FROM throughline.message m
  WHERE m.tenant_id = k.tenant_id AND m.id = k.id AND m.direction = 'outbound' OFFSET 0
) m;
