-- :many  In id order, the same in every process.
SELECT c.tenant_id, c.id, c.customer_id, c.lane, c.status::text, c.version, c.event_seq, c.last_channel, c.language, c.subject,
  c.previous_conversation_id, c.opened_at, c.first_response_at, c.resolved_at, c.last_message_at
FROM unnest($1::text[], $2::uuid[]) AS k(tenant_id, id)
CROSS JOIN LATERAL (
  SELECT c.* FROM throughline.conversation c WHERE c.tenant_id = k.tenant_id AND c.id = k.id
  FOR NO KEY UPDATE OFFSET 0
) c;
