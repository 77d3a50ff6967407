-- :exec
UPDATE throughline.ingest_offset o SET crash_count = 0
FROM unnest($2::text[], $3::int[], $4::bigint[]) AS k(topic, partition, epoch)
WHERE o.consumer_group = $1::text AND o.topic = k.topic AND o.partition = k.partition AND o.epoch = k.epoch;
