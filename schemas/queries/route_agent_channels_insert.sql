-- :exec
INSERT INTO throughline.agent_channel (tenant_id, agent_id, channel, capacity, load, overcommit)
SELECT k.tenant_id, k.agent_id, k.channel, k.capacity, k.load, greatest(0, k.load - k.capacity)
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[]) AS k(tenant_id, agent_id, channel, capacity, load);
