-- :exec  After a reconnection: the rows name the new backend.
UPDATE throughline.ingest_offset o
SET backend_pid = pg_backend_pid(),
  backend_start = (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = pg_backend_pid())
FROM unnest($2::text[], $3::int[], $4::bigint[]) AS k(topic, partition, epoch)
WHERE o.consumer_group = $1::text AND o.topic = k.topic AND o.partition = k.partition AND o.epoch = k.epoch;
