-- :exec  Behind those that are there; each once.
INSERT INTO throughline.attachment (tenant_id, message_id, position, kind, name, type, size_bytes, provider_id, url)
SELECT n.tenant_id, n.message_id,
  coalesce((SELECT max(a.position) FROM throughline.attachment a WHERE a.tenant_id = n.tenant_id AND a.message_id = n.message_id), -1)
    + row_number() OVER (PARTITION BY n.tenant_id, n.message_id ORDER BY n.position, n.n),
  n.file ->> 'kind', n.file ->> 'name', n.file ->> 'type', (n.file ->> 'size_bytes')::bigint, n.file ->> 'provider_id', n.file ->> 'url'
FROM (
  SELECT DISTINCT ON (k.tenant_id, k.message_id, coalesce(f.file ->> 'provider_id', f.file ->> 'url', f.file::text))
    k.tenant_id, k.message_id, k.position, f.file, f.n
  FROM unnest($1::text[], $2::uuid[], $3::text[]) WITH ORDINALITY AS k(tenant_id, message_id, attachments, position)
  CROSS JOIN LATERAL jsonb_array_elements(k.attachments::jsonb) WITH ORDINALITY AS f(file, n)
  WHERE NOT EXISTS (
    SELECT FROM throughline.attachment a
    WHERE a.tenant_id = k.tenant_id AND a.message_id = k.message_id
      AND coalesce(a.provider_id, a.url) = coalesce(f.file ->> 'provider_id', f.file ->> 'url') OFFSET 0)
  ORDER BY k.tenant_id, k.message_id, coalesce(f.file ->> 'provider_id', f.file ->> 'url', f.file::text), k.position, f.n
) n;
