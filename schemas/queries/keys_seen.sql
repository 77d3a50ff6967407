-- :many  Which of these keys of deliveries have a row, and whether a delivery is stored or it is but a name.
SELECT k.position, r.seen
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, key, position)
CROSS JOIN LATERAL (
  SELECT r.seen FROM throughline.message_ref r WHERE r.tenant_id = k.tenant_id AND r.key = k.key OFFSET 0
) r;
