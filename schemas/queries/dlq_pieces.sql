-- :many  The values of long records, piece by piece.
SELECT k.position, p.bytes
FROM unnest($1::text[], $2::int[], $3::bigint[]) WITH ORDINALITY AS k(topic, partition, record_offset, position)
CROSS JOIN LATERAL (
  SELECT p.piece, p.bytes FROM throughline.dead_letter_piece p
  WHERE p.topic = k.topic AND p.partition = k.partition AND p.record_offset = k.record_offset OFFSET 0
) p
ORDER BY k.position, p.piece;
