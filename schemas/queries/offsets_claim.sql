-- :many  Under offsets_lock: from here on, who holds an older epoch is fenced.
UPDATE throughline.ingest_offset o
SET epoch = o.epoch + 1, owner = $4::text, updated_at = now(), backend_pid = pg_backend_pid(),
  backend_start = (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = pg_backend_pid())
FROM unnest($2::text[], $3::int[]) AS k(topic, partition)
WHERE o.consumer_group = $1::text AND o.topic = k.topic AND o.partition = k.partition
RETURNING o.topic, o.partition, o.epoch, o.next_offset;
