-- :many  In the order of the keys, by whoever brings a name and whoever waits for it: one of them sees the other.
SELECT pg_advisory_xact_lock_shared(0), pg_advisory_xact_lock(('x' || substr(k.key::text, 1, 8))::bit(32)::int, ('x' || substr(k.key::text, 10, 4) || substr(k.key::text, 15, 4))::bit(32)::int)
FROM (SELECT DISTINCT key FROM unnest($1::uuid[]) AS k(key) ORDER BY key) k;
