-- :many  The oldest unpublished events of some shards. Rows that commit later with a smaller id belong to other subjects.
SELECT s.shard, o.id, o.topic, o.subject, o.value, d.key, d.value, d.headers::text, d.value_bytes, d.topic, d.partition, d.record_offset,
  d.element, d.reason, d.detail, o.dead_letter_id, o.event_id
FROM unnest($1::smallint[]) AS s(shard)
CROSS JOIN LATERAL (
  SELECT o.* FROM throughline.outbox o WHERE o.shard = s.shard ORDER BY o.id LIMIT $2::int
) o
LEFT JOIN LATERAL (SELECT d.* FROM throughline.dead_letter d WHERE d.id = o.dead_letter_id OFFSET 0) d ON true
ORDER BY o.id;
