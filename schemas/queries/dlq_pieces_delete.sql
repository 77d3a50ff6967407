-- :exec  The pieces of records without letters. Newer ones are of another record, of a topic that was made anew.
DELETE FROM throughline.dead_letter_piece p
USING unnest($1::text[], $2::int[], $3::bigint[], $4::timestamptz[]) AS k(topic, partition, record_offset, created_at)
WHERE p.topic = k.topic AND p.partition = k.partition AND p.record_offset = k.record_offset AND p.created_at <= k.created_at
  AND NOT EXISTS (
    SELECT FROM throughline.dead_letter d
    WHERE d.topic = k.topic AND d.partition = k.partition AND d.record_offset = k.record_offset);
