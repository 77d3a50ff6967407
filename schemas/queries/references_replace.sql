-- :exec  A message is here that others had only referred to or waited for, or that its echo was taken for.
UPDATE throughline.message_ref r SET conversation_id = k.conversation_id, message_id = k.message_id, seen = r.seen OR k.seen
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS key, unnest($3::uuid[]) AS conversation_id,
    unnest($4::uuid[]) AS message_id, unnest($5::uuid[]) AS was, unnest($6::bool[]) AS seen
) k
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.message_ref t
  WHERE t.tenant_id = k.tenant_id AND t.key = k.key AND t.message_id IS NOT DISTINCT FROM k.was AND NOT (t.seen AND k.seen)
  FOR UPDATE OFFSET 0
) t
WHERE r.ctid = t.ctid;
