-- :exec  What had become part of a conversation that is now part of another one.
UPDATE throughline.conversation c SET merged_into = k.into_id
FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS k(tenant_id, from_id, into_id)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.conversation t WHERE t.merged_into = k.from_id AND t.tenant_id = k.tenant_id OFFSET 0
) t
WHERE c.ctid = t.ctid;
