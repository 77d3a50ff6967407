-- :many  Keeps this publisher's shards up to its fair share, gives the others back, and takes free ones up to it.
WITH gone AS (
  DELETE FROM throughline.outbox_publisher WHERE expires_at < now() - interval '1 minute'
), share AS (
  SELECT ceil(16.0 / greatest(count(*), 1))::int AS size FROM throughline.outbox_publisher WHERE expires_at >= now()
), ranked AS (
  SELECT s.shard, row_number() OVER (ORDER BY (s.owner IS DISTINCT FROM $1::text), s.shard) AS rank
  FROM throughline.outbox_shard s
  WHERE s.owner = $1::text OR s.owner IS NULL OR s.expires_at < now()
), chosen AS (
  SELECT s.shard, r.rank <= (SELECT size FROM share) AS kept
  FROM throughline.outbox_shard s JOIN ranked r USING (shard)
  WHERE r.rank <= (SELECT size FROM share) OR s.owner = $1::text
  ORDER BY s.shard
  FOR UPDATE OF s SKIP LOCKED
), changed AS (
  UPDATE throughline.outbox_shard s
  SET owner = CASE WHEN c.kept THEN $1::text END,
    expires_at = CASE WHEN c.kept THEN now() + $2::float8 * interval '1 second' ELSE '-infinity' END
  FROM chosen c
  WHERE s.shard = c.shard AND (s.owner = $1::text OR s.owner IS NULL OR s.expires_at < now())
  RETURNING s.shard, c.kept
)
SELECT shard FROM changed WHERE kept ORDER BY shard;
