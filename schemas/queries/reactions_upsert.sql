-- :exec  Under the lock of the conversations: the newest word of each actor.
INSERT INTO throughline.reaction AS r (tenant_id, message_id, actor, slot, reaction, at)
SELECT k.* FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[]) AS k
ON CONFLICT (tenant_id, message_id, actor, slot) DO UPDATE SET reaction = excluded.reaction, at = excluded.at WHERE r.at <= excluded.at;
