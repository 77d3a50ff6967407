-- The events of a transaction lie together: a row of the outbox holds as many of a shard and topic as fit into a page, since each row costs
-- its writer, its publisher and the one who deletes it as much as what is in it.

ALTER TABLE throughline.outbox
  -- Of each event, in order: the record's key, and its bytes. A letter's own bytes are in dead_letter.
  ADD COLUMN subjects text[],
  ADD COLUMN events bytea[];
UPDATE throughline.outbox SET subjects = ARRAY[subject], events = CASE WHEN value IS NOT NULL THEN ARRAY[value] END;
ALTER TABLE throughline.outbox
  ALTER COLUMN subjects SET NOT NULL,
  DROP COLUMN tenant_id,
  DROP COLUMN event_id,
  DROP COLUMN subject,
  DROP COLUMN seq,
  DROP COLUMN value,
  -- A row that fits into a page is kept in one piece, as it is.
  SET (toast_tuple_target = 8160, autovacuum_vacuum_threshold = 2000);
-- Letters have no events. With a predicate on the letter, a look-up by it could be planned as a scan of this index.
DROP INDEX throughline.outbox_letters;
CREATE INDEX outbox_letters ON throughline.outbox (shard, id) WHERE events IS NULL;

-- What is not published yet, an event a row, counted from 1 in `position`; `value` is NULL for letters.
CREATE VIEW throughline.outbox_event AS
SELECT o.shard, o.id, e.position, o.topic, e.subject, e.value, o.dead_letter_id, o.created_at
FROM throughline.outbox o CROSS JOIN LATERAL unnest(o.subjects, o.events) WITH ORDINALITY AS e (subject, value, position);
