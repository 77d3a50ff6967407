-- :exec  Under route_assignments_lock: ends assignments and gives their load back, in one.
WITH gone AS (
  UPDATE throughline.assignment a
  SET state = 'ended', ended_at = $3::timestamptz, end_reason = k.reason, excluded_until = k.excluded_until
  FROM (
    SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS id, unnest($4::text[]) AS reason,
      unnest($5::timestamptz[]) AS excluded_until
  ) k
  CROSS JOIN LATERAL (
    SELECT t.ctid, t.state FROM throughline.assignment t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0
  ) t
  WHERE a.ctid = t.ctid AND t.state <> 'ended'
  RETURNING a.tenant_id, a.agent_id, a.channel, a.units
), channels AS (
  UPDATE throughline.agent_channel c
  SET load = c.load - g.count, overcommit = greatest(0, c.load - g.count - c.capacity)
  FROM (SELECT tenant_id, agent_id, channel, count(*)::int AS count FROM gone GROUP BY 1, 2, 3) g
  CROSS JOIN LATERAL (
    SELECT t.ctid FROM throughline.agent_channel t
    WHERE t.tenant_id = g.tenant_id AND t.agent_id = g.agent_id AND t.channel = g.channel OFFSET 0
  ) t
  WHERE c.ctid = t.ctid
)
UPDATE throughline.agent a
SET load = a.load - g.units, overcommit = greatest(0, a.load - g.units - a.capacity), version = a.version + 1
FROM (SELECT tenant_id, agent_id, sum(units)::int AS units FROM gone GROUP BY 1, 2) g
CROSS JOIN LATERAL (SELECT t.ctid FROM throughline.agent t WHERE t.tenant_id = g.tenant_id AND t.id = g.agent_id OFFSET 0) t
WHERE a.ctid = t.ctid;
