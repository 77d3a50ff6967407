-- :many  Those of which nobody has stored a delivery.
INSERT INTO throughline.message_ref AS r (tenant_id, key, seen)
SELECT *, true FROM unnest($1::text[], $2::uuid[])
ON CONFLICT (key, tenant_id) DO UPDATE SET seen = true WHERE NOT r.seen
RETURNING tenant_id, key;
