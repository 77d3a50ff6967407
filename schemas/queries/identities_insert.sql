-- :exec  In key order. A row that somebody else inserted first does not count: then the batch is planned again.
INSERT INTO throughline.identity
  (tenant_id, kind, scope, value, customer_id, origin_customer_id, assurance, first_seen_at, last_seen_at)
SELECT k.tenant_id, k.kind, k.scope, k.value, k.customer_id, k.origin_customer_id, k.assurance::throughline.assurance,
  k.first_seen_at, k.last_seen_at
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::text[]) AS kind, unnest($3::text[]) AS scope, unnest($4::text[]) AS value,
    unnest($5::uuid[]) AS customer_id, unnest($6::text[]) AS assurance, unnest($7::timestamptz[]) AS first_seen_at,
    unnest($8::timestamptz[]) AS last_seen_at, unnest($9::uuid[]) AS origin_customer_id
) k
ON CONFLICT (tenant_id, kind, scope, value) WHERE valid_to IS NULL DO NOTHING;
