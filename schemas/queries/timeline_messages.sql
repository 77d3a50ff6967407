-- :many  The messages with these ids of their providers, and whose they are by now.
SELECT m.external_id, m.id, c.id, c.customer_id, m.channel, m.author_kind::text, m.ordered_at, m.delivery_status, m.address,
  m.details::text
FROM throughline.message m
CROSS JOIN LATERAL (
  SELECT c.id, c.customer_id FROM throughline.conversation c
  WHERE c.tenant_id = $1::text AND c.id = m.conversation_id OFFSET 0
) c
WHERE m.tenant_id = $1::text AND m.external_id = ANY ($2::text[]) AND m.deleted_at IS NULL
ORDER BY m.ordered_at;
