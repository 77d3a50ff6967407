-- :exec  What had become part of a conversation that is now part of another one.
UPDATE throughline.conversation c SET merged_into = k.into_id
FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS k(tenant_id, from_id, into_id)
CROSS JOIN LATERAL (
  SELECT t.tenant_id, t.id FROM throughline.conversation t WHERE t.merged_into = k.from_id AND t.tenant_id = k.tenant_id OFFSET 0
) t
WHERE c.tenant_id = t.tenant_id AND c.id = t.id;
