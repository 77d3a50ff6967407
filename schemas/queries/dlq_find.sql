-- :many
SELECT d.id, d.tenant_id, d.topic, d.partition, d.record_offset, d.element, d.reason, d.detail, d.attempt, d.value_bytes,
  d.created_at, d.replayed_at
FROM unnest($1::uuid[]) AS k(id)
CROSS JOIN LATERAL (SELECT d.* FROM throughline.dead_letter d WHERE d.id = k.id OFFSET 0) d
ORDER BY d.topic, d.partition, d.record_offset, d.created_at, d.id;
