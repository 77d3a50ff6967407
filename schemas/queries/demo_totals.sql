-- :one  A tenant's day in numbers.
SELECT m.received, m.sent, m.twice, u.customers, u.merged, v.conversations, v.live, v.waiting, v.with_bots, v.unanswered, v.unfinished,
  a.assignments, a.unbalanced, g.online, g.over_capacity, d.dead_letters, p.parked, k.claims, l.refused
FROM (
  SELECT count(*) FILTER (WHERE m.direction = 'inbound') AS received, count(*) FILTER (WHERE m.direction = 'outbound') AS sent,
    count(*) FILTER (WHERE m.external_id IS NOT NULL)
      - count(DISTINCT (m.channel, m.account, m.external_id)) FILTER (WHERE m.external_id IS NOT NULL) AS twice
  FROM throughline.message m WHERE m.tenant_id = $1::text AND m.deleted_at IS NULL
) m
CROSS JOIN (
  SELECT count(*) FILTER (WHERE u.merged_into IS NULL) AS customers, count(u.merged_into) AS merged
  FROM throughline.customer u WHERE u.tenant_id = $1::text
) u
CROSS JOIN (
  SELECT count(*) AS conversations, count(*) FILTER (WHERE c.status IN ('open', 'pending', 'snoozed')) AS live,
    count(*) FILTER (WHERE c.status = 'open' AND c.owner_kind = 'queue') AS waiting,
    count(*) FILTER (WHERE c.status = 'open' AND c.owner_kind = 'bot') AS with_bots,
    count(*) FILTER (WHERE c.status = 'open' AND c.owner_kind <> 'bot' AND c.waiting_since IS NOT NULL) AS unanswered,
    count(*) FILTER (WHERE c.status = 'snoozed' OR c.status = 'open' AND c.owner_kind <> 'bot') AS unfinished
  FROM throughline.conversation c WHERE c.tenant_id = $1::text AND c.merged_into IS NULL
) v
CROSS JOIN (
  SELECT (SELECT count(*) FROM throughline.assignment a WHERE a.tenant_id = $1::text) AS assignments,
    -- Agents whose load is not that of what they have.
    count(*) FILTER (WHERE g.load <> g.units) AS unbalanced
  FROM (
    SELECT g.load, coalesce((
      SELECT sum(a.units) FROM throughline.assignment a
      WHERE CASE WHEN a.state <> 'ended' THEN a.tenant_id END = g.tenant_id AND a.agent_id = g.id), 0) AS units
    FROM throughline.agent g WHERE g.tenant_id = $1::text
  ) g
) a
CROSS JOIN (
  SELECT count(*) FILTER (WHERE g.state = 'online') AS online, count(*) FILTER (WHERE g.load > g.capacity + g.overcommit) AS over_capacity
  FROM throughline.agent g WHERE g.tenant_id = $1::text
) g
CROSS JOIN (SELECT count(*) AS dead_letters FROM throughline.dead_letter d WHERE d.tenant_id = $1::text) d
CROSS JOIN (SELECT count(*) AS parked FROM throughline.parked_event p WHERE p.tenant_id = $1::text) p
CROSS JOIN (SELECT count(*) AS claims FROM throughline.identity_claim k WHERE k.tenant_id = $1::text) k
CROSS JOIN (
  SELECT count(*) AS refused FROM throughline.conversation_link l WHERE l.tenant_id = $1::text AND l.reason = 'reference_refused'
) l;
