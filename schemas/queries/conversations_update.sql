-- :exec  By their places under conversations_lock (by no index of the id, on an empty table either); those that end first, and new ones
-- after: at most one is live in a lane at any instant.
UPDATE throughline.conversation c
SET status = k.status::throughline.conversation_status, version = k.version, event_seq = k.event_seq, last_channel = k.last_channel,
  language = k.language, subject = k.subject, opened_at = k.opened_at, first_response_at = k.first_response_at,
  resolved_at = k.resolved_at, last_message_at = k.last_message_at, last_account = k.last_account, priority = k.priority,
  customer_version = k.customer_version, waiting_since = k.waiting_since, snoozed_until = k.snoozed_until,
  handoff = k.handoff::jsonb, customer_id = k.customer_id, lane = k.lane, merged_into = k.merged_into,
  origin_customer_id = k.origin_customer_id, automatic_count = k.automatic_count, automatic_since = k.automatic_since
FROM (
  SELECT unnest($1::tid[]) AS place, unnest($2::uuid[]) AS id, unnest($3::text[]) AS status, unnest($4::bigint[]) AS version,
    unnest($5::bigint[]) AS event_seq, unnest($6::text[]) AS last_channel, unnest($7::text[]) AS language,
    unnest($8::text[]) AS subject, unnest($9::timestamptz[]) AS opened_at, unnest($10::timestamptz[]) AS first_response_at,
    unnest($11::timestamptz[]) AS resolved_at, unnest($12::timestamptz[]) AS last_message_at, unnest($13::text[]) AS last_account,
    unnest($14::smallint[]) AS priority, unnest($15::bigint[]) AS customer_version, unnest($16::timestamptz[]) AS waiting_since,
    unnest($17::timestamptz[]) AS snoozed_until, unnest($18::text[]) AS handoff, unnest($19::uuid[]) AS customer_id,
    unnest($20::text[]) AS lane, unnest($21::uuid[]) AS merged_into, unnest($22::uuid[]) AS origin_customer_id,
    unnest($23::int[]) AS automatic_count, unnest($24::timestamptz[]) AS automatic_since
) k
WHERE c.ctid = k.place AND c.id IS NOT DISTINCT FROM k.id;
