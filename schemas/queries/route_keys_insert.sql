-- :many  Those that nobody has applied before.
INSERT INTO throughline.message_key (tenant_id, key)
SELECT * FROM unnest($1::text[], $2::uuid[])
ON CONFLICT DO NOTHING
RETURNING tenant_id, key;
