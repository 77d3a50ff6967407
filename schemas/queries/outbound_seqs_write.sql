-- :exec  Under conversations_lock.
INSERT INTO throughline.outbound_seq (tenant_id, conversation_id, channel, seq)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[])
ON CONFLICT (tenant_id, conversation_id, channel) DO UPDATE SET seq = excluded.seq;
