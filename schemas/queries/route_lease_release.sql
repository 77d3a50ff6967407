-- :exec  On shutdown: the others need not wait for the leases to run out.
WITH router AS (DELETE FROM throughline.router WHERE owner = $1::text)
UPDATE throughline.router_lease SET owner = NULL, expires_at = '-infinity' WHERE owner = $1::text;
