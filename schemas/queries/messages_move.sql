-- :exec  Under conversations_lock. The origin stays what it was first.
UPDATE throughline.message m
SET conversation_id = k.into_id, customer_id = k.customer_id,
  origin_conversation_id = coalesce(m.origin_conversation_id, nullif(m.conversation_id, k.into_id)),
  origin_customer_id = coalesce(m.origin_customer_id, nullif(m.customer_id, k.customer_id))
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[]) AS k(tenant_id, from_id, into_id, customer_id)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.message t WHERE t.conversation_id = k.from_id AND t.tenant_id IS NOT DISTINCT FROM k.tenant_id OFFSET 0
) t
WHERE m.ctid = t.ctid;
