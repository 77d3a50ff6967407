-- :many  Also whether they are there: a lease that runs out, or is renewed just in time, changes no version.
SELECT a.id, a.version, a.state, a.state = 'online' AND a.lease_expires_at > $2::timestamptz
FROM throughline.agent a WHERE a.tenant_id = $1::text;
