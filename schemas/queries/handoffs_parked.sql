-- :many  After sessions_lock: bots that asked for a human before anything of their conversation was here.
SELECT k.position, p.id, p.details::text, p.sent_at, p.channel, p.account, p.received_at
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, key, position)
CROSS JOIN LATERAL (
  SELECT p.* FROM throughline.parked_event p WHERE p.target = k.key AND p.tenant_id = k.tenant_id OFFSET 0
) p
WHERE p.kind = 'handoff'
ORDER BY p.id;
