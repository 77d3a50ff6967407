-- :exec  In key order.
INSERT INTO throughline.receipt_watermark AS w (tenant_id, channel, account, address, status, up_to)
SELECT k.* FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[]) AS k
ON CONFLICT (tenant_id, channel, account, address, status) DO UPDATE SET up_to = excluded.up_to WHERE w.up_to < excluded.up_to;
