-- :many  When the customers were made, and whom they must never be merged with.
SELECT k.position, c.created_at, n.other
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS id, generate_series(1, cardinality($1::text[])::bigint) AS position
) k
CROSS JOIN LATERAL (
  SELECT c.created_at FROM throughline.customer c WHERE c.tenant_id = k.tenant_id AND c.id = k.id OFFSET 0
) c
LEFT JOIN LATERAL (
  SELECT n.other_customer_id AS other FROM throughline.never_merge n WHERE n.tenant_id = k.tenant_id AND n.customer_id = k.id
  OFFSET 0
) n ON true;
