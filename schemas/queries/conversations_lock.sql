-- :many  In id order, the same in every process.
SELECT c.tenant_id, c.id, c.customer_id, c.lane, c.status::text, c.version, c.event_seq, c.last_channel, c.language, c.subject,
  c.previous_conversation_id, c.opened_at, c.first_response_at, c.resolved_at, c.last_message_at, c.last_account, c.priority,
  c.customer_version, c.waiting_since, c.snoozed_until, c.handoff::text, c.owner_kind::text, c.owner_id, c.ownership_epoch,
  c.merged_into, c.origin_customer_id, c.automatic_count, c.automatic_since
FROM unnest($1::text[], $2::uuid[]) AS k(tenant_id, id)
CROSS JOIN LATERAL (
  SELECT c.* FROM throughline.conversation c WHERE c.tenant_id = k.tenant_id AND c.id = k.id
  FOR NO KEY UPDATE OFFSET 0
) c;
