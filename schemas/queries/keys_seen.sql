-- :many  Which of these keys of deliveries have a row, and whether a delivery is stored or it is but a name; of any tenant.
SELECT r.tenant_id, r.key, r.seen FROM throughline.message_ref r WHERE r.key = ANY($1::uuid[]);
