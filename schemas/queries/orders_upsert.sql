-- :exec  In key order: the newest version.
INSERT INTO throughline.customer_order AS o
  (tenant_id, channel, account, external_id, customer_id, number, status, total, currency, items, placed_at, updated_at, details)
SELECT k.tenant_id, k.channel, k.account, k.external_id, k.customer_id, k.number, k.status, k.total::numeric, k.currency, k.items::jsonb, k.placed_at,
  k.updated_at, k.details::jsonb
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
  $11::timestamptz[], $12::timestamptz[], $13::text[])
  AS k(tenant_id, channel, account, external_id, customer_id, number, status, total, currency, items, placed_at, updated_at, details)
ON CONFLICT (tenant_id, channel, account, external_id) DO UPDATE
SET customer_id = excluded.customer_id, number = excluded.number, status = excluded.status, total = excluded.total,
  currency = excluded.currency, items = excluded.items, placed_at = excluded.placed_at,
  updated_at = excluded.updated_at, details = excluded.details
WHERE o.updated_at <= excluded.updated_at;
