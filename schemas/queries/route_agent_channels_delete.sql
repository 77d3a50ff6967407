-- :exec  Before route_agent_channels_insert.
DELETE FROM throughline.agent_channel c
USING unnest($1::text[], $2::text[]) AS k(tenant_id, id)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.agent_channel t WHERE t.tenant_id = k.tenant_id AND t.agent_id = k.id OFFSET 0
) t
WHERE c.ctid = t.ctid;
