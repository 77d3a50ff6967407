-- :many  How many identities of each kind these customers have.
SELECT k.position, i.kind, i.count
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, customer_id, position)
CROSS JOIN LATERAL (
  SELECT i.kind, count(*) FROM throughline.identity i
  WHERE i.tenant_id = k.tenant_id AND i.customer_id = k.customer_id AND i.valid_to IS NULL
  GROUP BY i.kind OFFSET 0
) i;
