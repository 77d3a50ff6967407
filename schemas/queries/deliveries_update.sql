-- :exec  Under the lock of their conversations.
UPDATE throughline.message m
SET delivery_status = k.status, delivery_error = k.error, external_id = k.external_id
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[]) AS k(tenant_id, id, status, error, external_id)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.message t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0
) t
WHERE m.ctid = t.ctid;
