-- :exec  Tenants and channel accounts register themselves on first sight.
WITH tenants AS (
  INSERT INTO throughline.tenant (id) SELECT DISTINCT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING
)
INSERT INTO throughline.channel_account (tenant_id, channel, account)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT DO NOTHING;
