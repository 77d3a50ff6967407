-- :many  What is known of messages of ours: where they are and how far they came.
SELECT k.position, m.conversation_id, m.delivery_status, m.delivery_error, m.external_id
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, id, position)
CROSS JOIN LATERAL (
  SELECT m.* FROM throughline.message m WHERE m.tenant_id = k.tenant_id AND m.id = k.id AND m.direction = 'outbound' OFFSET 0
) m;
