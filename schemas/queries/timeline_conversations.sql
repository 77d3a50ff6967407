-- :many  These conversations, or what they have become part of, each with the customer's last message that an agent can answer.
SELECT n.position, c.id, c.reference, c.customer_id, u.display_name, u.verified, c.status::text, c.owner_kind::text, c.owner_id,
  c.ownership_epoch, c.version, c.queue_id, c.language, c.opened_at, c.waiting_since, c.first_response_at, c.last_message_at,
  m.channel, m.ordered_at, m.text, x.external_ids, o.is_offer
FROM unnest($2::uuid[]) WITH ORDINALITY AS n(id, position)
CROSS JOIN LATERAL (
  SELECT coalesce(c.merged_into, c.id) AS id FROM throughline.conversation c
  WHERE c.tenant_id = $1::text AND c.id = n.id OFFSET 0
) r
CROSS JOIN LATERAL (
  SELECT c.* FROM throughline.conversation c WHERE c.tenant_id = $1::text AND c.id = r.id OFFSET 0
) c
CROSS JOIN LATERAL (
  SELECT u.display_name, u.verified FROM throughline.customer u WHERE u.tenant_id = $1::text AND u.id = c.customer_id OFFSET 0
) u
LEFT JOIN LATERAL (
  SELECT m.channel, m.ordered_at, m.text FROM throughline.message m
  WHERE m.conversation_id = c.id AND m.tenant_id = $1::text AND m.direction = 'inbound' AND m.author_kind = 'customer'
    AND m.address IS NOT NULL
  ORDER BY m.channel = 'voice', m.ordered_at DESC LIMIT 1
) m ON true
CROSS JOIN LATERAL (
  SELECT string_agg(m.external_id, ' ' ORDER BY m.ordered_at) AS external_ids FROM throughline.message m
  WHERE m.conversation_id = c.id AND m.tenant_id = $1::text AND m.direction = 'inbound' AND m.deleted_at IS NULL
) x
CROSS JOIN LATERAL (
  SELECT count(*) > 0 AS is_offer FROM throughline.assignment a
  WHERE a.conversation_id = c.id AND a.tenant_id = $1::text AND a.state = 'offered'
) o;
