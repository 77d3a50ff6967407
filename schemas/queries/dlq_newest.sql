-- :many  The newest letters of some kinds that pass the filter, whose NULL is anything. Counted in the index alone.
WITH found AS MATERIALIZED (
  SELECT f.id
  FROM unnest($1::text[], $2::text[]) AS k(topic, reason)
  CROSS JOIN LATERAL (
    SELECT d.id FROM throughline.dead_letter d
    WHERE d.topic = k.topic AND d.reason = k.reason AND d.id >= $3::uuid AND d.id < $4::uuid
      AND ($5::text IS NULL OR d.tenant_id = $5) AND ($6::bool IS NULL OR (d.replayed_at IS NOT NULL) = $6)
      AND ($7::int IS NULL OR d.partition = $7)
    ORDER BY d.id DESC LIMIT $8::int
  ) f
  ORDER BY f.id DESC LIMIT $8
)
SELECT d.id, d.tenant_id, d.topic, d.partition, d.record_offset, d.element, d.reason, d.detail, d.attempt, d.value_bytes,
  d.created_at, d.replayed_at
FROM found f
CROSS JOIN LATERAL (SELECT d.* FROM throughline.dead_letter d WHERE d.id = f.id OFFSET 0) d
ORDER BY d.id DESC;
