-- :many  The tenants that somebody leases, or may.
SELECT r.tenant_id FROM throughline.router_lease r;
