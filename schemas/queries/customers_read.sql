-- :many  When the customers were made, and whom they must never be merged with.
SELECT k.position, c.created_at, n.other
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, id, position)
CROSS JOIN LATERAL (
  SELECT c.created_at FROM throughline.customer c WHERE c.tenant_id = k.tenant_id AND c.id = k.id OFFSET 0
) c
LEFT JOIN LATERAL (
  SELECT n.other_customer_id AS other FROM throughline.never_merge n WHERE n.tenant_id = k.tenant_id AND n.customer_id = k.id
  OFFSET 0
) n ON true;
