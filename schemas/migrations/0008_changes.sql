-- Edits, deletions, reactions, receipts and calls come to their messages; orders, answers to surveys, consents and whatever else happens
-- with a customer beside their messages.

ALTER TABLE throughline.parked_event
  -- What it does to its message, beside its details: {"is_attested", "customer", "author_kind", "text", "attachments", "status", "error",
  -- "reaction", "name"}. NULL where it waits for nothing.
  ADD COLUMN change jsonb;
-- Ids begin with the time of their making.
CREATE INDEX parked_event_by_age ON throughline.parked_event (id);

-- What the address is: an identifier's kind. NULL in rows of earlier versions, and of what we send.
ALTER TABLE throughline.message ADD COLUMN address_kind text;

-- NULL: nobody has the name yet, and something waits for it.
ALTER TABLE throughline.message_ref ALTER COLUMN conversation_id DROP NOT NULL;

CREATE TABLE throughline.reaction (
  tenant_id text COLLATE "C" NOT NULL,
  message_id uuid NOT NULL,
  -- The customer's side as the channel calls it, or 'agent'.
  actor text COLLATE "C" NOT NULL,
  -- Empty where an actor has one reaction to a message, the reaction itself where there may be several.
  slot text COLLATE "C" NOT NULL,
  -- NULL: taken back.
  reaction text,
  at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, message_id, actor, slot),
  FOREIGN KEY (tenant_id, message_id) REFERENCES throughline.message
);

CREATE TABLE throughline.receipt (
  tenant_id text COLLATE "C" NOT NULL,
  message_id uuid NOT NULL,
  -- sent, delivered, read, failed.
  status text COLLATE "C" NOT NULL,
  -- The customer's side as the channel calls it; empty where it is not said.
  recipient text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, message_id, status, recipient),
  FOREIGN KEY (tenant_id, message_id) REFERENCES throughline.message
);

-- Some providers say that everything up to a time was delivered or read.
CREATE TABLE throughline.receipt_watermark (
  tenant_id text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  address text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL,
  up_to timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, channel, account, address, status)
);

-- Whether we may write to an address; no row: nobody has said so.
CREATE TABLE throughline.consent (
  tenant_id text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  address text COLLATE "C" NOT NULL,
  is_given boolean NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, channel, account, address)
);

CREATE TABLE throughline.customer_event (
  tenant_id text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  customer_id uuid NOT NULL,
  -- identity_change, consent, erasure.
  kind text NOT NULL,
  status text,
  channel text NOT NULL,
  account text NOT NULL,
  at timestamptz NOT NULL,
  details jsonb NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES throughline.customer
);
CREATE INDEX customer_event_by_customer ON throughline.customer_event (customer_id, tenant_id);

CREATE TABLE throughline.customer_order (
  tenant_id text COLLATE "C" NOT NULL,
  -- The shop, and its id of the order.
  channel text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  external_id text COLLATE "C" NOT NULL,
  -- NULL: of nobody who is known.
  customer_id uuid,
  number text,
  status text,
  total numeric,
  currency text,
  -- [{"title", "quantity"}]
  items jsonb NOT NULL,
  placed_at timestamptz,
  -- The version: older ones change nothing.
  updated_at timestamptz NOT NULL,
  details jsonb NOT NULL,
  PRIMARY KEY (tenant_id, channel, account, external_id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES throughline.customer
);
CREATE INDEX customer_order_by_customer ON throughline.customer_order (customer_id, tenant_id);
CREATE INDEX customer_order_by_number ON throughline.customer_order (number, tenant_id);

CREATE TABLE throughline.survey_response (
  tenant_id text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL,
  external_id text COLLATE "C" NOT NULL,
  customer_id uuid,
  -- What it is about, if that is known.
  conversation_id uuid,
  -- csat, nps, ces, or the provider's word. Scales differ, and nothing is converted.
  metric text NOT NULL,
  score numeric,
  scale_min numeric,
  scale_max numeric,
  comment text,
  answered_at timestamptz,
  updated_at timestamptz NOT NULL,
  details jsonb NOT NULL,
  PRIMARY KEY (tenant_id, channel, account, external_id),
  FOREIGN KEY (tenant_id, customer_id) REFERENCES throughline.customer,
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES throughline.conversation
);
CREATE INDEX survey_response_by_customer ON throughline.survey_response (customer_id, tenant_id);
CREATE INDEX survey_response_by_conversation ON throughline.survey_response (conversation_id, tenant_id);

-- A customer and those who became one with them.
CREATE VIEW throughline.customer_part WITH (security_invoker = true) AS
SELECT u.tenant_id, u.id AS customer_id, u.id FROM throughline.customer u WHERE u.merged_into IS NULL
UNION ALL
SELECT u.tenant_id, u.merged_into, u.id FROM throughline.customer u WHERE u.merged_into IS NOT NULL;

-- All that happened with a customer, over all channels and conversations; of those who became one, under the one that they are now.
-- Times of messages, claims, links and merges are those of the messages, times of ownership the router's.
CREATE OR REPLACE VIEW throughline.customer_timeline WITH (security_invoker = true) AS
-- message, call, note, handoff; one that was deleted stays as a gap in the thread, without its content
SELECT c.tenant_id, c.customer_id, m.ordered_at AS at,
  CASE WHEN m.direction = 'internal' AND m.author_kind = 'bot' THEN 'handoff' WHEN m.direction = 'internal' THEN 'note'
    WHEN m.channel = 'voice' OR m.details ? 'call' THEN 'call' ELSE 'message' END AS kind,
  m.channel, c.id AS conversation_id, c.reference AS conversation, m.author_kind::text AS author_kind,
  CASE m.author_kind WHEN 'customer' THEN u.display_name ELSE coalesce(a.name, m.author_id) END AS author,
  m.text,
  m.details || jsonb_build_object('direction', m.direction, 'external_id', m.external_id, 'delivery_status', d.status,
    'edited_at', m.edited_at, 'deleted_at', m.deleted_at, 'reactions', r.reactions) AS details
FROM throughline.customer_conversation c
JOIN throughline.message m ON m.conversation_id = c.id AND m.tenant_id = c.tenant_id
JOIN throughline.customer u ON u.tenant_id = c.tenant_id AND u.id = c.customer_id
LEFT JOIN throughline.agent a ON a.tenant_id = c.tenant_id AND a.id = m.author_id AND m.author_kind = 'agent'
-- How far a message of ours came: by its own receipts, or by what was said of everything up to a time.
CROSS JOIN LATERAL (
  SELECT CASE WHEN m.direction = 'outbound' AND m.delivery_status IS DISTINCT FROM 'read' AND m.delivery_status IS DISTINCT FROM 'failed'
    THEN coalesce((
      SELECT max(w.status) FROM throughline.receipt_watermark w
      WHERE w.tenant_id = m.tenant_id AND w.channel = m.channel AND w.account = m.account AND w.address = m.address
        AND w.up_to >= m.ordered_at AND w.status IN ('delivered', 'read')
    ), m.delivery_status) ELSE m.delivery_status END AS status
) d
CROSS JOIN LATERAL (
  SELECT jsonb_agg(r.reaction ORDER BY r.at) AS reactions FROM throughline.reaction r
  WHERE r.tenant_id = m.tenant_id AND r.message_id = m.id AND r.reaction IS NOT NULL
) r
WHERE m.deleted_at IS NULL OR m.details ? 'deleted_by'
UNION ALL
SELECT s.tenant_id, s.customer_id, s.at, 'channel_switched', s.channel, s.conversation_id, s.conversation, s.author_kind, NULL,
  NULL, jsonb_build_object('from', s.previous, 'to', s.channel)
FROM (
  SELECT c.tenant_id, c.customer_id, m.ordered_at AS at, m.channel, c.id AS conversation_id, c.reference AS conversation,
    m.author_kind::text AS author_kind,
    lag(m.channel) OVER (PARTITION BY c.tenant_id, c.customer_id, c.id ORDER BY m.ordered_at, m.id) AS previous
  FROM throughline.customer_conversation c
  JOIN throughline.message m ON m.conversation_id = c.id AND m.tenant_id = c.tenant_id
  WHERE m.deleted_at IS NULL AND m.direction <> 'internal'
) s
WHERE s.previous <> s.channel
UNION ALL
SELECT c.tenant_id, c.customer_id, c.opened_at, 'opened', NULL, c.id, c.reference, NULL, NULL, NULL, '{}'
FROM throughline.customer_conversation c WHERE c.merged_into IS NULL
UNION ALL
SELECT c.tenant_id, c.customer_id, c.resolved_at, 'resolved', NULL, c.id, c.reference, NULL, NULL, NULL, '{}'
FROM throughline.customer_conversation c WHERE c.merged_into IS NULL AND c.resolved_at IS NOT NULL
UNION ALL
-- assigned, or offered as long as nobody has accepted
SELECT c.tenant_id, c.customer_id, coalesce(g.accepted_at, g.offered_at),
  CASE WHEN g.accepted_at IS NULL THEN 'offered' ELSE 'assigned' END, g.channel, c.id, c.reference, 'agent',
  coalesce(a.name, g.agent_id), NULL, jsonb_build_object('agent_id', g.agent_id, 'queue_id', g.queue_id, 'epoch', g.epoch)
FROM throughline.customer_conversation c
JOIN throughline.assignment g ON g.conversation_id = c.id AND g.tenant_id = c.tenant_id
LEFT JOIN throughline.agent a ON a.tenant_id = c.tenant_id AND a.id = g.agent_id
UNION ALL
SELECT c.tenant_id, c.customer_id, g.ended_at, 'unassigned', g.channel, c.id, c.reference, 'agent', coalesce(a.name, g.agent_id),
  NULL, jsonb_build_object('agent_id', g.agent_id, 'reason', g.end_reason)
FROM throughline.customer_conversation c
JOIN throughline.assignment g ON g.conversation_id = c.id AND g.tenant_id = c.tenant_id
LEFT JOIN throughline.agent a ON a.tenant_id = c.tenant_id AND a.id = g.agent_id
WHERE g.ended_at IS NOT NULL
UNION ALL
-- queued, and what a bot has
SELECT c.tenant_id, c.customer_id, s.started_at, CASE s.owner_kind WHEN 'bot' THEN 'assigned' ELSE 'queued' END, NULL, c.id,
  c.reference, s.owner_kind::text, coalesce(s.owner_id, q.name, s.queue_id), NULL,
  jsonb_build_object('queue_id', s.queue_id, 'epoch', s.position)
FROM throughline.customer_conversation c
JOIN throughline.conversation_segment s ON s.tenant_id = c.tenant_id AND s.conversation_id = c.id
LEFT JOIN throughline.queue q ON q.tenant_id = c.tenant_id AND q.id = s.queue_id
WHERE s.owner_kind = 'bot' OR (s.owner_kind = 'queue' AND s.queue_id IS NOT NULL)
UNION ALL
-- What somebody said about themselves.
SELECT s.tenant_id, u.id, s.created_at, 'claim', m.channel, m.conversation_id, m.reference, 'customer', u.display_name, s.value,
  jsonb_build_object('kind', s.kind, 'scope', s.scope)
FROM throughline.customer u
JOIN throughline.identity_claim s ON s.customer_id = u.id AND s.tenant_id = u.tenant_id
LEFT JOIN LATERAL (
  SELECT m.channel, m.conversation_id, c.reference FROM throughline.message m
  JOIN throughline.conversation c ON c.tenant_id = m.tenant_id AND c.id = m.conversation_id
  WHERE m.tenant_id = s.tenant_id AND m.id = s.message_id OFFSET 0
) m ON true
WHERE u.merged_into IS NULL
UNION ALL
SELECT s.tenant_id, u.merged_into, s.created_at, 'claim', m.channel, m.conversation_id, m.reference, 'customer', u.display_name, s.value,
  jsonb_build_object('kind', s.kind, 'scope', s.scope)
FROM throughline.customer u
JOIN throughline.identity_claim s ON s.customer_id = u.id AND s.tenant_id = u.tenant_id
LEFT JOIN LATERAL (
  SELECT m.channel, m.conversation_id, c.reference FROM throughline.message m
  JOIN throughline.conversation c ON c.tenant_id = m.tenant_id AND c.id = m.conversation_id
  WHERE m.tenant_id = s.tenant_id AND m.id = s.message_id OFFSET 0
) m ON true
WHERE u.merged_into IS NOT NULL
UNION ALL
-- reference_refused and the like: which conversation a reference led to
SELECT c.tenant_id, c.customer_id, l.created_at, l.reason, NULL, c.id, c.reference, NULL, NULL, o.reference,
  jsonb_build_object('conversation_id', l.linked_conversation_id)
FROM throughline.customer_conversation c
JOIN throughline.conversation_link l ON l.tenant_id = c.tenant_id AND l.conversation_id = c.id
JOIN throughline.conversation o ON o.tenant_id = l.tenant_id AND o.id = l.linked_conversation_id
UNION ALL
SELECT e.tenant_id, e.survivor_id, e.created_at, 'merged', NULL, NULL, NULL, NULL, l.display_name,
  (SELECT string_agg(DISTINCT k.item ->> 'kind', ', ') FROM jsonb_array_elements(e.evidence) AS k(item)),
  jsonb_build_object('rule', e.rule, 'evidence', e.evidence, 'customer_id', e.loser_id)
FROM throughline.merge_event e
JOIN throughline.customer u ON u.tenant_id = e.tenant_id AND u.id = e.survivor_id AND u.merged_into IS NULL
JOIN throughline.customer l ON l.tenant_id = e.tenant_id AND l.id = e.loser_id
UNION ALL
SELECT e.tenant_id, u.merged_into, e.created_at, 'merged', NULL, NULL, NULL, NULL, l.display_name,
  (SELECT string_agg(DISTINCT k.item ->> 'kind', ', ') FROM jsonb_array_elements(e.evidence) AS k(item)),
  jsonb_build_object('rule', e.rule, 'evidence', e.evidence, 'customer_id', e.loser_id)
FROM throughline.customer u
JOIN throughline.merge_event e ON e.survivor_id = u.id AND e.tenant_id = u.tenant_id
JOIN throughline.customer l ON l.tenant_id = e.tenant_id AND l.id = e.loser_id
WHERE u.merged_into IS NOT NULL
UNION ALL
SELECT u.tenant_id, u.customer_id, coalesce(o.placed_at, o.updated_at), 'order', o.channel, NULL, NULL, NULL, NULL,
  concat_ws(' ', coalesce(o.number, o.external_id), o.status, o.total, o.currency) COLLATE "default",
  o.details || jsonb_build_object('external_id', o.external_id, 'status', o.status, 'total', o.total, 'currency', o.currency,
    'items', o.items, 'updated_at', o.updated_at, 'source', o.account)
FROM throughline.customer_part u JOIN throughline.customer_order o ON o.customer_id = u.id AND o.tenant_id = u.tenant_id
UNION ALL
SELECT u.tenant_id, u.customer_id, coalesce(s.answered_at, s.updated_at), 'survey', s.channel, s.conversation_id, NULL, 'customer', NULL,
  s.comment, s.details || jsonb_build_object('metric', s.metric, 'score', s.score, 'scale_min', s.scale_min, 'scale_max', s.scale_max,
    'source', s.account)
FROM throughline.customer_part u JOIN throughline.survey_response s ON s.customer_id = u.id AND s.tenant_id = u.tenant_id
UNION ALL
-- identity_change, consent, erasure
SELECT u.tenant_id, u.customer_id, e.at, e.kind, e.channel, NULL, NULL, 'customer', NULL, e.status,
  e.details || jsonb_build_object('status', e.status, 'account', e.account)
FROM throughline.customer_part u JOIN throughline.customer_event e ON e.customer_id = u.id AND e.tenant_id = u.tenant_id;
