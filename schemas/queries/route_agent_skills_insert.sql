-- :exec
INSERT INTO throughline.agent_skill (tenant_id, agent_id, skill, level)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[]);
