-- :many  All that waits for an owner.
SELECT c.id, c.version FROM throughline.conversation c
WHERE c.tenant_id = $1::text AND c.status = 'open' AND c.owner_kind = 'queue' AND c.merged_into IS NULL;
