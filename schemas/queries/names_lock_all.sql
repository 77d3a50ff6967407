-- :many  All names at once.
SELECT pg_advisory_xact_lock(0);
