-- :exec  Under claims_lock.
UPDATE throughline.ingest_offset o SET next_offset = k.next_offset, updated_at = now()
FROM unnest($2::text[], $3::int[], $4::bigint[]) AS k(topic, partition, next_offset)
WHERE o.consumer_group = $1::text AND o.topic = k.topic AND o.partition = k.partition;
