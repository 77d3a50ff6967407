-- :maybe  The record at $5 is read alone; how many of its readings nobody came back from. No row: the partition is somebody else's.
UPDATE throughline.ingest_offset o
SET probe_offset = $5::bigint, probe_epoch = o.epoch,
  probe_count = CASE WHEN o.probe_offset IS DISTINCT FROM $5::bigint THEN 0
    -- Said again under the same claim: the reply was lost, and nobody with it.
    WHEN o.probe_epoch = o.epoch THEN o.probe_count ELSE o.probe_count + 1 END
FROM unnest($2::text[], $3::int[], $4::bigint[]) AS k(topic, partition, epoch)
WHERE o.consumer_group = $1::text AND o.topic = k.topic AND o.partition = k.partition AND o.epoch = k.epoch
RETURNING o.probe_count;
