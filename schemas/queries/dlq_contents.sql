-- :many  What is kept of some records: all letters of one have its key and headers, one of them its value.
SELECT k.position, d.key, d.headers::text, d.value
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::timestamptz[]) WITH ORDINALITY
  AS k(topic, partition, record_offset, created_at, position)
CROSS JOIN LATERAL (
  SELECT d.key, d.headers, d.value FROM throughline.dead_letter d
  WHERE d.topic = k.topic AND d.partition = k.partition AND d.record_offset = k.record_offset AND d.created_at = k.created_at
  ORDER BY d.value IS NULL, d.id LIMIT 1
) d;
