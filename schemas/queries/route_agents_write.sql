-- :exec  Under route_agents_lock, before route_assignments_end and _start, which alone change a load.
UPDATE throughline.agent a
SET name = k.name, state = k.state, capacity = k.capacity, names_channels = k.names_channels,
  teams = ARRAY(SELECT jsonb_array_elements_text(k.teams::jsonb)), profile = k.profile, lease_expires_at = k.lease_expires_at,
  reported_at = k.reported_at, idle_since = k.idle_since, routing_seq = k.routing_seq,
  overcommit = greatest(0, a.load - k.capacity), version = a.version + k.matters::int
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::text[]) AS id, unnest($3::text[]) AS name, unnest($4::text[]) AS state,
    unnest($5::int[]) AS capacity, unnest($6::bool[]) AS names_channels, unnest($7::text[]) AS teams,
    unnest($8::text[]) AS profile, unnest($9::timestamptz[]) AS lease_expires_at, unnest($10::timestamptz[]) AS reported_at,
    unnest($11::timestamptz[]) AS idle_since, unnest($12::bigint[]) AS routing_seq, unnest($13::bool[]) AS matters
) k
CROSS JOIN LATERAL (SELECT t.ctid FROM throughline.agent t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0) t
WHERE a.ctid = t.ctid;
