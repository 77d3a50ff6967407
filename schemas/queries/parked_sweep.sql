-- :one  After names_lock: nobody comes to wait behind a row that goes. What is unknown to this version is kept as long.
WITH gone AS (
  DELETE FROM throughline.parked_event p WHERE p.id = ANY($1::uuid[]) RETURNING p.tenant_id, p.target, p.id
), free AS (
  DELETE FROM throughline.message_ref r USING (SELECT DISTINCT tenant_id, target FROM gone) g
  WHERE r.tenant_id = g.tenant_id AND r.key = g.target AND r.key = ANY (ARRAY(SELECT target FROM gone))
    AND r.conversation_id IS NULL AND NOT r.seen
    AND NOT EXISTS (
      SELECT FROM throughline.parked_event p
      WHERE p.target = g.target AND p.tenant_id IS NOT DISTINCT FROM g.tenant_id AND p.id NOT IN (SELECT id FROM gone) OFFSET 0)
)
SELECT count(*) FROM gone;
