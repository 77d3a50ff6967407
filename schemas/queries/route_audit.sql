-- :many  Pairs of a conversation that waits and an agent who may and can take it; at rest there are none.
SELECT v.id, g.id
FROM throughline.conversation v
LEFT JOIN throughline.queue q ON q.tenant_id = $1::text AND q.id = v.queue_id
CROSS JOIN LATERAL (
  SELECT coalesce(min(u.units), $4::int) AS units FROM unnest($2::text[], $3::int[]) AS u(channel, units)
  WHERE u.channel = v.last_channel
) u
JOIN throughline.agent g ON g.tenant_id = $1::text
WHERE CASE WHEN v.status = 'open' AND v.owner_kind = 'queue' AND v.merged_into IS NULL THEN v.tenant_id END = $1::text
  AND g.state = 'online' AND g.lease_expires_at > now() AND g.capacity - g.load >= u.units
  AND (NOT g.names_channels OR EXISTS (
    SELECT FROM throughline.agent_channel c
    WHERE c.tenant_id = $1::text AND c.agent_id = g.id AND c.channel = v.last_channel AND c.load < c.capacity OFFSET 0))
  AND (coalesce(cardinality(q.teams), 0) = 0 OR q.teams && g.teams)
  AND NOT EXISTS (
    SELECT FROM jsonb_each_text(q.skills) AS n(skill, level)
    WHERE NOT EXISTS (
      SELECT FROM throughline.agent_skill s
      WHERE s.tenant_id = $1::text AND s.agent_id = g.id AND s.skill = n.skill AND s.level >= n.level::int))
  AND (v.held_until IS NULL OR v.held_until <= now() OR g.id = ANY (v.held_for))
  AND NOT EXISTS (
    SELECT FROM throughline.assignment a
    WHERE a.conversation_id = v.id AND a.tenant_id IS NOT DISTINCT FROM $1::text AND a.agent_id = g.id
      AND a.excluded_until > now() OFFSET 0)
LIMIT 100;
