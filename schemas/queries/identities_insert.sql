-- :exec  In key order. A row that somebody else inserted first does not count: then the batch is planned again.
INSERT INTO throughline.identity
  (tenant_id, kind, scope, value, customer_id, origin_customer_id, assurance, first_seen_at, last_seen_at)
SELECT k.tenant_id, k.kind, k.scope, k.value, k.customer_id, k.origin_customer_id, k.assurance::throughline.assurance,
  k.first_seen_at, k.last_seen_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::uuid[])
  AS k(tenant_id, kind, scope, value, customer_id, assurance, first_seen_at, last_seen_at, origin_customer_id)
ON CONFLICT (tenant_id, kind, scope, value) WHERE valid_to IS NULL DO NOTHING;
