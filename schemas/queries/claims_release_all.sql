-- :exec  Handed back, when a worker ends in order: all that it holds, whether it knows or not.
UPDATE throughline.ingest_offset o
SET owner = NULL, backend_pid = NULL, backend_start = NULL,
  probe_count = o.probe_count - CASE WHEN o.probe_epoch = o.epoch THEN 1 ELSE 0 END, probe_epoch = NULL
WHERE o.consumer_group = $1::text AND o.owner = $2::text;
