-- :exec  An echo that came before its result was taken for a message of its own; it is the one that the result is about.
UPDATE throughline.message m SET deleted_at = k.at
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[]) AS k(tenant_id, id, conversation_id, external_id, at)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.message t
  WHERE t.conversation_id = k.conversation_id AND t.tenant_id = k.tenant_id AND t.external_id = k.external_id
    AND t.direction = 'outbound' AND t.id <> k.id AND t.deleted_at IS NULL
  OFFSET 0
) t
WHERE m.ctid = t.ctid;
