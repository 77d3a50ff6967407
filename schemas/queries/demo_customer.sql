-- :one  What is known of a customer, and how often others were taken for them.
SELECT u.display_name, u.verified, o.name, o.account_manager, v.conversations, e.merges, s.suggestions
FROM throughline.customer u
LEFT JOIN throughline.organization o ON o.tenant_id = u.tenant_id AND o.id = u.organization_id
CROSS JOIN LATERAL (
  SELECT count(*) AS conversations FROM throughline.customer_conversation c
  WHERE c.tenant_id = u.tenant_id AND c.customer_id = u.id AND c.merged_into IS NULL
) v
CROSS JOIN LATERAL (
  SELECT count(*) AS merges FROM throughline.merge_event e WHERE e.tenant_id = u.tenant_id AND e.survivor_id = u.id
) e
CROSS JOIN LATERAL (
  SELECT count(*) AS suggestions FROM throughline.merge_suggestion s
  WHERE s.tenant_id = u.tenant_id AND u.id IN (s.customer_id, s.other_customer_id)
) s
WHERE u.tenant_id = $1::text AND u.id = $2::uuid;
