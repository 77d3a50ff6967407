-- :many
SELECT a.id, a.version, a.state FROM throughline.agent a WHERE a.tenant_id = $1::text;
