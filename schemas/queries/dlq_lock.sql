-- :many  Locks the letters and their siblings of the same records, so that nobody drops the one that gets the bytes.
SELECT d.id FROM throughline.dead_letter d
WHERE d.id IN (
  SELECT s.id
  FROM unnest($1::uuid[]) AS k(id)
  CROSS JOIN LATERAL (
    SELECT d.topic, d.partition, d.record_offset FROM throughline.dead_letter d WHERE d.id = k.id OFFSET 0
  ) r
  CROSS JOIN LATERAL (
    SELECT s.id FROM throughline.dead_letter s
    WHERE s.topic = r.topic AND s.partition = r.partition AND s.record_offset = r.record_offset OFFSET 0
  ) s)
ORDER BY d.id FOR UPDATE;
