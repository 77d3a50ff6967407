-- :many  Under offsets_lock: from here on, who holds an older epoch is fenced. An owner who is still named has not come to hand it back.
UPDATE throughline.ingest_offset o
SET epoch = o.epoch + 1, owner = $4::text, updated_at = now(), backend_pid = pg_backend_pid(),
  backend_start = (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()),
  crash_offset = o.next_offset,
  crash_count = CASE WHEN o.crash_offset IS NOT DISTINCT FROM o.next_offset THEN o.crash_count ELSE 0 END
    + CASE WHEN o.owner <> $4::text THEN 1 ELSE 0 END
FROM unnest($2::text[], $3::int[]) AS k(topic, partition)
WHERE o.consumer_group = $1::text AND o.topic = k.topic AND o.partition = k.partition
RETURNING o.topic, o.partition, o.epoch, o.next_offset, o.crash_count;
