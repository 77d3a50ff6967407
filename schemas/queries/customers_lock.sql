-- :many  In id order, the same in every process.
SELECT k.position, c.display_name, c.verified, c.language, c.organization_id, c.profile_updated_at, c.event_seq,
  c.merged_into IS NOT NULL
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, id, position)
CROSS JOIN LATERAL (
  SELECT c.* FROM throughline.customer c WHERE c.tenant_id = k.tenant_id AND c.id = k.id
  FOR NO KEY UPDATE OFFSET 0
) c;
