-- :exec  An echo that came before its result was taken for a message of its own; it is the one that the result is about.
UPDATE throughline.message m SET deleted_at = k.at
FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS k(tenant_id, id, at)
CROSS JOIN LATERAL (
  SELECT t.tenant_id, t.id FROM throughline.message t
  WHERE t.tenant_id = k.tenant_id AND t.id = k.id AND t.direction = 'outbound' AND t.deleted_at IS NULL
  OFFSET 0
) t
WHERE m.tenant_id = t.tenant_id AND m.id = t.id AND m.id = ANY ($2::uuid[]);
