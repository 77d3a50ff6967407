-- :exec  In key order.
INSERT INTO throughline.merge_suggestion (tenant_id, customer_id, other_customer_id, rule, evidence, created_at)
SELECT k.tenant_id, k.customer_id, k.other_customer_id, k.rule, k.evidence::jsonb, k.created_at
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[])
  AS k(tenant_id, customer_id, other_customer_id, rule, evidence, created_at)
ON CONFLICT DO NOTHING;
