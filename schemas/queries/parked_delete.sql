-- :exec  What waited has come to its target. Under names_lock.
DELETE FROM throughline.parked_event p
USING unnest($1::text[], $2::uuid[]) AS k(tenant_id, id)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.parked_event t WHERE t.id = k.id AND t.tenant_id IS NOT DISTINCT FROM k.tenant_id OFFSET 0
) t
WHERE p.ctid = t.ctid;
