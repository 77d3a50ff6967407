-- :many  The oldest thousand of what has waited for thirty days in vain, for a name or for none (NULL). Ids begin with the time of their making.
SELECT p.target, p.id FROM throughline.parked_event p
WHERE p.id < (lpad(to_hex((extract(epoch FROM now() - interval '30 days') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
ORDER BY p.id LIMIT 1000;
