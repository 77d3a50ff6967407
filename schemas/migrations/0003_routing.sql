-- Who has a conversation: queues, agents with their capacity, offers and assignments, and why each was made.

ALTER TABLE throughline.conversation
  -- The router's own, added to `priority`.
  ADD COLUMN queue_priority smallint NOT NULL DEFAULT 0,
  -- The last seq of this subject on routing.events.
  ADD COLUMN routing_seq bigint NOT NULL DEFAULT 0,
  -- When it entered its queue this time; NULL while nobody has placed it, and while an agent or a bot has it.
  ADD COLUMN queued_at timestamptz,
  -- Until then only these agents may be given it: who had this customer before, the account manager.
  ADD COLUMN held_for text[],
  ADD COLUMN held_until timestamptz;

-- What the router looks for, all tenants together: few rows each.
CREATE INDEX conversation_waiting ON throughline.conversation (id, tenant_id)
  WHERE status = 'open' AND owner_kind = 'queue' AND merged_into IS NULL;
CREATE INDEX conversation_handed_off ON throughline.conversation (id, tenant_id)
  WHERE status = 'open' AND owner_kind = 'bot' AND handoff IS NOT NULL;
CREATE INDEX conversation_with_bot ON throughline.conversation (owner_id, tenant_id, id)
  WHERE owner_kind = 'bot' AND status IN ('open', 'pending');
CREATE INDEX conversation_to_release ON throughline.conversation (id, tenant_id)
  WHERE (owner_kind <> 'queue' OR queued_at IS NOT NULL) AND (status NOT IN ('open', 'pending') OR merged_into IS NOT NULL);
CREATE INDEX conversation_snoozed ON throughline.conversation (snoozed_until, tenant_id, id) WHERE status = 'snoozed';
CREATE INDEX conversation_pending ON throughline.conversation (last_message_at, tenant_id, id) WHERE status = 'pending';
CREATE INDEX conversation_resolved ON throughline.conversation (resolved_at, tenant_id, id) WHERE status = 'resolved';

-- As the newest policy says, for readers; the router keeps it up to date.
CREATE TABLE throughline.queue (
  tenant_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  policy_version int NOT NULL,
  -- Of whom one must be the agent's; empty: anybody.
  teams text[] NOT NULL,
  -- {"language:es": 1}: what an agent needs at least.
  skills jsonb NOT NULL,
  PRIMARY KEY (tenant_id, id)
);

CREATE TABLE throughline.agent (
  tenant_id text COLLATE "C" NOT NULL,
  -- The business's own id of them.
  id text COLLATE "C" NOT NULL,
  name text,
  state text NOT NULL CHECK (state IN ('online', 'away', 'wrap_up', 'offline')),
  -- In units.
  capacity int NOT NULL CHECK (capacity >= 0),
  load int NOT NULL DEFAULT 0 CHECK (load >= 0),
  -- What they hold beyond their capacity since they lowered it.
  overcommit int NOT NULL DEFAULT 0 CHECK (overcommit >= 0),
  -- Takes the channels of agent_channel and no others; otherwise all.
  names_channels boolean NOT NULL,
  teams text[] NOT NULL,
  -- The rest of the newest report as one text, to see whether a report changes anything.
  profile text NOT NULL,
  lease_expires_at timestamptz NOT NULL,
  -- Older reports are ignored; never later than the router's clock said when it took the report in.
  reported_at timestamptz NOT NULL,
  -- The last assignment or the coming online, whichever is later.
  idle_since timestamptz NOT NULL,
  -- Grows with every change that matters to routing; a heartbeat does not.
  version bigint NOT NULL DEFAULT 1,
  -- The last seq of this subject on routing.events.
  routing_seq bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, id),
  CHECK (load <= capacity + overcommit)
) WITH (fillfactor = 70);
CREATE INDEX agent_by_lease ON throughline.agent (lease_expires_at, tenant_id) WHERE state <> 'offline' OR load > 0;
CREATE INDEX agent_gone_with_load ON throughline.agent (id, tenant_id) WHERE state = 'offline' AND load > 0;

-- How many conversations at once, by channel.
CREATE TABLE throughline.agent_channel (
  tenant_id text COLLATE "C" NOT NULL,
  agent_id text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  capacity int NOT NULL CHECK (capacity >= 0),
  load int NOT NULL DEFAULT 0 CHECK (load >= 0),
  overcommit int NOT NULL DEFAULT 0 CHECK (overcommit >= 0),
  PRIMARY KEY (tenant_id, agent_id, channel),
  FOREIGN KEY (tenant_id, agent_id) REFERENCES throughline.agent,
  CHECK (load <= capacity + overcommit)
) WITH (fillfactor = 70);

CREATE TABLE throughline.agent_skill (
  tenant_id text COLLATE "C" NOT NULL,
  agent_id text COLLATE "C" NOT NULL,
  skill text COLLATE "C" NOT NULL,
  level smallint NOT NULL,
  PRIMARY KEY (tenant_id, agent_id, skill),
  FOREIGN KEY (tenant_id, agent_id) REFERENCES throughline.agent
);

CREATE TABLE throughline.assignment (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  conversation_id uuid NOT NULL,
  agent_id text COLLATE "C" NOT NULL,
  queue_id text COLLATE "C",
  state text NOT NULL CHECK (state IN ('offered', 'active', 'ended')),
  -- The conversation's ownership that it is.
  epoch bigint NOT NULL,
  channel text COLLATE "C" NOT NULL,
  -- What it takes of the agent's capacity.
  units int NOT NULL CHECK (units >= 0),
  offered_at timestamptz NOT NULL,
  accept_by timestamptz,
  accepted_at timestamptz,
  ended_at timestamptz,
  end_reason text,
  -- Who declined, let an offer lapse or gave it away is not asked again before this.
  excluded_until timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES throughline.conversation,
  FOREIGN KEY (tenant_id, agent_id) REFERENCES throughline.agent,
  CHECK ((state = 'ended') = (ended_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX assignment_current ON throughline.assignment (conversation_id, tenant_id) WHERE state <> 'ended';
-- Without the tenant, or a look-up by tenant and id would as soon read all of this on an empty table.
CREATE INDEX assignment_by_conversation ON throughline.assignment (conversation_id, offered_at);
CREATE INDEX assignment_by_agent ON throughline.assignment (agent_id, tenant_id, channel) WHERE state <> 'ended';
CREATE INDEX assignment_offered ON throughline.assignment (accept_by, tenant_id) WHERE state = 'offered';

-- Why somebody was given a conversation, or nobody.
CREATE TABLE throughline.routing_decision (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  conversation_id uuid NOT NULL,
  queue_id text COLLATE "C" NOT NULL,
  policy_version int NOT NULL,
  -- NULL: nobody could and may.
  agent_id text COLLATE "C",
  -- 'longest_idle', 'preferred', 'nobody', 'bot'
  rule text NOT NULL,
  -- It was still so when it was to be written.
  taken boolean NOT NULL,
  -- [{"agent_id", "idle_since"}]: up to ten, the best first.
  candidates jsonb NOT NULL,
  -- {"full": 3, "skill": 12}: how many agents were passed over, by reason.
  excluded jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES throughline.conversation
);
CREATE INDEX routing_decision_by_conversation ON throughline.routing_decision (conversation_id, created_at, tenant_id);

-- The spans in which one owner had it; the position is the ownership epoch.
CREATE TABLE throughline.conversation_segment (
  tenant_id text COLLATE "C" NOT NULL,
  conversation_id uuid NOT NULL,
  position bigint NOT NULL,
  owner_kind throughline.owner_kind NOT NULL,
  owner_id text,
  queue_id text,
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  end_reason text,
  PRIMARY KEY (tenant_id, conversation_id, position),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES throughline.conversation
);

-- Which router decides for a tenant. A second one would be refused at every claim, and is of no use.
CREATE TABLE throughline.router_lease (
  tenant_id text COLLATE "C" PRIMARY KEY REFERENCES throughline.tenant,
  owner text,
  expires_at timestamptz NOT NULL DEFAULT '-infinity'
);

-- Who decides: the tenants are shared out among those who are alive.
CREATE TABLE throughline.router (
  owner text PRIMARY KEY,
  expires_at timestamptz NOT NULL
);
