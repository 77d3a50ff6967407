-- :exec  On shutdown: the others need not wait for the lease to run out.
WITH publisher AS (DELETE FROM throughline.outbox_publisher WHERE owner = $1::text)
UPDATE throughline.outbox_shard SET owner = NULL, expires_at = '-infinity' WHERE owner = $1::text;
