-- :many
SELECT k.position, r.conversation_id, r.message_id
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, key, position)
CROSS JOIN LATERAL (
  SELECT r.* FROM throughline.message_ref r WHERE r.tenant_id = k.tenant_id AND r.key = k.key OFFSET 0
) r;
