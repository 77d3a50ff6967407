-- :exec  Under conversations_to_move. `origin_customer_id` says where it began.
UPDATE throughline.conversation c
SET customer_id = k.customer_id, lane = '',
  origin_customer_id = CASE WHEN c.customer_id <> k.customer_id THEN coalesce(c.origin_customer_id, c.customer_id)
    ELSE c.origin_customer_id END
FROM unnest($1::text[], $2::uuid[], $3::uuid[]) AS k(tenant_id, id, customer_id)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.conversation t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0
) t
WHERE c.ctid = t.ctid;
