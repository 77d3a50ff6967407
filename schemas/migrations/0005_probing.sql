-- A record that ends the process that reads it is found by reading alone, and quarantined.
ALTER TABLE throughline.ingest_offset
  -- How many owners in a row ended without handing the partition back, with crash_offset stored.
  ADD COLUMN crash_count int NOT NULL DEFAULT 0,
  ADD COLUMN crash_offset bigint,
  -- The record that is being read alone, under which claim, and how many of its readings before this one nobody came back from.
  ADD COLUMN probe_offset bigint,
  ADD COLUMN probe_epoch bigint,
  ADD COLUMN probe_count int NOT NULL DEFAULT 0;
