-- :many  Renews what this router holds, and takes what nobody does.
WITH free AS (
  SELECT r.tenant_id FROM throughline.router_lease r
  WHERE r.owner = $1::text OR r.owner IS NULL OR r.expires_at < now()
  ORDER BY r.tenant_id
  FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE throughline.router_lease r
SET owner = $1::text, expires_at = now() + $2::float8 * interval '1 second'
FROM free f WHERE r.tenant_id = f.tenant_id
RETURNING r.tenant_id;
