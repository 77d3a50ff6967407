-- :many  What was said last about being written to at these addresses.
SELECT k.position, c.is_given, c.at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS k(tenant_id, channel, account, address, position)
CROSS JOIN LATERAL (
  SELECT c.* FROM throughline.consent c
  WHERE c.tenant_id = k.tenant_id AND c.channel = k.channel AND c.account = k.account AND c.address = k.address OFFSET 0
) c;
