-- :many  In id order, after conversations and assignments.
SELECT k.position, a.name, a.state, a.capacity, a.load, a.names_channels, a.teams, a.profile, a.lease_expires_at,
  a.reported_at, a.idle_since, a.routing_seq
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::text[]) AS id, generate_series(1, cardinality($1::text[])::bigint) AS position
) k
CROSS JOIN LATERAL (
  SELECT a.* FROM throughline.agent a WHERE a.tenant_id = k.tenant_id AND a.id = k.id
  FOR NO KEY UPDATE OFFSET 0
) a;
