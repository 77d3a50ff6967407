-- :exec  Under route_agents_lock, before route_assignments_end and _start, which alone change a load.
UPDATE throughline.agent a
SET name = k.name, state = k.state, capacity = k.capacity, names_channels = k.names_channels,
  teams = ARRAY(SELECT jsonb_array_elements_text(k.teams::jsonb)), profile = k.profile, lease_expires_at = k.lease_expires_at,
  reported_at = k.reported_at, idle_since = k.idle_since, routing_seq = k.routing_seq,
  overcommit = greatest(0, a.load - k.capacity), version = a.version + k.matters::int
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bool[], $7::text[], $8::text[], $9::timestamptz[],
    $10::timestamptz[], $11::timestamptz[], $12::bigint[], $13::bool[])
  AS k(tenant_id, id, name, state, capacity, names_channels, teams, profile, lease_expires_at, reported_at, idle_since, routing_seq,
    matters)
CROSS JOIN LATERAL (SELECT t.ctid FROM throughline.agent t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0) t
WHERE a.ctid = t.ctid;
