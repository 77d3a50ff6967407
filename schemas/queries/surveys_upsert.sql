-- :exec  In key order: the newest version.
INSERT INTO throughline.survey_response AS s
  (tenant_id, channel, account, external_id, customer_id, conversation_id, metric, score, scale_min, scale_max, comment, answered_at, updated_at, details)
SELECT k.tenant_id, k.channel, k.account, k.external_id, k.customer_id, k.conversation_id, k.metric, k.score::numeric, k.scale_min::numeric,
  k.scale_max::numeric, k.comment, k.answered_at, k.updated_at, k.details::jsonb
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::text[],
  $11::text[], $12::timestamptz[], $13::timestamptz[], $14::text[])
  AS k(tenant_id, channel, account, external_id, customer_id, conversation_id, metric, score, scale_min, scale_max, comment, answered_at, updated_at, details)
ON CONFLICT (tenant_id, channel, account, external_id) DO UPDATE
SET customer_id = excluded.customer_id, conversation_id = excluded.conversation_id,
  metric = excluded.metric, score = excluded.score, scale_min = excluded.scale_min, scale_max = excluded.scale_max,
  comment = excluded.comment, answered_at = excluded.answered_at, updated_at = excluded.updated_at, details = excluded.details
WHERE s.updated_at <= excluded.updated_at;
