-- :exec  Before customers_merge: whoever was part of the loser comes along. `members` are those who became so in this batch.
INSERT INTO throughline.merge_event (tenant_id, id, survivor_id, loser_id, rule, evidence, agent_id, moved, created_at)
SELECT k.tenant_id, k.id, k.survivor_id, k.loser_id, k.rule, k.evidence::jsonb, k.agent_id,
  jsonb_build_object('customers', (
    SELECT jsonb_agg(DISTINCT m.id) FROM (
      SELECT k.loser_id AS id
      UNION ALL SELECT value::uuid FROM jsonb_array_elements_text(k.members::jsonb)
      UNION ALL (SELECT c.id FROM throughline.customer c WHERE c.merged_into = k.loser_id AND c.tenant_id IS NOT DISTINCT FROM k.tenant_id)
      UNION ALL SELECT c.id FROM jsonb_array_elements_text(k.members::jsonb)
        CROSS JOIN LATERAL (
          SELECT c.id FROM throughline.customer c WHERE c.merged_into = value::uuid AND c.tenant_id IS NOT DISTINCT FROM k.tenant_id OFFSET 0) c
    ) m), 'conversations', k.conversations::jsonb),
  k.created_at
FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::timestamptz[])
  AS k(tenant_id, id, survivor_id, loser_id, rule, evidence, agent_id, members, conversations, created_at);
