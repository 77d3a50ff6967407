-- :many  Looks at some letters of a topic in the order of the log, whole records, and gives those that pass the filter, whose NULL is
-- anything. The first two columns are where it ended; one row of NULLs when none passed, no row at the end.
WITH page AS MATERIALIZED (
  SELECT d.id, d.tenant_id, d.topic, d.partition, d.record_offset, d.element, d.reason, d.detail, d.attempt, d.value_bytes,
    d.created_at, d.replayed_at
  FROM throughline.dead_letter d
  WHERE d.topic = $1::text AND (d.partition, d.record_offset) > ($2::int, $3::bigint)
    AND (d.partition, d.record_offset) <= ($4::int, $5::bigint)
  ORDER BY d.topic, d.partition, d.record_offset
  FETCH FIRST ($6::int) ROWS WITH TIES
)
SELECT e.partition, e.record_offset, p.*
FROM (SELECT partition, record_offset FROM page ORDER BY partition DESC, record_offset DESC LIMIT 1) e
LEFT JOIN page p ON ($7::text IS NULL OR p.reason = $7) AND ($8::text IS NULL OR p.tenant_id = $8)
  AND ($9::bool IS NULL OR (p.replayed_at IS NOT NULL) = $9)
  AND p.id >= $10::uuid AND p.id < $11::uuid AND p.created_at <= $12::timestamptz
ORDER BY p.partition, p.record_offset, p.created_at, p.id;
