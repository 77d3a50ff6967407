-- :many  In the order of tenants and ids, the same in every process; of any tenant.
SELECT c.tenant_id, c.id, c.customer_id, c.lane, c.status::text, c.version, c.event_seq, c.last_channel, c.language, c.subject,
  c.previous_conversation_id, c.opened_at, c.first_response_at, c.resolved_at, c.last_message_at, c.last_account, c.priority,
  c.customer_version, c.waiting_since, c.snoozed_until, c.handoff::text, c.owner_kind::text, c.owner_id, c.ownership_epoch,
  c.merged_into, c.origin_customer_id, c.automatic_count, c.automatic_since, c.ctid
FROM throughline.conversation c WHERE c.id = ANY($1::uuid[])
ORDER BY c.tenant_id, c.id FOR NO KEY UPDATE;
