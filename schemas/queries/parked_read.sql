-- :many  After names_lock: what waits for these names, each in its order, the first thousand of a name; a row for each identifier of the
-- customer's side.
SELECT k.position, p.id, p.kind, p.channel, p.account, p.target_external_id, p.sent_at, p.received_at, p.details::text,
  p.change ->> 'is_attested', p.change ->> 'author_kind', p.change ->> 'text', p.change ->> 'attachments', p.change ->> 'status',
  p.change ->> 'error', p.change ->> 'reaction', (p.change ->> 'name')::uuid, i.item ->> 'kind', i.item ->> 'scope', i.item ->> 'value',
  i.item ->> 'assurance', i.n
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, key, position)
CROSS JOIN LATERAL (
  SELECT p.* FROM (
    SELECT p.* FROM throughline.parked_event p WHERE p.target = k.key AND p.tenant_id IS NOT DISTINCT FROM k.tenant_id OFFSET 0
  ) p
  ORDER BY p.id LIMIT 1000
) p
LEFT JOIN LATERAL jsonb_array_elements(p.change -> 'customer') WITH ORDINALITY AS i(item, n) ON true
ORDER BY p.id, i.n;
