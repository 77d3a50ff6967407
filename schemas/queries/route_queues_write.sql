-- :exec  The queues of the policy, for readers and the audit; those that are gone stay for the sake of what refers to them.
INSERT INTO throughline.queue AS q (tenant_id, id, name, policy_version, teams, skills)
SELECT $1::text, k.id, k.name, $2::int, ARRAY(SELECT jsonb_array_elements_text(k.teams::jsonb)), k.skills::jsonb
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS k(id, name, teams, skills)
ON CONFLICT (tenant_id, id) DO UPDATE
SET name = excluded.name, policy_version = excluded.policy_version, teams = excluded.teams, skills = excluded.skills
WHERE (q.name, q.policy_version, q.teams, q.skills)
  IS DISTINCT FROM (excluded.name, excluded.policy_version, excluded.teams, excluded.skills);
