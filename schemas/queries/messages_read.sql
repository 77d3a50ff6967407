-- :many  What is known of messages that something happens to: where they are, whose, how far they came and what was done to them.
SELECT k.position, m.conversation_id, m.direction::text, m.address, m.delivery_status, m.delivery_error, m.external_id, m.edited_at,
  m.deleted_at IS NOT NULL, m.ordered_at, m.address_kind
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, id, position)
CROSS JOIN LATERAL (
  SELECT m.* FROM throughline.message m WHERE m.tenant_id = k.tenant_id AND m.id = k.id OFFSET 0
) m;
