-- :many
SELECT k.position, i.customer_id, i.assurance::text, i.shared, i.last_seen_at
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::text[]) AS kind, unnest($3::text[]) AS scope, unnest($4::text[]) AS value,
    generate_series(1, cardinality($1::text[])::bigint) AS position
) k
CROSS JOIN LATERAL (
  SELECT i.* FROM throughline.identity i
  WHERE i.tenant_id = k.tenant_id AND i.kind = k.kind AND i.scope = k.scope AND i.value = k.value AND i.valid_to IS NULL
  OFFSET 0
) i;
