-- :many  Which agent had the conversation under an ownership, and until when.
SELECT k.position, s.owner_id, s.ended_at
FROM unnest($1::text[], $2::uuid[], $3::bigint[]) WITH ORDINALITY AS k(tenant_id, conversation_id, epoch, position)
CROSS JOIN LATERAL (
  SELECT s.* FROM throughline.conversation_segment s
  WHERE s.tenant_id = k.tenant_id AND s.conversation_id = k.conversation_id AND s.position = k.epoch
  OFFSET 0
) s
WHERE s.owner_kind = 'agent';
