-- :exec  Of an album: what one of its pieces has brought. Under conversations_lock.
DELETE FROM throughline.attachment a
USING unnest($1::text[], $2::uuid[], $3::text[]) AS k(tenant_id, message_id, piece)
CROSS JOIN LATERAL (
  SELECT m.details FROM throughline.message m WHERE m.tenant_id = k.tenant_id AND m.id = k.message_id OFFSET 0
) m
CROSS JOIN LATERAL jsonb_array_elements_text(m.details -> 'files' -> k.piece) AS f(id)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.attachment t
  WHERE t.tenant_id = k.tenant_id AND t.message_id = k.message_id AND coalesce(t.provider_id, t.url) = f.id OFFSET 0
) t
WHERE a.ctid = t.ctid;
