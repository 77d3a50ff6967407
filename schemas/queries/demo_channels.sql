-- :many  What came and went by channel.
SELECT m.channel, count(*) FILTER (WHERE m.direction = 'inbound'), count(*) FILTER (WHERE m.direction = 'outbound'),
  count(DISTINCT m.customer_id)
FROM throughline.message m
WHERE m.tenant_id = $1::text AND m.deleted_at IS NULL AND m.direction <> 'internal'
GROUP BY m.channel
ORDER BY 2 DESC, 1;
