-- :exec  Single ones, known by the provider's ids.
DELETE FROM throughline.attachment a
USING unnest($1::text[], $2::uuid[], $3::text[]) AS k(tenant_id, message_id, attachments), jsonb_array_elements(k.attachments::jsonb) AS f(file)
WHERE a.tenant_id = k.tenant_id AND a.message_id = k.message_id AND a.provider_id = f.file ->> 'provider_id';
