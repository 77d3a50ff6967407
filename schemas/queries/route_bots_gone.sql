-- :many  Conversations with a bot that the policy does not name.
SELECT c.id FROM throughline.conversation c
WHERE CASE WHEN c.owner_kind = 'bot' AND c.status IN ('open', 'pending') THEN c.tenant_id END = $1::text AND c.owner_id <> ALL ($2::text[])
LIMIT $3::int;
