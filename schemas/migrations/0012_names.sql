-- Most messages are called by the key of their delivery: one table for both, and one index of random keys less.
-- Nothing may come to them any more, once the new one begins to be made.
LOCK TABLE throughline.message_ref, throughline.message_key IN ACCESS EXCLUSIVE MODE;
CREATE TABLE throughline.name AS
SELECT tenant_id, key, r.conversation_id, r.message_id, k.key IS NOT NULL AS seen
FROM throughline.message_ref r FULL JOIN throughline.message_key k USING (tenant_id, key);
DROP TABLE throughline.message_ref, throughline.message_key;
ALTER TABLE throughline.name RENAME TO message_ref;
ALTER TABLE throughline.message_ref
  ALTER COLUMN tenant_id SET NOT NULL,
  ALTER COLUMN key SET NOT NULL,
  -- A delivery with this key is stored. Of what is but a key, conversation and message are NULL, and it stays.
  ALTER COLUMN seen SET NOT NULL,
  ALTER COLUMN seen SET DEFAULT false,
  ADD PRIMARY KEY (key, tenant_id);
