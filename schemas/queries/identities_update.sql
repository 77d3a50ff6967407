-- :exec  Under the lock of their customers.
UPDATE throughline.identity i SET assurance = greatest(i.assurance, k.assurance::throughline.assurance), last_seen_at = greatest(i.last_seen_at, k.last_seen_at)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
  AS k(tenant_id, kind, scope, value, assurance, last_seen_at)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.identity t
  WHERE t.tenant_id = k.tenant_id AND t.kind = k.kind AND t.scope = k.scope AND t.value = k.value AND t.valid_to IS NULL
  OFFSET 0
) t
WHERE i.ctid = t.ctid;
