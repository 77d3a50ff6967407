-- :many  How many letters of some kinds pass the filter, whose NULL is anything, and the first and last of them: the index says it all.
SELECT k.topic, k.reason, c.count, c.first, c.last
FROM unnest($1::text[], $2::text[]) AS k(topic, reason)
CROSS JOIN LATERAL (
  SELECT count(*) AS count, min(d.id::text COLLATE "C")::uuid AS first, max(d.id::text COLLATE "C")::uuid AS last
  FROM throughline.dead_letter d
  WHERE d.topic = k.topic AND d.reason = k.reason AND d.id >= $3::uuid AND d.id < $4::uuid
    AND ($5::text IS NULL OR d.tenant_id = $5) AND ($6::bool IS NULL OR (d.replayed_at IS NOT NULL) = $6)
    AND ($7::int IS NULL OR d.partition = $7)
) c
WHERE c.count > 0;
