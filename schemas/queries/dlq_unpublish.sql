-- :exec  Letters that nobody will read any more need not be published.
DELETE FROM throughline.outbox o
USING unnest($1::uuid[]) AS k(id)
CROSS JOIN LATERAL (SELECT t.shard, t.id FROM throughline.outbox t WHERE t.dead_letter_id = k.id OFFSET 0) t
WHERE o.shard = t.shard AND o.id = t.id;
