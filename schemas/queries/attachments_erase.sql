-- :exec  Of messages that were deleted, or edited so that others are attached now.
DELETE FROM throughline.attachment a USING unnest($1::text[], $2::uuid[]) AS k(tenant_id, message_id)
WHERE a.tenant_id = k.tenant_id AND a.message_id = k.message_id;
