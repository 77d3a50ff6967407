-- :many  What bots said when they gave up.
SELECT m.details ->> 'intent', m.details ->> 'language', m.details ->> 'reason',
  CASE WHEN jsonb_typeof(m.details -> 'transcript') = 'array' THEN jsonb_array_length(m.details -> 'transcript') ELSE 0 END
FROM throughline.message m
WHERE m.tenant_id = $1::text AND m.conversation_id = $2::uuid AND m.direction = 'internal' AND m.author_kind = 'bot'
ORDER BY m.ordered_at;
