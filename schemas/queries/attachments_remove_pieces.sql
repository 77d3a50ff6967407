-- :exec  Of an album: what one of its pieces has brought.
DELETE FROM throughline.attachment a
USING unnest($1::text[], $2::uuid[], $3::text[]) AS k(tenant_id, message_id, piece)
CROSS JOIN LATERAL (
  SELECT m.details FROM throughline.message m WHERE m.tenant_id = k.tenant_id AND m.id = k.message_id OFFSET 0
) m
CROSS JOIN LATERAL jsonb_array_elements_text(m.details -> 'files' -> k.piece) AS f(id)
WHERE a.tenant_id = k.tenant_id AND a.message_id = k.message_id AND coalesce(a.provider_id, a.url) = f.id;
