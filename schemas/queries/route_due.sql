-- :many  Conversations with something to tidy up: what is over, handed off, due, offered in vain, or held by somebody who is gone.
(SELECT c.id FROM throughline.conversation c
WHERE CASE
  WHEN (c.owner_kind <> 'queue' OR c.queued_at IS NOT NULL) AND (c.status NOT IN ('open', 'pending') OR c.merged_into IS NOT NULL)
  THEN c.tenant_id END = $1::text
LIMIT $6::int)
UNION
(SELECT c.id FROM throughline.conversation c
WHERE CASE WHEN c.status = 'open' AND c.owner_kind = 'bot' AND c.handoff IS NOT NULL THEN c.tenant_id END = $1::text
LIMIT $6::int)
UNION
(SELECT c.id FROM throughline.conversation c
WHERE CASE WHEN c.status = 'snoozed' THEN c.tenant_id END = $1::text AND c.snoozed_until <= $2::timestamptz AND c.merged_into IS NULL
ORDER BY c.snoozed_until LIMIT $6::int)
UNION
(SELECT c.id FROM throughline.conversation c
WHERE CASE WHEN c.status = 'resolved' THEN c.tenant_id END = $1::text AND c.resolved_at <= $3::timestamptz
ORDER BY c.resolved_at LIMIT $6::int)
UNION
(SELECT c.id FROM throughline.conversation c
WHERE CASE WHEN c.quiet_since IS NOT NULL THEN c.tenant_id END = $1::text AND c.quiet_since <= $4::timestamptz AND c.merged_into IS NULL
ORDER BY c.quiet_since LIMIT $6::int)
UNION
(SELECT a.conversation_id FROM throughline.assignment a
WHERE CASE WHEN a.state = 'offered' THEN a.tenant_id END = $1::text AND a.accept_by <= $2::timestamptz
LIMIT $6::int)
UNION
(SELECT a.conversation_id FROM throughline.assignment a
CROSS JOIN LATERAL (SELECT g.state FROM throughline.agent g WHERE g.tenant_id = $1::text AND g.id = a.agent_id OFFSET 0) g
WHERE CASE WHEN a.state = 'offered' THEN a.tenant_id END = $1::text AND g.state <> 'online'
LIMIT $6::int)
UNION
-- Answered without having been accepted.
(SELECT a.conversation_id FROM throughline.assignment a
CROSS JOIN LATERAL (
  SELECT c.status FROM throughline.conversation c WHERE c.tenant_id IS NOT DISTINCT FROM $1::text AND c.id = a.conversation_id OFFSET 0
) c
WHERE CASE WHEN a.state = 'offered' THEN a.tenant_id END = $1::text AND (c.status = 'pending' OR EXISTS (
  SELECT FROM throughline.message m
  WHERE m.conversation_id = a.conversation_id AND m.ordered_at >= a.offered_at AND m.tenant_id IS NOT DISTINCT FROM $1::text
    AND m.direction = 'outbound' AND m.author_kind = 'agent' AND m.author_id = a.agent_id))
LIMIT $6::int)
UNION
(SELECT a.conversation_id
FROM (SELECT g.id FROM throughline.agent g WHERE CASE WHEN g.state = 'offline' AND g.load > 0 THEN g.tenant_id END = $1::text) g
CROSS JOIN LATERAL (
  SELECT a.conversation_id FROM throughline.assignment a
  WHERE CASE WHEN a.state <> 'ended' THEN a.tenant_id END = $1::text AND a.agent_id = g.id AND $5::bool OFFSET 0
) a
LIMIT $6::int)
UNION
(SELECT a.conversation_id
FROM (
  SELECT g.id FROM throughline.agent g
  WHERE CASE WHEN g.state <> 'offline' OR g.load > 0 THEN g.tenant_id END = $1::text AND g.lease_expires_at <= $7::timestamptz
    AND g.load > 0
) g
CROSS JOIN LATERAL (
  SELECT a.conversation_id FROM throughline.assignment a
  WHERE CASE WHEN a.state <> 'ended' THEN a.tenant_id END = $1::text AND a.agent_id = g.id AND (a.state = 'offered' OR $5::bool)
  OFFSET 0
) a
LIMIT $6::int);
