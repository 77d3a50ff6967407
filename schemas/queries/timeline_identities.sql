-- :many  Whose these identifiers are.
SELECT n.position, i.customer_id, i.assurance::text
FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS n(kind, scope, value, position)
CROSS JOIN LATERAL (
  SELECT i.customer_id, i.assurance FROM throughline.identity i
  WHERE i.tenant_id = $1::text AND i.kind = n.kind AND i.scope = n.scope AND i.value = n.value AND i.valid_to IS NULL OFFSET 0
) i;
