-- :exec  Of messages that were deleted.
DELETE FROM throughline.message_original o USING unnest($1::text[], $2::uuid[]) AS k(tenant_id, message_id)
WHERE o.tenant_id = k.tenant_id AND o.message_id = k.message_id;
