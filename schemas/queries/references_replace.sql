-- :exec  A message is here that others had only referred to or waited for, or that its echo was taken for.
UPDATE throughline.message_ref r SET conversation_id = k.conversation_id, message_id = k.message_id, seen = r.seen OR k.seen
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bool[])
  AS k(tenant_id, key, conversation_id, message_id, was, seen)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.message_ref t
  WHERE t.tenant_id = k.tenant_id AND t.key = k.key AND t.message_id IS NOT DISTINCT FROM k.was AND NOT (t.seen AND k.seen)
  FOR UPDATE OFFSET 0
) t
WHERE r.ctid = t.ctid;
