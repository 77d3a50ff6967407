-- :exec  Under route_assignments_lock.
UPDATE throughline.assignment a SET state = 'active', accepted_at = $3::timestamptz
FROM unnest($1::text[], $2::uuid[]) AS k(tenant_id, id)
CROSS JOIN LATERAL (
  SELECT t.ctid, t.state FROM throughline.assignment t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0
) t
WHERE a.ctid = t.ctid AND t.state = 'offered';
