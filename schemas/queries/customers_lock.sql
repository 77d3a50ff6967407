-- :many  In the order of tenants and ids, the same in every process; of any tenant.
SELECT c.tenant_id, c.id, c.display_name, c.verified, c.language, c.organization_id, c.profile_updated_at, c.event_seq,
  c.merged_into IS NOT NULL, c.identities_version
FROM throughline.customer c WHERE c.id = ANY($1::uuid[])
ORDER BY c.tenant_id, c.id FOR NO KEY UPDATE;
