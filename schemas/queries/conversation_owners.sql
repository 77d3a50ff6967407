-- :many  Whose the conversations are, and under which ownership.
SELECT k.position, c.customer_id, c.ownership_epoch, c.merged_into IS NOT NULL
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, id, position)
CROSS JOIN LATERAL (
  SELECT c.* FROM throughline.conversation c WHERE c.tenant_id = k.tenant_id AND c.id = k.id OFFSET 0
) c;
