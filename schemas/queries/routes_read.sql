-- :many  Under conversations_lock: the customer's last message on each channel and among each kind of readers, among the last 500 of the
-- conversation; or the hand-off of who has not written yet.
SELECT k.position, m.channel, m.visibility, m.account, m.address, m.reply_address, CASE WHEN m.is_heard THEN m.external_id END, m.ordered_at,
  m.id, m.is_heard
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, id, position)
CROSS JOIN LATERAL (
  SELECT DISTINCT ON (m.channel, m.visibility) m.channel, m.visibility, m.account, coalesce(m.address, m.reply_address) AS address,
    m.reply_address, m.external_id, m.ordered_at, m.id, m.direction = 'inbound' AS is_heard
  FROM (
    SELECT m.* FROM throughline.message m WHERE m.conversation_id = k.id AND m.tenant_id = k.tenant_id
    ORDER BY m.ordered_at DESC LIMIT 500
  ) m
  WHERE (m.direction, m.author_kind) IN (('inbound', 'customer'), ('internal', 'bot')) AND coalesce(m.address, m.reply_address) IS NOT NULL
    AND (m.channel <> 'ticket' OR m.reply_address IS NOT NULL)
  ORDER BY m.channel, m.visibility, m.direction, m.ordered_at DESC, m.id DESC
) m;
