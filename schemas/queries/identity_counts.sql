-- :many  How many identities of each kind these customers have. The filter is no condition of the scan: else the index of valid
-- identities, which has the tenant too, would do as well on an empty table.
SELECT k.position, i.kind, i.count
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS customer_id,
    generate_series(1, cardinality($1::text[])::bigint) AS position
) k
CROSS JOIN LATERAL (
  SELECT i.kind, count(*) FILTER (WHERE i.valid_to IS NULL) FROM throughline.identity i
  WHERE i.tenant_id = k.tenant_id AND i.customer_id = k.customer_id
  GROUP BY i.kind HAVING count(*) FILTER (WHERE i.valid_to IS NULL) > 0 OFFSET 0
) i;
