-- :many  Ends the backends that these rows name, unless they are somebody else's by now: a stopped process keeps its locks for ever.
SELECT pg_terminate_backend(a.pid)
FROM throughline.ingest_offset o
JOIN unnest($2::text[], $3::int[]) AS k(topic, partition) USING (topic, partition)
JOIN pg_stat_activity a ON a.pid = o.backend_pid AND a.backend_start = o.backend_start
WHERE o.consumer_group = $1::text AND a.pid <> pg_backend_pid();
