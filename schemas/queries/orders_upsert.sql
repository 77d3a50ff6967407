-- :exec  In key order: the newest version.
INSERT INTO throughline.customer_order AS o
  (tenant_id, channel, account, external_id, customer_id, number, status, total, currency, items, placed_at, updated_at, details)
SELECT k.tenant_id, k.channel, k.account, k.external_id, k.customer_id, k.number, k.status, k.total::numeric, k.currency, k.items::jsonb, k.placed_at,
  k.updated_at, k.details::jsonb
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::text[]) AS channel, unnest($3::text[]) AS account,
    unnest($4::text[]) AS external_id, unnest($5::uuid[]) AS customer_id, unnest($6::text[]) AS number,
    unnest($7::text[]) AS status, unnest($8::text[]) AS total, unnest($9::text[]) AS currency, unnest($10::text[]) AS items,
    unnest($11::timestamptz[]) AS placed_at, unnest($12::timestamptz[]) AS updated_at, unnest($13::text[]) AS details
) k
ON CONFLICT (tenant_id, channel, account, external_id) DO UPDATE
SET customer_id = excluded.customer_id, number = excluded.number, status = excluded.status, total = excluded.total,
  currency = excluded.currency, items = excluded.items, placed_at = excluded.placed_at,
  updated_at = excluded.updated_at, details = excluded.details
WHERE o.updated_at <= excluded.updated_at;
