-- :one  How many seconds the oldest event waits to be published; 0 when none does.
SELECT coalesce(extract(epoch FROM now() - min(o.created_at)), 0)::float8
FROM throughline.outbox_shard s
CROSS JOIN LATERAL (SELECT o.created_at FROM throughline.outbox o WHERE o.shard = s.shard ORDER BY o.id LIMIT 1) o;
