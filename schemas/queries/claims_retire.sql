-- :exec  Under customers_lock: who is known otherwise is not found by a claim any more.
UPDATE throughline.identity i SET valid_to = k.at
FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS k(tenant_id, customer_id, at)
CROSS JOIN LATERAL (
  SELECT t.ctid, t.kind, t.valid_to FROM throughline.identity t
  WHERE t.customer_id = k.customer_id AND t.tenant_id = k.tenant_id
  OFFSET 0
) t
WHERE i.ctid = t.ctid AND t.kind LIKE 'claimed\_%' AND t.valid_to IS NULL;
