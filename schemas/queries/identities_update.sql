-- :exec  Under the lock of their customers.
UPDATE throughline.identity i SET assurance = greatest(i.assurance, k.assurance::throughline.assurance), last_seen_at = greatest(i.last_seen_at, k.last_seen_at)
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::text[]) AS kind, unnest($3::text[]) AS scope, unnest($4::text[]) AS value,
    unnest($5::text[]) AS assurance, unnest($6::timestamptz[]) AS last_seen_at
) k
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.identity t
  WHERE t.tenant_id = k.tenant_id AND t.kind = k.kind AND t.scope = k.scope AND t.value = k.value AND t.valid_to IS NULL
  OFFSET 0
) t
WHERE i.ctid = t.ctid;
