-- :exec  What had become part of a conversation that is now part of another one.
WITH found AS MATERIALIZED (
  SELECT t.tenant_id, t.id, k.into_id
  FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS k(tenant_id, from_id, into_id)
  CROSS JOIN LATERAL (
    SELECT t.tenant_id, t.id FROM throughline.conversation t
    WHERE t.merged_into = k.from_id AND t.tenant_id IS NOT DISTINCT FROM k.tenant_id OFFSET 0
  ) t
)
UPDATE throughline.conversation c SET merged_into = f.into_id
FROM found f
WHERE c.tenant_id = f.tenant_id AND c.id = f.id AND c.id = ANY (ARRAY(SELECT id FROM found));
