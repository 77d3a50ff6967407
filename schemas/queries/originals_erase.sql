-- :exec  Of messages that were deleted. Under conversations_lock.
DELETE FROM throughline.message_original o
USING unnest($1::text[], $2::uuid[]) AS k(tenant_id, message_id)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.message_original t WHERE t.tenant_id = k.tenant_id AND t.message_id = k.message_id OFFSET 0
) t
WHERE o.ctid = t.ctid;
