-- :many  Which of these deliveries are stored already.
SELECT k.position
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, key, position)
CROSS JOIN LATERAL (
  SELECT 1 FROM throughline.message_key m WHERE m.tenant_id = k.tenant_id AND m.key = k.key OFFSET 0
) m;
