-- :many  The business-scoped ids of the customers: whoever has another one in the same scope is somebody else.
SELECT k.position, i.scope, i.value
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS customer_id,
    generate_series(1, cardinality($1::text[])::bigint) AS position
) k
CROSS JOIN LATERAL (
  SELECT i.kind, i.scope, i.value, i.valid_to FROM throughline.identity i
  WHERE i.tenant_id = k.tenant_id AND i.customer_id = k.customer_id OFFSET 0
) i
WHERE i.kind = 'whatsapp' AND i.valid_to IS NULL AND i.value !~ '^[0-9]+$';
