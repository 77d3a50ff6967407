-- Dead letters as operators need them: how often each was tried, and look-ups by what went wrong.

ALTER TABLE throughline.dead_letter
  -- 1 for what the adapter published, one more for each retry: the header throughline_attempt of the record.
  ADD COLUMN attempt int NOT NULL DEFAULT 1;

-- Ids grow with time: the newest of a kind, and how many there are, without reading letters, which are long.
CREATE INDEX dead_letter_by_kind ON throughline.dead_letter (topic, reason, id)
  INCLUDE (tenant_id, partition, replayed_at);

-- Deleting a letter looks for the rows that refer to it.
CREATE INDEX outbox_by_letter ON throughline.outbox (dead_letter_id) WHERE dead_letter_id IS NOT NULL;
