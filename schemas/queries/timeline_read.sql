-- :many  All that happened with a customer, the oldest first.
SELECT t.at, t.kind, t.channel, t.conversation, t.author_kind, t.author, t.text, t.details ->> 'direction',
  coalesce(t.details ->> 'from', t.details ->> 'agent_id', t.details ->> 'kind', t.details ->> 'rule', t.details ->> 'intent'),
  coalesce(t.details ->> 'queue_id', t.details ->> 'reason'), (t.details -> 'call' ->> 'duration_seconds')::bigint
FROM throughline.customer_timeline t
WHERE t.tenant_id = $1::text AND t.customer_id = $2::uuid
ORDER BY t.at;
