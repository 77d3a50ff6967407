-- :many  Whose the conversations are.
SELECT k.position, c.customer_id
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, id, position)
CROSS JOIN LATERAL (
  SELECT c.customer_id FROM throughline.conversation c WHERE c.tenant_id = k.tenant_id AND c.id = k.id OFFSET 0
) c;
