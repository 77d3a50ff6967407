-- :exec  Under route_agents_lock, before route_assignments_end and _start, which alone change a load.
INSERT INTO throughline.agent AS a (tenant_id, id, name, state, capacity, names_channels, teams, profile, lease_expires_at,
  reported_at, idle_since, routing_seq)
SELECT k.tenant_id, k.id, k.name, k.state, k.capacity, k.names_channels, ARRAY(SELECT jsonb_array_elements_text(k.teams::jsonb)),
  k.profile, k.lease_expires_at, k.reported_at, k.idle_since, k.routing_seq
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bool[], $7::text[], $8::text[], $9::timestamptz[],
    $10::timestamptz[], $11::timestamptz[], $12::bigint[])
  AS k(tenant_id, id, name, state, capacity, names_channels, teams, profile, lease_expires_at, reported_at, idle_since, routing_seq)
ON CONFLICT (tenant_id, id) DO UPDATE
SET name = excluded.name, state = excluded.state, capacity = excluded.capacity, names_channels = excluded.names_channels,
  teams = excluded.teams, profile = excluded.profile, lease_expires_at = excluded.lease_expires_at,
  reported_at = excluded.reported_at, idle_since = excluded.idle_since, routing_seq = excluded.routing_seq,
  overcommit = greatest(0, a.load - excluded.capacity),
  version = a.version + CASE WHEN (a.profile, a.state) IS DISTINCT FROM (excluded.profile, excluded.state) THEN 1 ELSE 0 END
-- Somebody else was first with a new agent.
WHERE a.reported_at <= excluded.reported_at;
