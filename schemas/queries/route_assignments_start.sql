-- :exec  Begins assignments and takes their load, in one; those that have ended already take none.
WITH new AS (
  INSERT INTO throughline.assignment (tenant_id, id, conversation_id, agent_id, queue_id, state, epoch, channel, units, offered_at,
    accept_by, accepted_at, ended_at, end_reason, excluded_until)
  SELECT k.tenant_id, k.id, k.conversation_id, k.agent_id, k.queue_id, k.state, k.epoch, k.channel, k.units, $3::timestamptz,
    k.accept_by, k.accepted_at, k.ended_at, k.end_reason, k.excluded_until
  FROM unnest($1::text[], $2::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::int[],
      $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::timestamptz[])
    AS k(tenant_id, id, conversation_id, agent_id, queue_id, state, epoch, channel, units, accept_by, accepted_at, ended_at,
      end_reason, excluded_until)
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
