-- :many  After sessions_lock: what waits for these names, in its order; a row for each address of the customer's side.
SELECT k.position, p.id, p.kind, p.channel, p.account, p.target_external_id, p.sent_at, p.received_at, p.details::text,
  p.change ->> 'is_attested', p.change ->> 'is_assured', p.change ->> 'author_kind', p.change ->> 'text', p.change ->> 'attachments',
  p.change ->> 'status', p.change ->> 'error', p.change ->> 'reaction', (p.change ->> 'name')::uuid, a.n, a.address
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, key, position)
CROSS JOIN LATERAL (
  SELECT p.* FROM throughline.parked_event p WHERE p.target = k.key AND p.tenant_id = k.tenant_id OFFSET 0
) p
LEFT JOIN LATERAL jsonb_array_elements_text(p.change -> 'addresses') WITH ORDINALITY AS a(address, n) ON true
ORDER BY p.id, a.n;
