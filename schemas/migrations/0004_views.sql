-- What people and dashboards read. The views show a reader what that reader may see of the tables.

-- Every conversation by its customer, for look-ups by either partial index.
CREATE VIEW throughline.customer_conversation WITH (security_invoker = true) AS
SELECT c.tenant_id, c.customer_id, c.id, c.reference, c.merged_into, c.opened_at, c.resolved_at
FROM throughline.conversation c WHERE c.status IN ('open', 'pending', 'snoozed')
UNION ALL
SELECT c.tenant_id, c.customer_id, c.id, c.reference, c.merged_into, c.opened_at, c.resolved_at
FROM throughline.conversation c WHERE c.status NOT IN ('open', 'pending', 'snoozed');

-- One row per live conversation.
CREATE VIEW throughline.conversation_overview WITH (security_invoker = true) AS
SELECT c.tenant_id, c.id AS conversation_id, c.reference, c.customer_id, u.display_name AS customer_name, c.status, m.channels,
  c.owner_kind, c.owner_id, coalesce(a.name, c.owner_id) AS owner, c.queue_id, coalesce(q.name, c.queue_id) AS queue,
  c.waiting_since, c.priority + c.queue_priority AS priority, c.language, c.subject, c.last_message_at, c.version
FROM throughline.conversation c
JOIN throughline.customer u ON u.tenant_id = c.tenant_id AND u.id = c.customer_id
LEFT JOIN throughline.agent a ON a.tenant_id = c.tenant_id AND a.id = c.owner_id AND c.owner_kind = 'agent'
LEFT JOIN throughline.queue q ON q.tenant_id = c.tenant_id AND q.id = c.queue_id
CROSS JOIN LATERAL (
  -- In the order of their first use.
  SELECT array_agg(m.channel ORDER BY m.first_at) AS channels
  FROM (
    SELECT m.channel, min(m.ordered_at) AS first_at FROM throughline.message m
    WHERE m.conversation_id = c.id AND m.tenant_id = c.tenant_id AND m.direction <> 'internal' AND m.deleted_at IS NULL
    GROUP BY m.channel
  ) m
) m
WHERE c.status IN ('open', 'pending', 'snoozed');

-- All that happened with a customer, over all channels and conversations; of those who became one, under the one that they are now.
-- Times of messages, claims, links and merges are those of the messages, times of ownership the router's.
CREATE VIEW throughline.customer_timeline WITH (security_invoker = true) AS
-- message, call, note, handoff
SELECT c.tenant_id, c.customer_id, m.ordered_at AS at,
  CASE WHEN m.direction = 'internal' AND m.author_kind = 'bot' THEN 'handoff' WHEN m.direction = 'internal' THEN 'note'
    WHEN m.channel = 'voice' THEN 'call' ELSE 'message' END AS kind,
  m.channel, c.id AS conversation_id, c.reference AS conversation, m.author_kind::text AS author_kind,
  CASE m.author_kind WHEN 'customer' THEN u.display_name ELSE coalesce(a.name, m.author_id) END AS author,
  m.text,
  m.details || jsonb_build_object('direction', m.direction, 'external_id', m.external_id, 'delivery_status', m.delivery_status)
    AS details
FROM throughline.customer_conversation c
JOIN throughline.message m ON m.conversation_id = c.id AND m.tenant_id = c.tenant_id
JOIN throughline.customer u ON u.tenant_id = c.tenant_id AND u.id = c.customer_id
LEFT JOIN throughline.agent a ON a.tenant_id = c.tenant_id AND a.id = m.author_id AND m.author_kind = 'agent'
WHERE m.deleted_at IS NULL
UNION ALL
SELECT s.tenant_id, s.customer_id, s.at, 'channel_switched', s.channel, s.conversation_id, s.conversation, s.author_kind, NULL,
  NULL, jsonb_build_object('from', s.previous, 'to', s.channel)
FROM (
  SELECT c.tenant_id, c.customer_id, m.ordered_at AS at, m.channel, c.id AS conversation_id, c.reference AS conversation,
    m.author_kind::text AS author_kind,
    lag(m.channel) OVER (PARTITION BY c.tenant_id, c.customer_id, c.id ORDER BY m.ordered_at, m.id) AS previous
  FROM throughline.customer_conversation c
  JOIN throughline.message m ON m.conversation_id = c.id AND m.tenant_id = c.tenant_id
  WHERE m.deleted_at IS NULL AND m.direction <> 'internal'
) s
WHERE s.previous <> s.channel
UNION ALL
SELECT c.tenant_id, c.customer_id, c.opened_at, 'opened', NULL, c.id, c.reference, NULL, NULL, NULL, '{}'
FROM throughline.customer_conversation c WHERE c.merged_into IS NULL
UNION ALL
SELECT c.tenant_id, c.customer_id, c.resolved_at, 'resolved', NULL, c.id, c.reference, NULL, NULL, NULL, '{}'
FROM throughline.customer_conversation c WHERE c.merged_into IS NULL AND c.resolved_at IS NOT NULL
UNION ALL
-- assigned, or offered as long as nobody has accepted
SELECT c.tenant_id, c.customer_id, coalesce(g.accepted_at, g.offered_at),
  CASE WHEN g.accepted_at IS NULL THEN 'offered' ELSE 'assigned' END, g.channel, c.id, c.reference, 'agent',
  coalesce(a.name, g.agent_id), NULL, jsonb_build_object('agent_id', g.agent_id, 'queue_id', g.queue_id, 'epoch', g.epoch)
FROM throughline.customer_conversation c
JOIN throughline.assignment g ON g.conversation_id = c.id AND g.tenant_id = c.tenant_id
LEFT JOIN throughline.agent a ON a.tenant_id = c.tenant_id AND a.id = g.agent_id
UNION ALL
SELECT c.tenant_id, c.customer_id, g.ended_at, 'unassigned', g.channel, c.id, c.reference, 'agent', coalesce(a.name, g.agent_id),
  NULL, jsonb_build_object('agent_id', g.agent_id, 'reason', g.end_reason)
FROM throughline.customer_conversation c
JOIN throughline.assignment g ON g.conversation_id = c.id AND g.tenant_id = c.tenant_id
LEFT JOIN throughline.agent a ON a.tenant_id = c.tenant_id AND a.id = g.agent_id
WHERE g.ended_at IS NOT NULL
UNION ALL
-- queued, and what a bot has
SELECT c.tenant_id, c.customer_id, s.started_at, CASE s.owner_kind WHEN 'bot' THEN 'assigned' ELSE 'queued' END, NULL, c.id,
  c.reference, s.owner_kind::text, coalesce(s.owner_id, q.name, s.queue_id), NULL,
  jsonb_build_object('queue_id', s.queue_id, 'epoch', s.position)
FROM throughline.customer_conversation c
JOIN throughline.conversation_segment s ON s.tenant_id = c.tenant_id AND s.conversation_id = c.id
LEFT JOIN throughline.queue q ON q.tenant_id = c.tenant_id AND q.id = s.queue_id
WHERE s.owner_kind = 'bot' OR (s.owner_kind = 'queue' AND s.queue_id IS NOT NULL)
UNION ALL
-- What somebody said about themselves.
SELECT s.tenant_id, u.id, s.created_at, 'claim', m.channel, m.conversation_id, m.reference, 'customer', u.display_name, s.value,
  jsonb_build_object('kind', s.kind, 'scope', s.scope)
FROM throughline.customer u
JOIN throughline.identity_claim s ON s.customer_id = u.id AND s.tenant_id = u.tenant_id
LEFT JOIN LATERAL (
  SELECT m.channel, m.conversation_id, c.reference FROM throughline.message m
  JOIN throughline.conversation c ON c.tenant_id = m.tenant_id AND c.id = m.conversation_id
  WHERE m.tenant_id = s.tenant_id AND m.id = s.message_id OFFSET 0
) m ON true
WHERE u.merged_into IS NULL
UNION ALL
SELECT s.tenant_id, u.merged_into, s.created_at, 'claim', m.channel, m.conversation_id, m.reference, 'customer', u.display_name, s.value,
  jsonb_build_object('kind', s.kind, 'scope', s.scope)
FROM throughline.customer u
JOIN throughline.identity_claim s ON s.customer_id = u.id AND s.tenant_id = u.tenant_id
LEFT JOIN LATERAL (
  SELECT m.channel, m.conversation_id, c.reference FROM throughline.message m
  JOIN throughline.conversation c ON c.tenant_id = m.tenant_id AND c.id = m.conversation_id
  WHERE m.tenant_id = s.tenant_id AND m.id = s.message_id OFFSET 0
) m ON true
WHERE u.merged_into IS NOT NULL
UNION ALL
-- reference_refused and the like: which conversation a reference led to
SELECT c.tenant_id, c.customer_id, l.created_at, l.reason, NULL, c.id, c.reference, NULL, NULL, o.reference,
  jsonb_build_object('conversation_id', l.linked_conversation_id)
FROM throughline.customer_conversation c
JOIN throughline.conversation_link l ON l.tenant_id = c.tenant_id AND l.conversation_id = c.id
JOIN throughline.conversation o ON o.tenant_id = l.tenant_id AND o.id = l.linked_conversation_id
UNION ALL
SELECT e.tenant_id, e.survivor_id, e.created_at, 'merged', NULL, NULL, NULL, NULL, l.display_name,
  (SELECT string_agg(DISTINCT k.item ->> 'kind', ', ') FROM jsonb_array_elements(e.evidence) AS k(item)),
  jsonb_build_object('rule', e.rule, 'evidence', e.evidence, 'customer_id', e.loser_id)
FROM throughline.merge_event e
JOIN throughline.customer u ON u.tenant_id = e.tenant_id AND u.id = e.survivor_id AND u.merged_into IS NULL
JOIN throughline.customer l ON l.tenant_id = e.tenant_id AND l.id = e.loser_id
UNION ALL
SELECT e.tenant_id, u.merged_into, e.created_at, 'merged', NULL, NULL, NULL, NULL, l.display_name,
  (SELECT string_agg(DISTINCT k.item ->> 'kind', ', ') FROM jsonb_array_elements(e.evidence) AS k(item)),
  jsonb_build_object('rule', e.rule, 'evidence', e.evidence, 'customer_id', e.loser_id)
FROM throughline.customer u
JOIN throughline.merge_event e ON e.survivor_id = u.id AND e.tenant_id = u.tenant_id
JOIN throughline.customer l ON l.tenant_id = e.tenant_id AND l.id = e.loser_id
WHERE u.merged_into IS NOT NULL;
