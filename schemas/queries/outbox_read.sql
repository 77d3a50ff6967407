-- :many  The oldest unpublished rows of some shards, each in order, and a few of their dead letters, which are long. Rows that commit
-- later with a smaller id belong to other subjects. Without rows that are under way (a hashed look-up a row), and topics that take nothing more.
SELECT o.shard, o.id, o.topic, o.subjects, o.events, d.key, CASE WHEN d.value_bytes <= $4::bigint THEN d.value END, d.headers::text,
  d.value_bytes, d.topic, d.partition, d.record_offset, d.element, d.reason, d.detail, o.dead_letter_id
FROM unnest($1::smallint[]) AS s(shard)
CROSS JOIN LATERAL (
  (SELECT o.* FROM throughline.outbox o
  WHERE o.shard = s.shard AND o.events IS NOT NULL AND o.topic <> ALL ($6::text[]) AND o.id NOT IN (SELECT unnest($5::bigint[]))
  ORDER BY o.id LIMIT $2::int)
  UNION ALL
  (SELECT o.* FROM throughline.outbox o
  WHERE o.shard = s.shard AND o.events IS NULL AND o.topic <> ALL ($6::text[]) AND o.id NOT IN (SELECT unnest($5::bigint[]))
  ORDER BY o.id LIMIT $3::int)
) o
LEFT JOIN LATERAL (SELECT d.* FROM throughline.dead_letter d WHERE d.id = o.dead_letter_id OFFSET 0) d ON true;
