-- What ingest does most often, cheaper: a conversation that takes one more message writes to no index, and identities are found by
-- what tells them apart.

-- An index on a column that every message changes makes each update write to every index of the row (no HOT), be it for other rows only.
DROP INDEX throughline.conversation_pending;
ALTER TABLE throughline.conversation
  -- Since when nobody has written, while it is pending.
  ADD COLUMN quiet_since timestamptz GENERATED ALWAYS AS (CASE WHEN status = 'pending' THEN last_message_at END) STORED;
CREATE INDEX conversation_pending ON throughline.conversation (quiet_since, tenant_id, id) WHERE quiet_since IS NOT NULL;

-- The value first: tenant, kind and scope are the same for most rows, and every comparison would begin with them.
CREATE UNIQUE INDEX identity_valid_by_value ON throughline.identity (value, kind, scope, tenant_id) WHERE valid_to IS NULL;
DROP INDEX throughline.identity_valid;

-- A reference is written in the transaction that writes or locks its conversation, and conversations stay: the check costs as much as the row.
ALTER TABLE throughline.message_ref DROP CONSTRAINT message_ref_tenant_id_conversation_id_fkey;
