-- :exec  Tenants register themselves on first sight, in order.
INSERT INTO throughline.tenant (id) SELECT k.id FROM unnest($1::text[]) AS k(id) ON CONFLICT DO NOTHING;
