-- Who reads a message where it stands, and an answer there.
CREATE TYPE throughline.visibility AS ENUM ('private', 'group', 'public');

-- Neither rewrites the table. Of what earlier versions have stored nobody else is taken for a reader: an answer to it is for the customer
-- alone.
ALTER TABLE throughline.message
  ADD COLUMN visibility throughline.visibility NOT NULL DEFAULT 'private',
  -- Where an answer goes, as the provider's interface for sending calls it. NULL: to `address`.
  ADD COLUMN reply_address text;
