-- :exec  Pieces whose letter never came: the batch was fenced, or the worker died before it committed.
DELETE FROM throughline.dead_letter_piece p
WHERE p.created_at < now() - interval '1 day'
  AND NOT EXISTS (
    SELECT 1 FROM throughline.dead_letter d
    WHERE d.topic = p.topic AND d.partition = p.partition AND d.record_offset = p.record_offset);
