-- :exec  Before route_agents_write; fewer rows than asked for: somebody else was first.
INSERT INTO throughline.agent (tenant_id, id, state, capacity, names_channels, teams, profile, lease_expires_at, reported_at,
  idle_since, version)
SELECT k.tenant_id, k.id, 'offline', 0, false, '{}', '', '-infinity', '-infinity', '-infinity', 0
FROM unnest($1::text[], $2::text[]) AS k(tenant_id, id)
ON CONFLICT DO NOTHING;
