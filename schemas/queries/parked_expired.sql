-- :many  The names of what has waited for thirty days, and of what waits for none (NULL), a thousand at a time: in vain. Ids begin with
-- the time of their making.
SELECT DISTINCT p.target FROM (
  SELECT p.target FROM throughline.parked_event p
  WHERE p.id < (lpad(to_hex((extract(epoch FROM now() - interval '30 days') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
  ORDER BY p.id LIMIT 1000
) p;
