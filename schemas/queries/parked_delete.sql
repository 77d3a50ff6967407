-- :exec  What waited has come to its target.
DELETE FROM throughline.parked_event p USING unnest($1::text[], $2::uuid[]) AS k(tenant_id, id)
WHERE p.tenant_id = k.tenant_id AND p.id = k.id;
