-- :exec
DELETE FROM throughline.outbox o
USING (SELECT unnest($1::smallint[]) AS shard, unnest($2::bigint[]) AS id) k
CROSS JOIN LATERAL (SELECT t.ctid FROM throughline.outbox t WHERE t.shard = k.shard AND t.id = k.id OFFSET 0) t
WHERE o.ctid = t.ctid;
