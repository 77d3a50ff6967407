-- :many  Those of these conversations that wait for an owner, with what routing asks of them.
SELECT k.position, v.version, v.ownership_epoch, v.last_channel, v.last_account, coalesce(v.language, v.handoff ->> 'language'),
  v.priority::int + v.queue_priority, coalesce(v.waiting_since, v.last_message_at), v.queue_id, v.queued_at, u.organization_id,
  v.handoff IS NOT NULL, o.account_manager, l.agent_id, x.agents, x.until, v.held_for, v.held_until
FROM unnest($2::uuid[]) WITH ORDINALITY AS k(id, position)
CROSS JOIN LATERAL (
  SELECT c.* FROM throughline.conversation c WHERE c.tenant_id IS NOT DISTINCT FROM $1::text AND c.id = k.id OFFSET 0
) v
CROSS JOIN LATERAL (
  SELECT u.organization_id FROM throughline.customer u WHERE u.tenant_id = $1::text AND u.id = v.customer_id OFFSET 0
) u
LEFT JOIN LATERAL (
  SELECT o.account_manager FROM throughline.organization o WHERE o.tenant_id = $1::text AND o.id = u.organization_id OFFSET 0
) o ON true
-- Who had this customer last.
LEFT JOIN LATERAL (
  SELECT a.agent_id
  FROM (
    SELECT p.id FROM throughline.conversation p
    WHERE p.customer_id = v.customer_id AND p.tenant_id IS NOT DISTINCT FROM $1::text AND p.status IN ('open', 'pending', 'snoozed')
    UNION ALL
    (SELECT p.id FROM throughline.conversation p
    WHERE p.customer_id = v.customer_id AND p.tenant_id IS NOT DISTINCT FROM $1::text AND p.status NOT IN ('open', 'pending', 'snoozed')
    ORDER BY p.resolved_at DESC NULLS LAST LIMIT 20)
  ) p
  CROSS JOIN LATERAL (
    SELECT a.agent_id, a.offered_at FROM throughline.assignment a
    WHERE a.conversation_id = p.id AND a.tenant_id IS NOT DISTINCT FROM $1::text AND a.accepted_at IS NOT NULL
    ORDER BY a.offered_at DESC LIMIT 1
  ) a
  ORDER BY a.offered_at DESC LIMIT 1
) l ON true
-- Who is not asked again yet.
CROSS JOIN LATERAL (
  SELECT array_agg(a.agent_id) AS agents, array_agg(a.excluded_until) AS until FROM throughline.assignment a
  WHERE a.conversation_id = v.id AND a.tenant_id IS NOT DISTINCT FROM $1::text AND a.excluded_until > $3::timestamptz
) x
WHERE v.status = 'open' AND v.owner_kind = 'queue' AND v.merged_into IS NULL;
