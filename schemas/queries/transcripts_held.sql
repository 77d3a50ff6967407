-- :many  The messages of the conversations that say what a transcript says, but for those from another transcript.
SELECT k.position, m.id, m.is_inbound, m.text
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, conversation_id, position)
CROSS JOIN LATERAL (
  SELECT m.id, m.direction = 'inbound' AS is_inbound, m.text FROM throughline.message m
  WHERE m.tenant_id = k.tenant_id AND m.conversation_id = k.conversation_id
    AND m.details ->> 'source' IS DISTINCT FROM 'transcript' OFFSET 0
) m
WHERE m.text IN (SELECT unnest($3::text[]));
