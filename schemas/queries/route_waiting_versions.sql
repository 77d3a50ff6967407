-- :many  All that waits for an owner.
SELECT c.id, c.version FROM throughline.conversation c
WHERE CASE WHEN c.status = 'open' AND c.owner_kind = 'queue' AND c.merged_into IS NULL THEN c.tenant_id END = $1::text;
