-- :many  Under customers_lock: the live conversation of each lane, and the two that ended last (a batch may open one again).
SELECT k.tenant_id, c.id
FROM unnest($1::text[], $2::uuid[], $3::text[]) AS k(tenant_id, customer_id, lane)
CROSS JOIN LATERAL (
  (SELECT c.id FROM throughline.conversation c
   WHERE c.tenant_id = k.tenant_id AND c.customer_id = k.customer_id AND c.lane = k.lane
     AND c.status IN ('open', 'pending', 'snoozed')
   LIMIT 1)
  UNION ALL
  (SELECT c.id FROM throughline.conversation c
   WHERE c.tenant_id = k.tenant_id AND c.customer_id = k.customer_id AND c.lane = k.lane
     AND c.status NOT IN ('open', 'pending', 'snoozed') AND c.merged_into IS NULL
   ORDER BY c.resolved_at DESC, c.id DESC LIMIT 2)
) c;
