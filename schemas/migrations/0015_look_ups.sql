-- While statistics say that there is next to nothing, reading a whole index costs no more than looking something up, and a worker's plan is
-- kept until somebody counts again. An index that covers some rows only is such a candidate for whatever implies its condition, so that
-- conversations that are due were looked for among all that are live, or had ended. What routers look for is now a key that no other index
-- has: the tenant, of rows that match.

-- Routers lock conversations, what these have, agents; or agents, and read what they have.
LOCK TABLE throughline.conversation, throughline.agent, throughline.assignment IN ACCESS EXCLUSIVE MODE;

DROP INDEX throughline.conversation_waiting, throughline.conversation_handed_off, throughline.conversation_with_bot,
  throughline.conversation_to_release, throughline.conversation_snoozed, throughline.conversation_pending,
  throughline.conversation_resolved, throughline.assignment_offered, throughline.assignment_by_agent, throughline.agent_by_lease,
  throughline.agent_gone_with_load;

CREATE INDEX conversation_waiting ON throughline.conversation
  ((CASE WHEN status = 'open' AND owner_kind = 'queue' AND merged_into IS NULL THEN tenant_id END))
  WHERE CASE WHEN status = 'open' AND owner_kind = 'queue' AND merged_into IS NULL THEN tenant_id END IS NOT NULL;
CREATE INDEX conversation_handed_off ON throughline.conversation
  ((CASE WHEN status = 'open' AND owner_kind = 'bot' AND handoff IS NOT NULL THEN tenant_id END))
  WHERE CASE WHEN status = 'open' AND owner_kind = 'bot' AND handoff IS NOT NULL THEN tenant_id END IS NOT NULL;
CREATE INDEX conversation_with_bot ON throughline.conversation
  ((CASE WHEN owner_kind = 'bot' AND status IN ('open', 'pending') THEN tenant_id END))
  WHERE CASE WHEN owner_kind = 'bot' AND status IN ('open', 'pending') THEN tenant_id END IS NOT NULL;
CREATE INDEX conversation_to_release ON throughline.conversation
  ((CASE WHEN (owner_kind <> 'queue' OR queued_at IS NOT NULL) AND (status NOT IN ('open', 'pending') OR merged_into IS NOT NULL)
    THEN tenant_id END))
  WHERE CASE WHEN (owner_kind <> 'queue' OR queued_at IS NOT NULL) AND (status NOT IN ('open', 'pending') OR merged_into IS NOT NULL)
    THEN tenant_id END IS NOT NULL;
CREATE INDEX conversation_snoozed ON throughline.conversation
  ((CASE WHEN status = 'snoozed' THEN tenant_id END), snoozed_until)
  WHERE CASE WHEN status = 'snoozed' THEN tenant_id END IS NOT NULL;
CREATE INDEX conversation_pending ON throughline.conversation
  ((CASE WHEN quiet_since IS NOT NULL THEN tenant_id END), quiet_since)
  WHERE CASE WHEN quiet_since IS NOT NULL THEN tenant_id END IS NOT NULL;
CREATE INDEX conversation_resolved ON throughline.conversation
  ((CASE WHEN status = 'resolved' THEN tenant_id END), resolved_at)
  WHERE CASE WHEN status = 'resolved' THEN tenant_id END IS NOT NULL;
CREATE INDEX assignment_offered ON throughline.assignment
  ((CASE WHEN state = 'offered' THEN tenant_id END), accept_by)
  WHERE CASE WHEN state = 'offered' THEN tenant_id END IS NOT NULL;
CREATE INDEX assignment_by_agent ON throughline.assignment
  ((CASE WHEN state <> 'ended' THEN tenant_id END), agent_id, channel)
  WHERE CASE WHEN state <> 'ended' THEN tenant_id END IS NOT NULL;
CREATE INDEX agent_by_lease ON throughline.agent
  ((CASE WHEN state <> 'offline' OR load > 0 THEN tenant_id END), lease_expires_at)
  WHERE CASE WHEN state <> 'offline' OR load > 0 THEN tenant_id END IS NOT NULL;
CREATE INDEX agent_gone_with_load ON throughline.agent
  ((CASE WHEN state = 'offline' AND load > 0 THEN tenant_id END))
  WHERE CASE WHEN state = 'offline' AND load > 0 THEN tenant_id END IS NOT NULL;
