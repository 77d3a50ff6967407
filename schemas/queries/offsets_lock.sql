-- :many  Waits for whoever is committing these partitions. In order, so that two claimants never wait for each other.
SELECT o.topic, o.partition
FROM throughline.ingest_offset o JOIN unnest($2::text[], $3::int[]) AS k(topic, partition) USING (topic, partition)
WHERE o.consumer_group = $1::text
ORDER BY o.topic, o.partition
FOR UPDATE OF o;
