-- :many
SELECT k.position, r.conversation_id, r.message_id
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS key,
    generate_series(1, cardinality($1::text[])::bigint) AS position
) k
CROSS JOIN LATERAL (
  SELECT r.* FROM throughline.message_ref r WHERE r.tenant_id = k.tenant_id AND r.key = k.key OFFSET 0
) r;
