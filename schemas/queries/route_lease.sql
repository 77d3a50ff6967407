-- :many  Keeps this router's tenants up to its fair share, gives the others back, and takes free ones up to it.
WITH gone AS (
  DELETE FROM throughline.router WHERE expires_at < now() - interval '1 minute'
), share AS (
  SELECT ceil((SELECT count(*) FROM throughline.router_lease) / greatest(count(*), 1)::numeric)::int AS size
  FROM throughline.router WHERE expires_at >= now()
), ranked AS (
  SELECT r.tenant_id, row_number() OVER (ORDER BY (r.owner IS DISTINCT FROM $1::text), r.tenant_id) AS rank
  FROM throughline.router_lease r
  WHERE r.owner = $1::text OR r.owner IS NULL OR r.expires_at < now()
), chosen AS (
  SELECT r.tenant_id, k.rank <= (SELECT size FROM share) AS kept
  FROM throughline.router_lease r JOIN ranked k USING (tenant_id)
  WHERE k.rank <= (SELECT size FROM share) OR r.owner = $1::text
  ORDER BY r.tenant_id
  FOR UPDATE OF r SKIP LOCKED
), changed AS (
  UPDATE throughline.router_lease r
  SET owner = CASE WHEN c.kept THEN $1::text END,
    expires_at = CASE WHEN c.kept THEN now() + $2::float8 * interval '1 second' ELSE '-infinity' END
  FROM chosen c
  WHERE r.tenant_id = c.tenant_id AND (r.owner = $1::text OR r.owner IS NULL OR r.expires_at < now())
  RETURNING r.tenant_id, c.kept
)
SELECT tenant_id FROM changed WHERE kept;
