-- :many  Which topics have letters of which reasons, a step in the index for each; and the database's time.
WITH RECURSIVE kind AS (
  (SELECT d.topic, d.reason FROM throughline.dead_letter d ORDER BY d.topic, d.reason LIMIT 1)
  UNION ALL
  SELECT n.topic, n.reason
  FROM kind k
  CROSS JOIN LATERAL (
    SELECT d.topic, d.reason FROM throughline.dead_letter d
    WHERE (d.topic, d.reason) > (k.topic, k.reason) ORDER BY d.topic, d.reason LIMIT 1
  ) n
)
SELECT topic, reason, now() FROM kind;
