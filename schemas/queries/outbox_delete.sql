-- :exec
DELETE FROM throughline.outbox o
USING unnest($1::smallint[], $2::bigint[]) AS k(shard, id)
CROSS JOIN LATERAL (SELECT t.ctid FROM throughline.outbox t WHERE t.shard = k.shard AND t.id = k.id OFFSET 0) t
WHERE o.ctid = t.ctid;
