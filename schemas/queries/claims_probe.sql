-- :maybe  The record at $5 is read alone; how many of its readings nobody came back from. No row: the partition is somebody else's.
UPDATE throughline.ingest_offset o
SET probe_offset = $5::bigint, probe_epoch = o.epoch,
  probe_count = CASE WHEN o.probe_offset = $5::bigint THEN o.probe_count + 1 ELSE 0 END
FROM unnest($2::text[], $3::int[], $4::bigint[]) AS k(topic, partition, epoch)
WHERE o.consumer_group = $1::text AND o.topic = k.topic AND o.partition = k.partition AND o.epoch = k.epoch
RETURNING o.probe_count;
