-- :exec  Under customers_lock.
UPDATE throughline.customer c
SET display_name = k.display_name, verified = k.verified, language = k.language, organization_id = k.organization_id,
  profile_updated_at = k.profile_updated_at, event_seq = k.event_seq,
  -- Of each the newest word; times are written in one way, so that they compare as text.
  traits = c.traits || (
    SELECT coalesce(jsonb_object_agg(n.key, n.value), '{}') FROM jsonb_each(k.traits::jsonb) n
    WHERE coalesce(c.traits -> n.key ->> 'at', '') COLLATE "C" <= n.value ->> 'at')
FROM (
  SELECT unnest($1::text[]) AS tenant_id, unnest($2::uuid[]) AS id, unnest($3::text[]) AS display_name,
    unnest($4::bool[]) AS verified, unnest($5::text[]) AS language, unnest($6::text[]) AS organization_id,
    unnest($7::timestamptz[]) AS profile_updated_at, unnest($8::text[]) AS traits, unnest($9::bigint[]) AS event_seq
) k
CROSS JOIN LATERAL (
  SELECT t.ctid FROM throughline.customer t WHERE t.tenant_id = k.tenant_id AND t.id = k.id OFFSET 0
) t
WHERE c.ctid = t.ctid;
