-- :many  Where human reference numbers lead.
SELECT k.position, c.id
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k(tenant_id, reference, position)
CROSS JOIN LATERAL (
  SELECT c.id FROM throughline.conversation c WHERE c.reference = k.reference AND c.tenant_id IS NOT DISTINCT FROM k.tenant_id OFFSET 0
) c;
