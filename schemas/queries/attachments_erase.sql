-- :exec  Of messages that were deleted, or edited so that others are attached now. Under conversations_lock.
DELETE FROM throughline.attachment a
USING unnest($1::text[], $2::uuid[]) AS k(tenant_id, message_id)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.attachment t WHERE t.tenant_id = k.tenant_id AND t.message_id = k.message_id OFFSET 0
) t
WHERE a.ctid = t.ctid;
