-- :exec  Handed back: nobody holds these until the next claim, and whoever read a record alone has come back from it.
UPDATE throughline.ingest_offset o
SET owner = NULL, backend_pid = NULL, backend_start = NULL,
  probe_count = o.probe_count - CASE WHEN o.probe_epoch = o.epoch THEN 1 ELSE 0 END, probe_epoch = NULL
FROM unnest($2::text[], $3::int[], $4::bigint[]) AS k(topic, partition, epoch)
WHERE o.consumer_group = $1::text AND o.topic = k.topic AND o.partition = k.partition AND o.epoch = k.epoch;
