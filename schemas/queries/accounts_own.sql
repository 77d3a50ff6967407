-- :many  Which of these addresses and numbers are accounts of ours.
SELECT DISTINCT k.position
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k(tenant_id, value, position)
CROSS JOIN LATERAL (
  SELECT 1 FROM throughline.channel_account a WHERE a.tenant_id = k.tenant_id AND a.account = k.value OFFSET 0
) a;
