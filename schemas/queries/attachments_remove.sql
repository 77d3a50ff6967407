-- :exec  Single ones, known by the provider's ids. Under conversations_lock.
DELETE FROM throughline.attachment a
USING unnest($1::text[], $2::uuid[], $3::text[]) AS k(tenant_id, message_id, attachments)
CROSS JOIN LATERAL jsonb_array_elements(k.attachments::jsonb) AS f(file)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.attachment t
  WHERE t.tenant_id = k.tenant_id AND t.message_id = k.message_id AND t.provider_id = f.file ->> 'provider_id' OFFSET 0
) t
WHERE a.ctid = t.ctid;
