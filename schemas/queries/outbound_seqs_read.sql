-- :many  Under conversations_lock.
SELECT k.position, s.channel, s.seq
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, id, position)
CROSS JOIN LATERAL (
  SELECT s.* FROM throughline.outbound_seq s WHERE s.tenant_id = k.tenant_id AND s.conversation_id = k.id OFFSET 0
) s;
