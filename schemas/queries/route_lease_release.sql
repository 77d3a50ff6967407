-- :exec  On shutdown: the others need not wait for the leases to run out.
UPDATE throughline.router_lease SET owner = NULL, expires_at = '-infinity' WHERE owner = $1::text;
