-- :exec  Under customers_lock: the losers, and whoever was part of them, point at the root.
UPDATE throughline.customer c SET merged_into = k.survivor_id
FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS k(tenant_id, loser_id, survivor_id)
CROSS JOIN LATERAL (
  (SELECT t.ctid FROM throughline.customer t WHERE t.tenant_id = k.tenant_id AND t.id = k.loser_id)
  UNION ALL
  (SELECT t.ctid FROM throughline.customer t WHERE t.merged_into = k.loser_id AND t.tenant_id IS NOT DISTINCT FROM k.tenant_id)
) t
WHERE c.ctid = t.ctid;
