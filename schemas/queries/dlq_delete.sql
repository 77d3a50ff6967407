-- :many  Which records they were of.
DELETE FROM throughline.dead_letter d
USING unnest($1::uuid[]) AS k(id)
WHERE d.id = k.id
RETURNING d.topic, d.partition, d.record_offset, d.created_at, d.value_bytes;
