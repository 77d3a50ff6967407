-- :many  After conversations_update: what else the customers had is over. `origin_customer_id` says where it began. Nobody has locked
-- these rows: they are found by their key, so that one that is changed meanwhile is waited for and moved all the same.
WITH found AS MATERIALIZED (
  SELECT t.tenant_id, t.id, k.customer_id
  FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS k(tenant_id, from_customer_id, customer_id)
  CROSS JOIN LATERAL (
    SELECT t.tenant_id, t.id FROM throughline.conversation t
    WHERE t.customer_id = k.from_customer_id AND t.tenant_id = k.tenant_id
      AND t.status NOT IN ('open', 'pending', 'snoozed')
      AND (k.from_customer_id <> k.customer_id OR t.lane <> '')
    OFFSET 0
  ) t
)
UPDATE throughline.conversation c
SET customer_id = f.customer_id, lane = '',
  origin_customer_id = CASE WHEN c.customer_id <> f.customer_id THEN coalesce(c.origin_customer_id, c.customer_id)
    ELSE c.origin_customer_id END
FROM found f
WHERE c.tenant_id = f.tenant_id AND c.id = f.id AND c.id = ANY (ARRAY(SELECT id FROM found))
RETURNING c.tenant_id, c.id, c.customer_id;
