-- :many  Why a conversation was given to whom, the oldest first.
SELECT d.rule, d.queue_id, d.agent_id, d.taken, d.excluded::text
FROM throughline.routing_decision d
WHERE d.tenant_id = $1::text AND d.conversation_id = $2::uuid
ORDER BY d.created_at;
