-- The rows that claims lock, made before so that no claim waits for an insert.
INSERT INTO throughline.ingest_offset (consumer_group, topic, partition)
SELECT $1::text, k.topic, k.partition FROM unnest($2::text[], $3::int[]) AS k(topic, partition)
ON CONFLICT DO NOTHING;
