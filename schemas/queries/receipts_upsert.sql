-- :exec  Under the lock of the conversations: the first time of each.
INSERT INTO throughline.receipt AS r (tenant_id, message_id, status, recipient, at)
SELECT k.* FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[]) AS k
ON CONFLICT (tenant_id, message_id, status, recipient) DO UPDATE SET at = excluded.at WHERE excluded.at < r.at;
