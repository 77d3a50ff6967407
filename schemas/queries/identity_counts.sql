-- :many  How many identities of each kind these customers have. The filter is no condition of the scan: else the index of valid
-- identities, which has the tenant too, would do as well on an empty table.
SELECT k.position, i.kind, i.count
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, customer_id, position)
CROSS JOIN LATERAL (
  SELECT i.kind, count(*) FILTER (WHERE i.valid_to IS NULL) FROM throughline.identity i
  WHERE i.tenant_id = k.tenant_id AND i.customer_id = k.customer_id
  GROUP BY i.kind HAVING count(*) FILTER (WHERE i.valid_to IS NULL) > 0 OFFSET 0
) i;
