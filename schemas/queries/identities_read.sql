-- :many
SELECT k.position, i.customer_id, i.assurance::text, i.shared, i.last_seen_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS k(tenant_id, kind, scope, value, position)
CROSS JOIN LATERAL (
  SELECT i.* FROM throughline.identity i
  WHERE i.tenant_id = k.tenant_id AND i.kind = k.kind AND i.scope = k.scope AND i.value = k.value AND i.valid_to IS NULL
  OFFSET 0
) i;
