-- :exec  After a reconnection: the rows of this worker name the new backend.
UPDATE throughline.ingest_offset
SET backend_pid = pg_backend_pid(),
  backend_start = (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = pg_backend_pid())
WHERE consumer_group = $1::text AND owner = $2::text;
