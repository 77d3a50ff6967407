-- :many  Under customers_lock: the live conversation of each lane; and, where there is none, messages are from before it or the batch ends it
-- after a long silence, the two that ended last (a batch may open one again).
SELECT k.tenant_id, c.id
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS customer_id, unnest($3::text[]) AS lane,
    unnest($4::timestamptz[]) AS earliest, unnest($5::timestamptz[]) AS silent_since
) k
LEFT JOIN LATERAL (
  SELECT c.id, c.opened_at, c.last_message_at FROM throughline.conversation c
  WHERE c.tenant_id = k.tenant_id AND c.customer_id = k.customer_id AND c.lane = k.lane
    AND c.status IN ('open', 'pending', 'snoozed')
  LIMIT 1
) l ON true
CROSS JOIN LATERAL (
  SELECT l.id WHERE l.id IS NOT NULL
  UNION ALL
  (SELECT c.id FROM throughline.conversation c
   WHERE (l.id IS NULL OR k.earliest < l.opened_at OR l.last_message_at < k.silent_since)
     AND c.tenant_id = k.tenant_id AND c.customer_id = k.customer_id AND c.lane = k.lane
     AND c.status NOT IN ('open', 'pending', 'snoozed') AND c.merged_into IS NULL
   ORDER BY c.resolved_at DESC, c.id DESC LIMIT 2)
) c;
