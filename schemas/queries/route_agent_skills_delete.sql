-- :exec  Before route_agent_skills_insert.
DELETE FROM throughline.agent_skill s
USING unnest($1::text[], $2::text[]) AS k(tenant_id, id)
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.agent_skill t WHERE t.tenant_id = k.tenant_id AND t.agent_id = k.id OFFSET 0
) t
WHERE s.ctid = t.ctid;
