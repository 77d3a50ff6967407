-- :one  What has waited for thirty days waits in vain; what is unknown to this version is kept as long.
WITH gone AS (DELETE FROM throughline.parked_event p WHERE p.received_at < now() - interval '30 days' RETURNING 1)
SELECT count(*) FROM gone;
