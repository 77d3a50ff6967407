-- :many  Whose lease has run out.
SELECT g.id FROM throughline.agent g
WHERE CASE WHEN g.state <> 'offline' OR g.load > 0 THEN g.tenant_id END = $1::text AND g.lease_expires_at <= $2::timestamptz
  AND g.state <> 'offline'
LIMIT $3::int;
