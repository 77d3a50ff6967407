-- :many  The business-scoped ids of the customers: whoever has another one in the same scope is somebody else.
SELECT k.position, i.scope, i.value
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, customer_id, position)
CROSS JOIN LATERAL (
  SELECT i.kind, i.scope, i.value, i.valid_to FROM throughline.identity i
  WHERE i.tenant_id = k.tenant_id AND i.customer_id = k.customer_id OFFSET 0
) i
WHERE i.kind = 'whatsapp' AND i.valid_to IS NULL AND i.value !~ '^[0-9]+$';
