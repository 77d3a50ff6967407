-- :many  Under route_agents_lock: what the agents take by channel (NULL: not named), and what they have.
SELECT k.position, x.channel, max(x.capacity), sum(x.live)::int
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k(tenant_id, id, position)
CROSS JOIN LATERAL (
  SELECT c.channel, c.capacity, 0 AS live FROM throughline.agent_channel c WHERE c.tenant_id = k.tenant_id AND c.agent_id = k.id
  UNION ALL
  SELECT a.channel, NULL, 1 FROM throughline.assignment a
  WHERE CASE WHEN a.state <> 'ended' THEN a.tenant_id END = k.tenant_id AND a.agent_id = k.id
) x
GROUP BY 1, 2;
