-- :many  Under customers_lock: every live conversation of the customers.
SELECT k.tenant_id, c.id
FROM unnest($1::text[], $2::uuid[]) AS k(tenant_id, customer_id)
CROSS JOIN LATERAL (
  SELECT c.id FROM throughline.conversation c
  WHERE c.tenant_id = k.tenant_id AND c.customer_id = k.customer_id AND c.status IN ('open', 'pending', 'snoozed')
  OFFSET 0
) c;
