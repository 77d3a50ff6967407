-- :exec  After the broker acknowledged their records: all letters of a record, since all were in it.
UPDATE throughline.dead_letter d SET replayed_at = now()
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::timestamptz[]) AS k(topic, partition, record_offset, created_at)
CROSS JOIN LATERAL (
  SELECT s.id FROM throughline.dead_letter s
  WHERE s.topic = k.topic AND s.partition = k.partition AND s.record_offset = k.record_offset AND s.created_at = k.created_at OFFSET 0
) s
WHERE d.id = s.id;
