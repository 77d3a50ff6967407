-- :many  Agents as the engine knows them.
SELECT k.position, a.version, a.state = 'online' AND a.lease_expires_at > $3::timestamptz, a.capacity, a.load, a.idle_since, a.teams, a.names_channels, c.channels,
  c.capacities, c.loads, s.skills, s.levels
FROM unnest($2::text[]) WITH ORDINALITY AS k(id, position)
CROSS JOIN LATERAL (SELECT a.* FROM throughline.agent a WHERE a.tenant_id = $1::text AND a.id = k.id OFFSET 0) a
CROSS JOIN LATERAL (
  SELECT array_agg(c.channel ORDER BY c.channel) AS channels, array_agg(c.capacity ORDER BY c.channel) AS capacities,
    array_agg(c.load ORDER BY c.channel) AS loads
  FROM throughline.agent_channel c WHERE c.tenant_id = $1::text AND c.agent_id = a.id
) c
CROSS JOIN LATERAL (
  SELECT array_agg(s.skill ORDER BY s.skill) AS skills, array_agg(s.level::int ORDER BY s.skill) AS levels
  FROM throughline.agent_skill s WHERE s.tenant_id = $1::text AND s.agent_id = a.id
) s;
