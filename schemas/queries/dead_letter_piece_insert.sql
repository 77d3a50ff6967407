-- :exec  The same record again, after a crash or a recreated topic, writes its pieces anew.
INSERT INTO throughline.dead_letter_piece (topic, partition, record_offset, piece, bytes)
VALUES ($1::text, $2::int, $3::bigint, $4::int, $5::bytea)
ON CONFLICT (topic, partition, record_offset, piece) DO UPDATE SET bytes = excluded.bytes, created_at = now();
