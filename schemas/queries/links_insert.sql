-- :exec
INSERT INTO throughline.conversation_link (tenant_id, conversation_id, linked_conversation_id, reason, message_id, created_at)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::timestamptz[])
ON CONFLICT DO NOTHING;
