-- :exec  Begins assignments and takes their load, in one; those that have ended already take none.
WITH new AS (
  INSERT INTO throughline.assignment (tenant_id, id, conversation_id, agent_id, queue_id, state, epoch, channel, units, offered_at,
    accept_by, accepted_at, ended_at, end_reason, excluded_until)
  SELECT k.tenant_id, k.id, k.conversation_id, k.agent_id, k.queue_id, k.state, k.epoch, k.channel, k.units, $3::timestamptz,
    k.accept_by, k.accepted_at, k.ended_at, k.end_reason, k.excluded_until
  FROM (
    SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS id, unnest($4::uuid[]) AS conversation_id,
      unnest($5::text[]) AS agent_id, unnest($6::text[]) AS queue_id, unnest($7::text[]) AS state, unnest($8::bigint[]) AS epoch,
      unnest($9::text[]) AS channel, unnest($10::int[]) AS units, unnest($11::timestamptz[]) AS accept_by,
      unnest($12::timestamptz[]) AS accepted_at, unnest($13::timestamptz[]) AS ended_at, unnest($14::text[]) AS end_reason,
      unnest($15::timestamptz[]) AS excluded_until
  ) k
  RETURNING tenant_id, agent_id, channel, units, state
), channels AS (
  UPDATE throughline.agent_channel c
  SET load = c.load + g.count
  FROM (SELECT tenant_id, agent_id, channel, count(*)::int AS count FROM new WHERE state <> 'ended' GROUP BY 1, 2, 3) g
  CROSS JOIN LATERAL (
    SELECT t.ctid FROM throughline.agent_channel t
    WHERE t.tenant_id = g.tenant_id AND t.agent_id = g.agent_id AND t.channel = g.channel OFFSET 0
  ) t
  WHERE c.ctid = t.ctid
)
UPDATE throughline.agent a
SET load = a.load + g.units, idle_since = greatest(a.idle_since, $3::timestamptz), version = a.version + 1
FROM (SELECT tenant_id, agent_id, sum(units) FILTER (WHERE state <> 'ended')::int AS units FROM new GROUP BY 1, 2) g
CROSS JOIN LATERAL (SELECT t.ctid FROM throughline.agent t WHERE t.tenant_id = g.tenant_id AND t.id = g.agent_id OFFSET 0) t
WHERE a.ctid = t.ctid AND g.units > 0;
