-- What ingest needs: customers and their identities, conversations and messages, and the machinery of exactly-once effects.
-- Every key begins with the tenant; offsets, leases and dead letters belong to the installation. Other indexes begin with something
-- else: on an empty table PostgreSQL would as soon take any index that begins with the tenant as the right one, and keep that plan.

CREATE TYPE throughline.assurance AS ENUM ('A0', 'bearer', 'A1', 'A2', 'A3');
CREATE TYPE throughline.conversation_status AS ENUM ('open', 'pending', 'snoozed', 'resolved', 'closed');
CREATE TYPE throughline.owner_kind AS ENUM ('bot', 'queue', 'agent');
CREATE TYPE throughline.direction AS ENUM ('inbound', 'outbound', 'internal');
CREATE TYPE throughline.author_kind AS ENUM ('customer', 'agent', 'bot', 'system');

CREATE TABLE throughline.tenant (
  id text COLLATE "C" PRIMARY KEY,
  first_seen_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE throughline.channel_account (
  tenant_id text COLLATE "C" NOT NULL REFERENCES throughline.tenant,
  channel text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, channel, account)
);
-- Our own mailboxes and numbers are no customer's: looked up by value, whatever the channel.
CREATE INDEX channel_account_by_account ON throughline.channel_account (account, tenant_id);

CREATE TABLE throughline.organization (
  tenant_id text COLLATE "C" NOT NULL,
  -- The business's own id of it.
  id text COLLATE "C" NOT NULL,
  name text,
  domains text[] NOT NULL DEFAULT '{}',
  account_manager text,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id)
);

CREATE TABLE throughline.customer (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  display_name text,
  -- Some identity of it is at A1 or better.
  verified boolean NOT NULL,
  organization_id text COLLATE "C",
  merged_into uuid,
  language text,
  -- {"tier": {"value": "gold", "source": "crm", "at": "2026-05-12T09:14:07Z"}}
  traits jsonb NOT NULL DEFAULT '{}',
  -- When the business last said what it knows: older contacts change nothing.
  profile_updated_at timestamptz,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, organization_id) REFERENCES throughline.organization,
  FOREIGN KEY (tenant_id, merged_into) REFERENCES throughline.customer
) WITH (fillfactor = 90);

CREATE TABLE throughline.identity (
  tenant_id text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  scope text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  customer_id uuid NOT NULL,
  assurance throughline.assurance NOT NULL,
  origin_customer_id uuid NOT NULL,
  -- Seen on so many customers that it says nothing: never matched again.
  shared boolean NOT NULL DEFAULT false,
  first_seen_at timestamptz NOT NULL,
  -- To the hour: a new row version per message would be half of all writes.
  last_seen_at timestamptz NOT NULL,
  valid_to timestamptz,
  -- Identities are inserted before the customers they belong to: they are what two workers meet on.
  FOREIGN KEY (tenant_id, customer_id) REFERENCES throughline.customer DEFERRABLE INITIALLY DEFERRED
) WITH (fillfactor = 90);
CREATE UNIQUE INDEX identity_valid ON throughline.identity (tenant_id, kind, scope, value) WHERE valid_to IS NULL;
CREATE INDEX identity_by_customer ON throughline.identity (customer_id, tenant_id);

CREATE SEQUENCE throughline.conversation_reference AS bigint START 1001;
CREATE TABLE throughline.conversation (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  -- What people say on the phone. Gaps mean nothing.
  reference text NOT NULL DEFAULT 'TL-' || nextval('throughline.conversation_reference'),
  customer_id uuid NOT NULL,
  -- Empty: whatever the channel. Otherwise the channel account ('form/contact-es').
  lane text COLLATE "C" NOT NULL,
  status throughline.conversation_status NOT NULL,
  owner_kind throughline.owner_kind NOT NULL DEFAULT 'queue',
  owner_id text,
  ownership_epoch bigint NOT NULL DEFAULT 0,
  queue_id text,
  priority smallint NOT NULL DEFAULT 0,
  language text,
  subject text,
  -- Grows with every change.
  version bigint NOT NULL,
  -- The last seq of this subject on conversation.events.
  event_seq bigint NOT NULL,
  last_channel text NOT NULL,
  previous_conversation_id uuid,
  opened_at timestamptz NOT NULL,
  first_response_at timestamptz,
  resolved_at timestamptz,
  last_message_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (reference, tenant_id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES throughline.customer,
  FOREIGN KEY (tenant_id, previous_conversation_id) REFERENCES throughline.conversation
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX conversation_live ON throughline.conversation (customer_id, lane, tenant_id)
  WHERE status IN ('open', 'pending', 'snoozed');
CREATE INDEX conversation_ended ON throughline.conversation (customer_id, lane, tenant_id, resolved_at, id)
  WHERE status NOT IN ('open', 'pending', 'snoozed');

CREATE TABLE throughline.conversation_link (
  tenant_id text COLLATE "C" NOT NULL,
  conversation_id uuid NOT NULL,
  linked_conversation_id uuid NOT NULL,
  -- reference_refused: somebody else's message refers to it; reference_not_live: it was over, the live one took the message.
  reason text NOT NULL,
  message_id uuid NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, conversation_id, linked_conversation_id, reason),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES throughline.conversation,
  FOREIGN KEY (tenant_id, linked_conversation_id) REFERENCES throughline.conversation
);

CREATE TABLE throughline.message (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  conversation_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  channel text NOT NULL,
  account text NOT NULL,
  external_id text,
  direction throughline.direction NOT NULL,
  author_kind throughline.author_kind NOT NULL,
  author_id text,
  -- As the provider sent it; NULL where it sends none.
  sent_at timestamptz,
  received_at timestamptz NOT NULL,
  -- sent_at clamped to what is plausible: the order of the thread.
  ordered_at timestamptz NOT NULL,
  text text,
  reply_to_external_id text,
  edited_at timestamptz,
  deleted_at timestamptz,
  details jsonb NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES throughline.conversation
);
CREATE INDEX message_by_conversation ON throughline.message (conversation_id, ordered_at, tenant_id);

CREATE TABLE throughline.message_original (
  tenant_id text COLLATE "C" NOT NULL,
  message_id uuid NOT NULL,
  content_type text NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (tenant_id, message_id),
  FOREIGN KEY (tenant_id, message_id) REFERENCES throughline.message
);

CREATE TABLE throughline.attachment (
  tenant_id text COLLATE "C" NOT NULL,
  message_id uuid NOT NULL,
  position smallint NOT NULL,
  kind text NOT NULL,
  name text,
  type text,
  size_bytes bigint,
  provider_id text,
  url text,
  PRIMARY KEY (tenant_id, message_id, position),
  FOREIGN KEY (tenant_id, message_id) REFERENCES throughline.message
);

-- Keys are 16-byte hashes kept in a uuid: fixed width, compared as bytes.
CREATE TABLE throughline.message_key (
  tenant_id text COLLATE "C" NOT NULL,
  key uuid NOT NULL,
  PRIMARY KEY (tenant_id, key)
);

CREATE TABLE throughline.message_ref (
  tenant_id text COLLATE "C" NOT NULL,
  key uuid NOT NULL,
  conversation_id uuid NOT NULL,
  -- NULL while only others have referred to it.
  message_id uuid,
  PRIMARY KEY (tenant_id, key),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES throughline.conversation
);

CREATE TABLE throughline.identity_claim (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  customer_id uuid NOT NULL,
  message_id uuid,
  kind text NOT NULL,
  scope text NOT NULL,
  value text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES throughline.customer
);
CREATE INDEX identity_claim_by_customer ON throughline.identity_claim (customer_id, tenant_id);

CREATE TABLE throughline.merge_suggestion (
  tenant_id text COLLATE "C" NOT NULL,
  -- The smaller id first.
  customer_id uuid NOT NULL,
  other_customer_id uuid NOT NULL,
  -- merge_evidence: rule 5 would merge them; weaker_evidence: one record reaches both, below that.
  rule text NOT NULL,
  evidence jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, customer_id, other_customer_id, rule),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES throughline.customer,
  FOREIGN KEY (tenant_id, other_customer_id) REFERENCES throughline.customer
);

-- Events that are stored but change nothing yet: about a message that is not known (edit, receipt …), or of a kind that is not ('unknown').
CREATE TABLE throughline.parked_event (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  kind text NOT NULL,
  channel text NOT NULL,
  account text NOT NULL,
  customer_id uuid,
  target uuid,
  target_external_id text,
  sent_at timestamptz,
  received_at timestamptz NOT NULL,
  details jsonb NOT NULL,
  topic text NOT NULL,
  partition int NOT NULL,
  record_offset bigint NOT NULL,
  element int NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX parked_event_by_target ON throughline.parked_event (target, tenant_id) WHERE target IS NOT NULL;

CREATE TABLE throughline.ingest_offset (
  consumer_group text NOT NULL,
  topic text NOT NULL,
  partition int NOT NULL,
  -- Who commits under an older epoch is fenced.
  epoch bigint NOT NULL DEFAULT 0,
  owner text,
  -- The backend that may hold this row's lock, so that a claimant can end it.
  backend_pid int,
  backend_start timestamptz,
  -- NULL: nothing stored yet, start where Kafka says, or at the beginning.
  next_offset bigint,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE throughline.dead_letter (
  id uuid PRIMARY KEY,
  tenant_id text NOT NULL,
  topic text NOT NULL,
  partition int NOT NULL,
  record_offset bigint NOT NULL,
  -- Which element of the record, from 0; NULL: the whole record.
  element int,
  reason text NOT NULL,
  detail text NOT NULL,
  key bytea,
  -- NULL also when the bytes are in dead_letter_piece, or with the first letter of the same record.
  value bytea,
  value_bytes bigint NOT NULL,
  -- [{"name": …, "value": …} or {"name": …, "base64": …}], in the record's order.
  headers jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  replayed_at timestamptz
);
CREATE INDEX dead_letter_by_record ON throughline.dead_letter (topic, partition, record_offset);

-- Values above 1 MiB, written before the batch's transaction; pieces without a letter are swept.
CREATE TABLE throughline.dead_letter_piece (
  topic text NOT NULL,
  partition int NOT NULL,
  record_offset bigint NOT NULL,
  piece int NOT NULL,
  bytes bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (topic, partition, record_offset, piece)
);

-- Within a subject ids grow with seq: both are taken under the subject's row lock.
CREATE TABLE throughline.outbox (
  shard smallint NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  tenant_id text NOT NULL,
  event_id uuid NOT NULL,
  topic text NOT NULL,
  -- The record's key.
  subject text NOT NULL,
  seq bigint NOT NULL,
  -- NULL: the letter's own bytes and headers.
  value bytea,
  dead_letter_id uuid REFERENCES throughline.dead_letter,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (shard, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
CREATE INDEX outbox_letters ON throughline.outbox (shard, id) WHERE dead_letter_id IS NOT NULL;

CREATE TABLE throughline.outbox_shard (
  shard smallint PRIMARY KEY,
  owner text,
  expires_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO throughline.outbox_shard (shard) SELECT generate_series(0, 15);

-- Who publishes: the shards are shared out among those who are alive.
CREATE TABLE throughline.outbox_publisher (
  owner text PRIMARY KEY,
  expires_at timestamptz NOT NULL
);
