-- :exec  Results of one message come in any order: what is later on its way stays.
UPDATE throughline.message m
SET delivery_status = k.status, delivery_error = k.error, external_id = coalesce(k.external_id, m.external_id)
FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[]) AS k(tenant_id, id, status, error, external_id)
CROSS JOIN LATERAL (
  SELECT t.ctid, array_position(ARRAY['queued', 'sent', 'delivered', 'failed', 'read'], t.delivery_status) AS rank
  FROM throughline.message t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0
) t
WHERE m.ctid = t.ctid
  AND coalesce(t.rank, 0) <= array_position(ARRAY['queued', 'sent', 'delivered', 'failed', 'read'], k.status);
