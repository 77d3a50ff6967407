-- :many  Which of these addresses and numbers are accounts of ours.
SELECT DISTINCT k.position
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::text[]) AS value,
    generate_series(1, cardinality($1::text[])::bigint) AS position
) k
CROSS JOIN LATERAL (
  SELECT 1 FROM throughline.channel_account a WHERE a.tenant_id = k.tenant_id AND a.account = k.value OFFSET 0
) a;
