-- :exec  In key order: the newest word.
INSERT INTO throughline.consent AS c (tenant_id, channel, account, address, is_given, at)
SELECT k.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::timestamptz[]) AS k
ON CONFLICT (tenant_id, channel, account, address) DO UPDATE SET is_given = excluded.is_given, at = excluded.at WHERE c.at <= excluded.at;
