-- :many  After conversations_update: what else the customers had is over. Nobody has locked these rows: they are locked by their key, so that
-- one that is changed meanwhile is waited for and moves all the same.
SELECT t.tenant_id, t.id, k.customer_id
FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS k(tenant_id, from_customer_id, customer_id)
CROSS JOIN LATERAL (
  SELECT t.tenant_id, t.id FROM throughline.conversation t
  WHERE t.customer_id = k.from_customer_id AND t.tenant_id = k.tenant_id
    AND t.status NOT IN ('open', 'pending', 'snoozed')
    AND (k.from_customer_id <> k.customer_id OR t.lane <> '')
  OFFSET 0
) t
CROSS JOIN LATERAL (
  SELECT FROM throughline.conversation c WHERE c.tenant_id = t.tenant_id AND c.id = t.id FOR NO KEY UPDATE OFFSET 0
) c;
