-- :exec  Every tenant can be leased.
INSERT INTO throughline.router_lease (tenant_id) SELECT t.id FROM throughline.tenant t
WHERE NOT EXISTS (SELECT FROM throughline.router_lease r WHERE r.tenant_id = t.id)
ON CONFLICT DO NOTHING;
