-- :exec  Values that would go with the letters go to the first sibling that stays.
UPDATE throughline.dead_letter d SET value = h.value
FROM unnest($1::uuid[]) AS k(id)
CROSS JOIN LATERAL (
  SELECT g.topic, g.partition, g.record_offset, g.created_at, g.value FROM throughline.dead_letter g
  WHERE g.id = k.id AND g.value IS NOT NULL OFFSET 0
) g
CROSS JOIN LATERAL (
  SELECT s.id, g.value FROM throughline.dead_letter s
  WHERE s.topic = g.topic AND s.partition = g.partition AND s.record_offset = g.record_offset AND s.created_at = g.created_at
    AND s.id <> ALL ($1::uuid[])
  ORDER BY s.id LIMIT 1
) h
WHERE d.id = h.id;
