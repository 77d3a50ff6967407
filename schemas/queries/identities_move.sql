-- :exec  Under customers_lock. `origin_customer_id` stays.
UPDATE throughline.identity i SET customer_id = k.survivor_id
FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS k(tenant_id, loser_id, survivor_id)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.identity t WHERE t.customer_id = k.loser_id AND t.tenant_id = k.tenant_id OFFSET 0
) t
WHERE i.ctid = t.ctid;
