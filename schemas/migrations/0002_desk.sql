-- Merges with their audit, what agents do, and what is sent.

ALTER TABLE throughline.customer
  -- The last seq of this subject on conversation.events.
  ADD COLUMN event_seq bigint NOT NULL DEFAULT 0;

ALTER TABLE throughline.conversation
  -- Another live conversation of the same lane, when two customers became one. Depth 1.
  ADD COLUMN merged_into uuid,
  -- NULL while it is with the customer it began with.
  ADD COLUMN origin_customer_id uuid,
  -- The account that the customer last wrote through.
  ADD COLUMN last_account text,
  -- The version that the last message of the customer made: who has not seen it may neither resolve nor snooze.
  ADD COLUMN customer_version bigint NOT NULL DEFAULT 0,
  -- The first message of the customer that nobody has answered; NULL when none waits.
  ADD COLUMN waiting_since timestamptz,
  ADD COLUMN snoozed_until timestamptz,
  -- Mail by machines in a day, and since when: above the cap it is a loop.
  ADD COLUMN automatic_count int NOT NULL DEFAULT 0,
  ADD COLUMN automatic_since timestamptz,
  -- {"message_id", "at"}: a bot asks for a human; its reasons and transcript are in the details of that message.
  ADD COLUMN handoff jsonb,
  -- One may become part of another that the same batch opens.
  ADD FOREIGN KEY (tenant_id, merged_into) REFERENCES throughline.conversation DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE throughline.message
  -- The customer's side as the channel calls it: sender, or recipient of what we sent.
  ADD COLUMN address text,
  -- NULL while they are where they began.
  ADD COLUMN origin_customer_id uuid,
  ADD COLUMN origin_conversation_id uuid,
  -- Of what we sent: 'queued', then the adapter's word.
  ADD COLUMN delivery_status text,
  ADD COLUMN delivery_error text;

-- One row per merge, with all that an undo needs.
CREATE TABLE throughline.merge_event (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  survivor_id uuid NOT NULL,
  loser_id uuid NOT NULL,
  -- record_evidence: one record reached both (rule 5); agent_identify: an agent's word was that record.
  rule text NOT NULL,
  -- [{"customer_id", "kind", "stated", "stored"}]
  evidence jsonb NOT NULL,
  -- The agent, of agent_identify.
  agent_id text,
  -- {"customers": [ids], "conversations": [{"from", "into"}]}: what moved is what has one of these as its origin.
  moved jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, survivor_id) REFERENCES throughline.customer,
  FOREIGN KEY (tenant_id, loser_id) REFERENCES throughline.customer
);
CREATE INDEX merge_event_by_survivor ON throughline.merge_event (survivor_id, tenant_id);

-- Pairs that somebody has said to be two people; a row for each direction.
CREATE TABLE throughline.never_merge (
  tenant_id text COLLATE "C" NOT NULL,
  customer_id uuid NOT NULL,
  other_customer_id uuid NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, customer_id, other_customer_id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES throughline.customer,
  FOREIGN KEY (tenant_id, other_customer_id) REFERENCES throughline.customer
);

-- The last seq of a conversation on outbound.<channel>.
CREATE TABLE throughline.outbound_seq (
  tenant_id text COLLATE "C" NOT NULL,
  conversation_id uuid NOT NULL,
  channel text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  PRIMARY KEY (tenant_id, conversation_id, channel),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES throughline.conversation
);

-- What points at something that has become part of something else.
CREATE INDEX customer_merged ON throughline.customer (merged_into, tenant_id) WHERE merged_into IS NOT NULL;
CREATE INDEX conversation_merged ON throughline.conversation (merged_into, tenant_id) WHERE merged_into IS NOT NULL;
