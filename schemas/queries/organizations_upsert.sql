-- :exec  In id order. Domains come as JSON arrays: one array of arrays cannot be ragged.
INSERT INTO throughline.organization AS o (tenant_id, id, name, domains, account_manager, updated_at)
SELECT k.tenant_id, k.id, k.name, ARRAY(SELECT jsonb_array_elements_text(k.domains::jsonb)), k.account_manager, k.updated_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
  AS k(tenant_id, id, name, domains, account_manager, updated_at)
ON CONFLICT (tenant_id, id) DO UPDATE
SET name = excluded.name, domains = excluded.domains, account_manager = excluded.account_manager, updated_at = excluded.updated_at
WHERE o.updated_at <= excluded.updated_at;
