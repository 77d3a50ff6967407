-- :exec  Under the lock of their customers: numbers that are somebody else's by now.
UPDATE throughline.identity i SET valid_to = k.at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) AS k(tenant_id, kind, scope, value, at)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.identity t
  WHERE t.tenant_id = k.tenant_id AND t.kind = k.kind AND t.scope = k.scope AND t.value = k.value AND t.valid_to IS NULL
  OFFSET 0
) t
WHERE i.ctid = t.ctid;
