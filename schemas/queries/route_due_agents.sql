-- :many  Whose lease has run out.
SELECT g.id FROM throughline.agent g
WHERE g.tenant_id IS NOT DISTINCT FROM $1::text AND g.lease_expires_at <= $2::timestamptz AND g.state <> 'offline'
LIMIT $3::int;
