-- :many  The fence, and the first lock of every batch: who finds no row under its epoch has lost the partition.
SELECT o.topic, o.partition, o.next_offset
FROM unnest($2::text[], $3::int[], $4::bigint[]) AS k(topic, partition, epoch)
CROSS JOIN LATERAL (
  SELECT o.* FROM throughline.ingest_offset o
  WHERE o.consumer_group = $1::text AND o.topic = k.topic AND o.partition = k.partition AND o.epoch = k.epoch
  FOR UPDATE OFFSET 0
) o;
