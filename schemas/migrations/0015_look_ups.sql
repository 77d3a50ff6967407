-- While statistics say that there is next to nothing, reading a whole index costs no more than looking something up, and a worker's plan is
-- kept until somebody counts again. An index that covers some rows only is such a candidate for whatever implies its condition, so that
-- conversations that are due were looked for among all that are live, or had ended. What routers look for is now a key that no other index
-- has: the tenant, of rows that match.

-- In the order in which routers lock.
LOCK TABLE throughline.conversation, throughline.assignment, throughline.agent IN ACCESS EXCLUSIVE MODE;

DROP INDEX throughline.conversation_waiting, throughline.conversation_handed_off, throughline.conversation_with_bot,
  throughline.conversation_to_release, throughline.conversation_snoozed, throughline.conversation_resolved,
  throughline.assignment_offered, throughline.assignment_current, throughline.agent_gone_with_load;

CREATE INDEX conversation_waiting ON throughline.conversation
  ((CASE WHEN status = 'open' AND owner_kind = 'queue' AND merged_into IS NULL THEN tenant_id END))
  WHERE CASE WHEN status = 'open' AND owner_kind = 'queue' AND merged_into IS NULL THEN tenant_id END IS NOT NULL;
CREATE INDEX conversation_handed_off ON throughline.conversation
  ((CASE WHEN status = 'open' AND owner_kind = 'bot' AND handoff IS NOT NULL THEN tenant_id END))
  WHERE CASE WHEN status = 'open' AND owner_kind = 'bot' AND handoff IS NOT NULL THEN tenant_id END IS NOT NULL;
CREATE INDEX conversation_with_bot ON throughline.conversation
  ((CASE WHEN owner_kind = 'bot' AND status IN ('open', 'pending') THEN tenant_id END), owner_id)
  WHERE CASE WHEN owner_kind = 'bot' AND status IN ('open', 'pending') THEN tenant_id END IS NOT NULL;
CREATE INDEX conversation_to_release ON throughline.conversation
  ((CASE WHEN (owner_kind <> 'queue' OR queued_at IS NOT NULL) AND (status NOT IN ('open', 'pending') OR merged_into IS NOT NULL)
    THEN tenant_id END))
  WHERE CASE WHEN (owner_kind <> 'queue' OR queued_at IS NOT NULL) AND (status NOT IN ('open', 'pending') OR merged_into IS NOT NULL)
    THEN tenant_id END IS NOT NULL;
CREATE INDEX conversation_snoozed ON throughline.conversation
  ((CASE WHEN status = 'snoozed' THEN tenant_id END), snoozed_until)
  WHERE CASE WHEN status = 'snoozed' THEN tenant_id END IS NOT NULL;
CREATE INDEX conversation_resolved ON throughline.conversation
  ((CASE WHEN status = 'resolved' THEN tenant_id END), resolved_at)
  WHERE CASE WHEN status = 'resolved' THEN tenant_id END IS NOT NULL;
CREATE INDEX assignment_offered ON throughline.assignment
  ((CASE WHEN state = 'offered' THEN tenant_id END), accept_by)
  WHERE CASE WHEN state = 'offered' THEN tenant_id END IS NOT NULL;
CREATE INDEX agent_gone_with_load ON throughline.agent
  ((CASE WHEN state = 'offline' AND load > 0 THEN tenant_id END))
  WHERE CASE WHEN state = 'offline' AND load > 0 THEN tenant_id END IS NOT NULL;
-- The same rows as before, by another word: what an agent has is looked for among those that have not ended by their state.
CREATE UNIQUE INDEX assignment_current ON throughline.assignment (conversation_id, tenant_id) WHERE ended_at IS NULL;
