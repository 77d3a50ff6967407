-- :many  Under customers_lock: all that is known of customers who become one.
SELECT k.position, t.key, (t.value -> 'value')::text, t.value ->> 'source', (t.value ->> 'at')::timestamptz
FROM unnest($1::text[], $2::uuid[]) WITH ORDINALITY AS k(tenant_id, id, position)
CROSS JOIN LATERAL (
  SELECT c.traits FROM throughline.customer c WHERE c.tenant_id = k.tenant_id AND c.id = k.id OFFSET 0
) c
CROSS JOIN LATERAL jsonb_each(c.traits) t;
